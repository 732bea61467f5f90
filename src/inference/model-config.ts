// A model's own configuration, read from its folder and checked: sizes, languages, the heads that follow the words.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { InferenceError } from "../core/errors.ts";
import type { ModelDimensions } from "./graph.ts";

/** What decoding needs to know of a model, from its config.json, generation_config.json and preprocessor_config.json. */
export interface ModelConfig {
  readonly dims: ModelDimensions;
  readonly isMultilingual: boolean;
  /** Pairs of decoder layer and head whose cross-attention follows the words. */
  readonly alignmentHeads: readonly (readonly [layer: number, head: number])[];
  readonly eosTokenId: number;
}

const count = z.int().positive();

const configFile = z.object({
  model_type: z.literal("whisper"),
  d_model: count,
  encoder_layers: count,
  encoder_attention_heads: count,
  decoder_layers: count,
  decoder_attention_heads: count,
  vocab_size: count,
  num_mel_bins: count,
  max_source_positions: count,
  max_target_positions: count,
  eos_token_id: z.int().nonnegative(),
});

const generationFile = z.object({
  is_multilingual: z.boolean(),
  alignment_heads: z.array(z.tuple([z.int(), z.int()])).nullish(),
});

// The mel front end is openai/whisper's and nothing else, so a model trained on another one cannot be right.
const preprocessorFile = z.object({
  feature_size: count,
  sampling_rate: z.literal(16_000),
  hop_length: z.literal(160),
  n_fft: z.literal(400),
  chunk_length: z.literal(30),
});

async function readJson<T>(folder: string, file: string, schema: z.ZodType<T>): Promise<T> {
  const path = join(folder, file);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new InferenceError(
      "model_missing",
      `${path} is missing: a model folder holds config.json, generation_config.json, preprocessor_config.json, tokenizer.json and onnx/.`,
      { cause },
    );
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new InferenceError("model_broken", `${path} is not valid JSON: get the model's files again.`, { cause });
  }
  const result = schema.safeParse(parsed);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const at = issue?.path.join(".") || "the file";
  throw new InferenceError(
    "model_broken",
    `${path} is not that of a Whisper model (${at}: ${issue?.message}): use a model in the layout of onnx-community/whisper-base.`,
  );
}

/** @throws InferenceError model_missing or model_broken, naming the file and the field */
export async function readModelConfig(folder: string): Promise<ModelConfig> {
  const [config, generation, preprocessor] = await Promise.all([
    readJson(folder, "config.json", configFile),
    readJson(folder, "generation_config.json", generationFile),
    readJson(folder, "preprocessor_config.json", preprocessorFile),
  ]);
  if (preprocessor.feature_size !== config.num_mel_bins) {
    throw new InferenceError(
      "model_broken",
      `${folder} holds the files of two models: ${preprocessor.feature_size} mel bins in preprocessor_config.json, ${config.num_mel_bins} in config.json; get the model's files again.`,
    );
  }
  const dims = {
    nMels: config.num_mel_bins,
    nAudioCtx: config.max_source_positions,
    nAudioState: config.d_model,
    nAudioHead: config.encoder_attention_heads,
    nAudioLayer: config.encoder_layers,
    nVocab: config.vocab_size,
    nTextCtx: config.max_target_positions,
    nTextState: config.d_model,
    nTextHead: config.decoder_attention_heads,
    nTextLayer: config.decoder_layers,
  };
  const heads = generation.alignment_heads ?? [];
  return {
    dims,
    isMultilingual: generation.is_multilingual,
    alignmentHeads: heads.length > 0 ? heads : lastHalfOfHeads(dims),
    eosTokenId: config.eos_token_id,
  };
}

/** Where the model does not say which heads follow the words. Ref: openai/whisper model.py `alignment_heads`. */
function lastHalfOfHeads(dims: ModelDimensions): [number, number][] {
  const heads: [number, number][] = [];
  for (let layer = Math.floor(dims.nTextLayer / 2); layer < dims.nTextLayer; layer++) {
    for (let head = 0; head < dims.nTextHead; head++) heads.push([layer, head]);
  }
  return heads;
}
