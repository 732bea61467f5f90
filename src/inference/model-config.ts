// A model's own configuration, read from its folder and checked: sizes, special token ids, suppress lists.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { InferenceError } from "../core/errors.ts";
import type { ModelDimensions } from "./graph.ts";

/** What decoding needs to know of a model, from its config.json, generation_config.json and preprocessor_config.json. */
export interface ModelConfig {
  readonly dims: ModelDimensions;
  readonly isMultilingual: boolean;
  /** Ids never sampled; what openai/whisper calls the non-speech tokens, and the special ones. */
  readonly suppressTokens: readonly number[];
  /** Ids not sampled as the first token of a window: the blank and end-of-text. */
  readonly beginSuppressTokens: readonly number[];
  /** Pairs of decoder layer and head whose cross-attention follows the words; empty when the model does not name them. */
  readonly alignmentHeads: readonly (readonly [layer: number, head: number])[];
  /** Language token ids by ISO code ("en"), in the model's order; empty for an English-only model. */
  readonly langToId: ReadonlyMap<string, number>;
  /** Task token ids; absent for an English-only model. */
  readonly taskToId: { readonly transcribe: number; readonly translate: number } | undefined;
  readonly noTimestampsTokenId: number;
  readonly decoderStartTokenId: number;
  readonly eosTokenId: number;
  /** Start-of-previous, which opens the prompt; older exports leave it to the tokenizer. */
  readonly prevSotTokenId: number | undefined;
}

const count = z.int().positive();
const tokenId = z.int().nonnegative();
const tokenIds = z.array(z.int()).nullish();

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
  decoder_start_token_id: tokenId,
  eos_token_id: tokenId,
  suppress_tokens: tokenIds,
  begin_suppress_tokens: tokenIds,
});

const generationFile = z.object({
  is_multilingual: z.boolean(),
  lang_to_id: z.record(z.string(), tokenId).nullish(),
  task_to_id: z.object({ transcribe: tokenId, translate: tokenId }).nullish(),
  no_timestamps_token_id: tokenId,
  prev_sot_token_id: tokenId.nullish(),
  alignment_heads: z.array(z.tuple([z.int(), z.int()])).nullish(),
  suppress_tokens: tokenIds,
  begin_suppress_tokens: tokenIds,
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
  if (generation.is_multilingual && (!generation.lang_to_id || !generation.task_to_id)) {
    throw new InferenceError(
      "model_broken",
      `${join(folder, "generation_config.json")} has no lang_to_id or task_to_id: get the file from a newer export of the model.`,
    );
  }
  return {
    dims: {
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
    },
    isMultilingual: generation.is_multilingual,
    suppressTokens: generation.suppress_tokens ?? config.suppress_tokens ?? [],
    beginSuppressTokens: generation.begin_suppress_tokens ?? config.begin_suppress_tokens ?? [],
    alignmentHeads: generation.alignment_heads ?? [],
    langToId: new Map(
      Object.entries(generation.lang_to_id ?? {}).map(([token, id]) => [token.replace(/^<\|(.*)\|>$/, "$1"), id]),
    ),
    taskToId: generation.task_to_id ?? undefined,
    noTimestampsTokenId: generation.no_timestamps_token_id,
    decoderStartTokenId: config.decoder_start_token_id,
    eosTokenId: config.eos_token_id,
    prevSotTokenId: generation.prev_sot_token_id ?? undefined,
  };
}
