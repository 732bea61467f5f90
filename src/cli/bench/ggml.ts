// A model folder as whisper.cpp's single file, so that both run the same weights.
// Ref: ggml-org/whisper.cpp models/README.md and its loader, whisper_model_load.

import { closeSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../core/errors.ts";
import type { ModelDimensions } from "../../inference/graph.ts";
import { toHalf } from "../../inference/half.ts";
import { melFilters } from "../../inference/mel-filters.ts";
import { readModelConfig } from "../../inference/model-config.ts";
import type { Parameter } from "../../inference/onnx/parameters.ts";
import { readWeights } from "../../inference/onnx/weights.ts";

const MAGIC = 0x67676d6c;
const F32 = 0;
const F16 = 1;
/** whisper.cpp knows the special tokens by these ids alone, and English-only models by a smaller vocabulary. */
const MULTILINGUAL_EOT = 50257;
const MULTILINGUAL_VOCABULARY = 51865;

/**
 * Writes `folder` as a ggml file with float16 weights.
 *
 * A vocabulary smaller than Whisper's is spread out: text tokens keep their ids, special tokens move to where
 * whisper.cpp looks for them, and the gap is filled with a token that no trained model ever says.
 * @throws UserError bad_option when whisper.cpp could not run such a model; InferenceError as readWeights
 */
export async function writeGgml(folder: string, path: string): Promise<void> {
  const { dims, eosTokenId } = await readModelConfig(folder);
  const gap = vocabularyGap(dims, eosTokenId);
  const nVocab = dims.nVocab + gap;
  const part = `${path}.part`;
  const file = openSync(part, "w");
  try {
    writeSync(file, header(dims, nVocab));
    writeSync(file, filters(dims.nMels));
    writeSync(file, vocabulary(folder, eosTokenId));
    for (const [name, parameter] of readWeights(folder, dims)) {
      const isEmbedding = name === "model.decoder.embed_tokens.weight";
      writeTensor(file, ggmlName(name), isEmbedding ? spread(parameter, dims, eosTokenId, gap) : parameter);
    }
  } finally {
    closeSync(file);
  }
  renameSync(part, path);
}

/** How many ids the special tokens must move up. */
function vocabularyGap({ nVocab }: ModelDimensions, eot: number): number {
  if (nVocab >= MULTILINGUAL_VOCABULARY || eot === MULTILINGUAL_EOT - 1) return 0;
  const gap = MULTILINGUAL_EOT - eot;
  if (gap > 0 && nVocab + gap >= MULTILINGUAL_VOCABULARY) return gap;
  throw new UserError(
    "bad_option",
    `whisper.cpp cannot run a model with ${nVocab} tokens, the end of text being ${eot}.`,
  );
}

function header(dims: ModelDimensions, nVocab: number): Buffer {
  return int32s(
    MAGIC,
    nVocab,
    dims.nAudioCtx,
    dims.nAudioState,
    dims.nAudioHead,
    dims.nAudioLayer,
    dims.nTextCtx,
    dims.nTextState,
    dims.nTextHead,
    dims.nTextLayer,
    dims.nMels,
    F16,
  );
}

function filters(nMels: number): Buffer {
  const { first, offsets, weights } = melFilters(nMels);
  const nFrequencies = 201;
  const dense = new Float32Array(nMels * nFrequencies);
  for (let i = 0; i < nMels; i++) {
    const row = weights.subarray(offsets[i], offsets[i + 1]);
    dense.set(row, i * nFrequencies + (first[i] ?? 0));
  }
  return Buffer.concat([int32s(nMels, nFrequencies), Buffer.from(dense.buffer)]);
}

/** The text tokens as bytes; whisper.cpp names the special ones itself. */
function vocabulary(folder: string, eot: number): Buffer {
  const file = JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8")) as {
    readonly model: { readonly vocab: Readonly<Record<string, number>> };
  };
  const bytes = byteOfCharacter();
  const tokens = Object.entries(file.model.vocab).filter(([, id]) => id < eot);
  const parts = tokens
    .sort(([, a], [, b]) => a - b)
    .flatMap(([text]) => {
      const token = Buffer.from(Array.from(text, (character) => bytes.get(character) ?? 0));
      return [int32s(token.length), token];
    });
  return Buffer.concat([int32s(tokens.length), ...parts]);
}

/** Ref: openai/gpt-2 encoder.py bytes_to_unicode */
function byteOfCharacter(): Map<string, number> {
  const isPrintable = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  const all = Array.from({ length: 256 }, (_, byte) => byte);
  const others = all.filter((byte) => !isPrintable(byte));
  return new Map([
    ...all.filter(isPrintable).map((byte) => [String.fromCharCode(byte), byte] as const),
    ...others.map((byte, i) => [String.fromCharCode(256 + i), byte] as const),
  ]);
}

function spread(embedding: Parameter, { nVocab, nTextState }: ModelDimensions, eot: number, gap: number): Parameter {
  if (gap === 0) return embedding;
  return {
    shape: [nVocab + gap, nTextState],
    float32() {
      const rows = embedding.float32();
      const spreadRows = new Float32Array((nVocab + gap) * nTextState);
      spreadRows.set(rows.subarray(0, eot * nTextState));
      spreadRows.set(rows.subarray(eot * nTextState), (eot + gap) * nTextState);
      // <|startoftranscript|> is only ever given to a model, so training taught it that this is no answer.
      const never = rows.subarray((eot + 1) * nTextState, (eot + 2) * nTextState);
      for (let id = eot; id < eot + gap; id++) spreadRows.set(never, id * nTextState);
      return spreadRows;
    },
  };
}

const MODULES: Readonly<Record<string, string>> = {
  self_attn: "attn",
  encoder_attn: "cross_attn",
  q_proj: "query",
  k_proj: "key",
  v_proj: "value",
  out_proj: "out",
  self_attn_layer_norm: "attn_ln",
  encoder_attn_layer_norm: "cross_attn_ln",
  fc1: "mlp.0",
  fc2: "mlp.2",
  final_layer_norm: "mlp_ln",
  layers: "blocks",
};

/** Hugging Face's name of a parameter -> openai/whisper's, which whisper.cpp took over. */
function ggmlName(name: string): string {
  const outside: Readonly<Record<string, string>> = {
    "encoder.layer_norm": "encoder.ln_post",
    "decoder.layer_norm": "decoder.ln",
    "encoder.embed_positions.weight": "encoder.positional_embedding",
    "decoder.embed_positions.weight": "decoder.positional_embedding",
    "decoder.embed_tokens.weight": "decoder.token_embedding.weight",
  };
  const short = name.replace(/^model\./, "");
  const renamed = Object.entries(outside).find(([from]) => short === from || short.startsWith(`${from}.`));
  if (renamed) return short.replace(renamed[0], renamed[1]);
  return short
    .split(".")
    .map((part) => MODULES[part] ?? part)
    .join(".");
}

function writeTensor(file: number, name: string, { shape, float32 }: Parameter): void {
  // The bias of a convolution is added to [channels, frames].
  const sizes = /conv\d\.bias$/.test(name) ? [...shape, 1] : shape;
  const isHalf = shape.length > 1 && !name.endsWith("positional_embedding");
  const nameBytes = Buffer.from(name);
  writeSync(file, int32s(sizes.length, nameBytes.length, isHalf ? F16 : F32, ...sizes.toReversed()));
  writeSync(file, nameBytes);
  const values = float32();
  const content = isHalf ? toHalf(values) : values;
  writeWhole(file, new Uint8Array(content.buffer, content.byteOffset, content.byteLength));
}

/** One call writes at most 2 GB. */
function writeWhole(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

function int32s(...values: number[]): Buffer {
  return Buffer.from(Int32Array.from(values).buffer);
}
