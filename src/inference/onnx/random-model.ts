// Models with the true shapes of the public ones and random weights: for measuring speed where no real weights are.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ModelDimensions } from "../graph.ts";
import { elementCount, type Parameter, type Parameters } from "./parameters.ts";
import { writePublicLayout } from "./public-layout-writer.ts";
import { type SyntheticTokenizer, syntheticTokenizer } from "./synthetic-tokenizer.ts";

/** [state, heads, encoder layers, decoder layers, mel bins]. Ref: openai/whisper README, model-card */
const SIZES = {
  tiny: [384, 6, 4, 4, 80],
  "tiny.en": [384, 6, 4, 4, 80],
  base: [512, 8, 6, 6, 80],
  "base.en": [512, 8, 6, 6, 80],
  small: [768, 12, 12, 12, 80],
  "small.en": [768, 12, 12, 12, 80],
  medium: [1024, 16, 24, 24, 80],
  "medium.en": [1024, 16, 24, 24, 80],
  "large-v2": [1280, 20, 32, 32, 80],
  "large-v3": [1280, 20, 32, 32, 128],
  "large-v3-turbo": [1280, 20, 32, 4, 128],
} as const;

export type RandomModelName = keyof typeof SIZES;
export const RANDOM_MODEL_NAMES = Object.keys(SIZES) as readonly RandomModelName[];

/**
 * Writes a whole model folder in Hugging Face's public layout. The same seed gives the same bytes.
 * @returns its sizes
 */
export async function writeRandomModel(
  folder: string,
  name: RandomModelName,
  { seed }: { readonly seed: number },
): Promise<ModelDimensions> {
  const [state, head, nAudioLayer, nTextLayer, nMels] = SIZES[name];
  const tokenizer = syntheticTokenizer(!name.endsWith(".en"), nMels === 128 ? 100 : 99);
  const dims: ModelDimensions = {
    nMels,
    nAudioCtx: 1500,
    nAudioState: state,
    nAudioHead: head,
    nAudioLayer,
    nVocab: tokenizer.nVocab,
    nTextCtx: 448,
    nTextState: state,
    nTextHead: head,
    nTextLayer,
  };
  await mkdir(folder, { recursive: true });
  const json = (file: string, content: unknown) =>
    writeFile(join(folder, file), `${JSON.stringify(content, null, 2)}\n`);
  await json("config.json", config(name, dims, tokenizer));
  await json("generation_config.json", generationConfig(dims, tokenizer));
  await json("preprocessor_config.json", preprocessorConfig(dims));
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer.json));
  await writePublicLayout(folder, dims, randomParameters(dims, seed));
  return dims;
}

/** Every parameter of a Whisper model with random values of the size that training starts from. */
export function randomParameters(dims: ModelDimensions, seed: number): Parameters {
  return new Map(
    Array.from(parameterShapes(dims), ([name, shape]): [string, Parameter] => [
      name,
      { shape, float32: () => randomValues(name, shape, seed) },
    ]),
  );
}

function randomValues(name: string, shape: readonly number[], seed: number): Float32Array {
  const count = elementCount(shape);
  if (name === "model.encoder.embed_positions.weight") return sinusoids(shape[0]!, shape[1]!);
  if (name.endsWith("layer_norm.weight")) return new Float32Array(count).fill(1);
  if (name.endsWith("layer_norm.bias")) return new Float32Array(count);
  const isMatrix = shape.length > 1;
  const fanIn = isMatrix ? elementCount(shape.slice(1)) : count;
  const deviation = isMatrix ? fanIn ** -0.5 : 0.02;
  // Uniform, because a large model has 1.5 billion of them and speed does not depend on the distribution.
  const width = deviation * Math.sqrt(12);
  const values = new Float32Array(count);
  let state = hash(name, seed);
  for (let i = 0; i < count; i++) {
    // xorshift32. Ref: Marsaglia 2003, "Xorshift RNGs"
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = (state / 0x1_0000_0000) * width;
  }
  return values;
}

/** FNV-1a of the name and the seed, never 0. */
function hash(name: string, seed: number): number {
  let value = 0x811c9dc5 ^ seed;
  for (const character of name) value = Math.imul(value ^ character.charCodeAt(0), 0x01000193);
  return value | 1;
}

/** The encoder's positions. Ref: openai/whisper model.py `sinusoids` */
function sinusoids(length: number, channels: number): Float32Array {
  const half = channels / 2;
  const increment = Math.log(10000) / (half - 1);
  return Float32Array.from({ length: length * channels }, (_, i) => {
    const angle = Math.floor(i / channels) * Math.exp(-increment * (i % half));
    return i % channels < half ? Math.sin(angle) : Math.cos(angle);
  });
}

function* parameterShapes(dims: ModelDimensions): Generator<[string, readonly number[]]> {
  function* linear(module: string, outputs: number, inputs: number): Generator<[string, readonly number[]]> {
    yield [`${module}.weight`, [outputs, inputs]];
    if (!module.endsWith("k_proj")) yield [`${module}.bias`, [outputs]];
  }
  function* norm(module: string, state: number): Generator<[string, readonly number[]]> {
    yield [`${module}.weight`, [state]];
    yield [`${module}.bias`, [state]];
  }
  function* layer(
    module: string,
    state: number,
    attentions: readonly string[],
  ): Generator<[string, readonly number[]]> {
    for (const attention of attentions) {
      for (const projection of ["q", "k", "v", "out"]) {
        yield* linear(`${module}.${attention}.${projection}_proj`, state, state);
      }
      yield* norm(`${module}.${attention}_layer_norm`, state);
    }
    yield* linear(`${module}.fc1`, 4 * state, state);
    yield* linear(`${module}.fc2`, state, 4 * state);
    yield* norm(`${module}.final_layer_norm`, state);
  }
  const { nMels, nAudioState, nTextState } = dims;
  yield ["model.encoder.conv1.weight", [nAudioState, nMels, 3]];
  yield ["model.encoder.conv1.bias", [nAudioState]];
  yield ["model.encoder.conv2.weight", [nAudioState, nAudioState, 3]];
  yield ["model.encoder.conv2.bias", [nAudioState]];
  yield ["model.encoder.embed_positions.weight", [dims.nAudioCtx, nAudioState]];
  for (let i = 0; i < dims.nAudioLayer; i++) yield* layer(`model.encoder.layers.${i}`, nAudioState, ["self_attn"]);
  yield* norm("model.encoder.layer_norm", nAudioState);
  yield ["model.decoder.embed_tokens.weight", [dims.nVocab, nTextState]];
  yield ["model.decoder.embed_positions.weight", [dims.nTextCtx, nTextState]];
  for (let i = 0; i < dims.nTextLayer; i++) {
    yield* layer(`model.decoder.layers.${i}`, nTextState, ["self_attn", "encoder_attn"]);
  }
  yield* norm("model.decoder.layer_norm", nTextState);
}

function config(name: string, dims: ModelDimensions, tokenizer: SyntheticTokenizer): unknown {
  const id = (token: string) => tokenizer.specialTokens.get(token);
  return {
    _name_or_path: `random-whisper-${name}`,
    architectures: ["WhisperForConditionalGeneration"],
    model_type: "whisper",
    activation_function: "gelu",
    is_encoder_decoder: true,
    scale_embedding: false,
    use_cache: true,
    tie_word_embeddings: true,
    torch_dtype: "float32",
    d_model: dims.nTextState,
    encoder_layers: dims.nAudioLayer,
    decoder_layers: dims.nTextLayer,
    num_hidden_layers: dims.nAudioLayer,
    encoder_attention_heads: dims.nAudioHead,
    decoder_attention_heads: dims.nTextHead,
    encoder_ffn_dim: 4 * dims.nAudioState,
    decoder_ffn_dim: 4 * dims.nTextState,
    vocab_size: dims.nVocab,
    num_mel_bins: dims.nMels,
    max_source_positions: dims.nAudioCtx,
    max_target_positions: dims.nTextCtx,
    max_length: dims.nTextCtx,
    bos_token_id: id("<|endoftext|>"),
    eos_token_id: id("<|endoftext|>"),
    pad_token_id: id("<|endoftext|>"),
    decoder_start_token_id: id("<|startoftranscript|>"),
  };
}

function generationConfig(dims: ModelDimensions, tokenizer: SyntheticTokenizer): unknown {
  const id = (token: string) => tokenizer.specialTokens.get(token) ?? 0;
  const isMultilingual = dims.nVocab > 51864;
  const upperHalf = Array.from(
    { length: Math.floor(dims.nTextLayer / 2) },
    (_, i) => Math.ceil(dims.nTextLayer / 2) + i,
  );
  return {
    bos_token_id: id("<|endoftext|>"),
    eos_token_id: id("<|endoftext|>"),
    pad_token_id: id("<|endoftext|>"),
    decoder_start_token_id: id("<|startoftranscript|>"),
    is_multilingual: isMultilingual,
    ...(isMultilingual
      ? {
          lang_to_id: Object.fromEntries(tokenizer.languages.map((code) => [`<|${code}|>`, id(`<|${code}|>`)])),
          task_to_id: { transcribe: id("<|transcribe|>"), translate: id("<|translate|>") },
        }
      : {}),
    no_timestamps_token_id: id("<|notimestamps|>"),
    prev_sot_token_id: id("<|startofprev|>"),
    max_initial_timestamp_index: 50,
    max_length: dims.nTextCtx,
    return_timestamps: false,
    suppress_tokens: ["startoftranscript", "translate", "transcribe", "startoflm", "startofprev", "nospeech"].map(
      (name) => id(`<|${name}|>`),
    ),
    begin_suppress_tokens: [220, id("<|endoftext|>")],
    alignment_heads: upperHalf.flatMap((layer) => Array.from({ length: dims.nTextHead }, (_, head) => [layer, head])),
  };
}

function preprocessorConfig(dims: ModelDimensions): unknown {
  return {
    feature_extractor_type: "WhisperFeatureExtractor",
    processor_class: "WhisperProcessor",
    feature_size: dims.nMels,
    sampling_rate: 16000,
    hop_length: 160,
    n_fft: 400,
    chunk_length: 30,
    n_samples: 480000,
    nb_max_frames: 3000,
    padding_side: "right",
    padding_value: 0,
    return_attention_mask: false,
  };
}
