// Runs Hugging Face's public layout: an encoder, and a decoder with past keys and values, merged or as a pair.

import type { Alignment, AudioFeatures, Inference, Logits, ModelDimensions, WhisperGraph } from "./graph.ts";
import { fromHalf, toHalf } from "./half.ts";
import { type Device, type GraphSession, halfTensor, openSession, type SessionOptions, Tensor } from "./session.ts";

/** Paths of the graphs; `withPast` is absent where the two decoders are merged behind `use_cache_branch`. */
export interface PublicLayoutFiles {
  readonly encoder: string;
  readonly decoder: string;
  readonly withPast?: string;
}

/** @throws InferenceError as openSession */
export async function openPublicLayout(
  files: PublicLayoutFiles,
  dims: ModelDimensions,
  options: SessionOptions,
  precision: string,
): Promise<WhisperGraph> {
  const sessions: GraphSession[] = [];
  const open = async (path: string) => {
    const session = await openSession(path, options);
    sessions.push(session);
    return session;
  };
  try {
    const encoder = await open(files.encoder);
    const decoder = await open(files.decoder);
    const withPast = files.withPast === undefined ? undefined : await open(files.withPast);
    const runs = createRuns(encoder, decoder, withPast, dims);
    return {
      description: describe(options.device, precision),
      takesShortWindows: false,
      givesAttentions: async () => decoder.outputs.has("cross_attentions.0"),
      encode: runs.encode,
      decode: runs.decode,
      align: runs.align,
      async close() {
        for (const session of sessions) await session.close();
      },
    };
  } catch (error) {
    for (const session of sessions) await session.close();
    throw error;
  }
}

/** Tensors of one window each as one of all. */
function joined(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  const shape = [parts.length, ...first!.dims.slice(1)];
  const arrays = parts.map(({ data }) => data as Float32Array | Uint16Array);
  const all = new (arrays[0]!.constructor as new (length: number) => Float32Array | Uint16Array)(
    arrays[0]!.length * parts.length,
  );
  for (const [i, array] of arrays.entries()) all.set(array, i * array.length);
  return all instanceof Uint16Array ? halfTensor(all, shape) : new Tensor("float32", all, shape);
}

function describe(device: Device, precision: string): string {
  return `${device === "cpu" ? "CPU" : device}, ${precision}, public layout`;
}

type Runs = Pick<WhisperGraph, "encode" | "decode" | "align">;

function createRuns(
  encoder: GraphSession,
  decoder: GraphSession,
  withPast: GraphSession | undefined,
  dims: ModelDimensions,
): Runs {
  const headSize = dims.nTextState / dims.nTextHead;
  const merged = decoder.inputs.has("use_cache_branch");
  const layers = Array.from({ length: dims.nTextLayer }, (_, layer) => layer);
  const selfNames = layers.flatMap((layer) => [`${layer}.decoder.key`, `${layer}.decoder.value`]);
  const crossNames = layers.flatMap((layer) => [`${layer}.encoder.key`, `${layer}.encoder.value`]);
  const kvType = floatType(decoder.outputs.get(`present.${selfNames[0]}`)?.type);

  /** One window of the features, as the decoder takes it. */
  function windowOf(features: AudioFeatures, indices: readonly number[]): Tensor {
    const { hidden, nAudio } = features;
    if (nAudio === indices.length && indices.every((index, row) => index === row)) return hidden;
    const size = dims.nAudioCtx * dims.nAudioState;
    const source = hidden.data as FloatData;
    const rows = sliceRows(source, indices, size);
    return new Tensor(hidden.type as "float32", rows as Float32Array, [
      indices.length,
      dims.nAudioCtx,
      dims.nAudioState,
    ]);
  }

  /** The pass that fills the cache: all initial tokens, no past. */
  function firstPass(tokens: readonly (readonly number[])[], hidden: Tensor, fetches?: readonly string[]) {
    const feeds: Record<string, Tensor> = { input_ids: int64(tokens) };
    if (decoder.inputs.has("encoder_hidden_states")) feeds["encoder_hidden_states"] = hidden;
    if (merged) {
      feeds["use_cache_branch"] = new Tensor("bool", [false], [1]);
      for (const name of [...selfNames, ...crossNames]) {
        feeds[`past_key_values.${name}`] = floatTensor(kvType, new Float32Array(0), [
          tokens.length,
          dims.nTextHead,
          0,
          headSize,
        ]);
      }
    }
    return decoder.run(feeds, fetches);
  }

  return {
    async encode(mel, nAudio, signal) {
      const type = floatType(encoder.inputs.get("input_features")?.type);
      const frames = mel.length / (nAudio * dims.nMels);
      // On a CPU several together take no less time, and nothing could stop them.
      const together = encoder.device === "cpu" ? 1 : nAudio;
      const size = together * dims.nMels * frames;
      const parts: Tensor[] = [];
      for (let at = 0; at < mel.length; at += size) {
        signal?.throwIfAborted();
        const part = floatTensor(type, mel.subarray(at, at + size), [together, dims.nMels, frames]);
        parts.push((await encoder.run({ input_features: part }, ["last_hidden_state"]))["last_hidden_state"]!);
      }
      const hidden = parts.length === 1 ? parts[0]! : joined(parts);
      return { nAudio, positions: dims.nAudioCtx, hidden, toFloat32: async () => toFloat32(hidden), release() {} };
    },

    decode(features, indices): Inference {
      const hidden = windowOf(features, indices);
      let past: Map<string, Tensor> | undefined;
      // The with-past graph takes the audio features but does not read them; only the batch size must agree.
      let hiddenRows = hidden;

      function keep(outputs: Record<string, Tensor>, names: readonly string[]): void {
        past ??= new Map();
        for (const name of names) past.set(name, outputs[`present.${name}`]!);
      }

      return {
        async logits(tokens) {
          if (!past) {
            const outputs = await firstPass(tokens, hidden);
            keep(outputs, [...selfNames, ...crossNames]);
            return viewLogits(outputs["logits"]!);
          }
          const session = withPast ?? decoder;
          const feeds: Record<string, Tensor> = { input_ids: int64(tokens) };
          for (const [name, tensor] of past) feeds[`past_key_values.${name}`] = tensor;
          if (session.inputs.has("encoder_hidden_states")) feeds["encoder_hidden_states"] = hiddenRows;
          if (merged) feeds["use_cache_branch"] = new Tensor("bool", [true], [1]);
          // The cross-attention's keys and values never change: those of the first pass are fed again and again.
          const outputs = await session.run(feeds, ["logits", ...selfNames.map((name) => `present.${name}`)]);
          keep(outputs, selfNames);
          return viewLogits(outputs["logits"]!);
        },
        rearrange(sourceIndices) {
          if (sourceIndices.length !== hiddenRows.dims[0]) hiddenRows = takeRows(hidden, sourceIndices);
          if (!past) return;
          for (const [name, tensor] of past) past.set(name, takeRows(tensor, sourceIndices));
        },
        release() {
          past = undefined;
        },
      };
    },

    async align(features, index, tokens, heads): Promise<Alignment> {
      const wanted = [...new Set(heads.map(([layer]) => `cross_attentions.${layer}`))];
      const outputs = await firstPass([tokens], windowOf(features, [index]), ["logits", ...wanted]);
      const size = tokens.length * dims.nAudioCtx;
      const attentions = heads.map(([layer, head]) =>
        toFloat32(outputs[`cross_attentions.${layer}`]!).slice(head * size, (head + 1) * size),
      );
      return { logits: viewLogits(outputs["logits"]!), attentions };
    },
  };
}

// ---- tensors

type FloatType = "float32" | "float16";
/** Halves come as bits, or as Float16Array from Node 24 on. */
type FloatData = Float32Array | Uint16Array;

function floatType(type: Tensor.Type | undefined): FloatType {
  return type === "float16" ? "float16" : "float32";
}

function floatTensor(type: FloatType, values: Float32Array, shape: readonly number[]): Tensor {
  return type === "float16" ? halfTensor(toHalf(values), shape) : new Tensor("float32", values, shape);
}

function toFloat32(tensor: Tensor): Float32Array {
  const data = tensor.data as FloatData;
  if (data instanceof Float32Array) return data;
  return data instanceof Uint16Array ? fromHalf(data) : Float32Array.from(data);
}

function int64(tokens: readonly (readonly number[])[]): Tensor {
  const values = BigInt64Array.from(tokens.flat(), (token) => BigInt(token));
  return new Tensor("int64", values, [tokens.length, tokens[0]!.length]);
}

function viewLogits(tensor: Tensor): Logits {
  const data = toFloat32(tensor);
  const [nBatch, nTokens, nVocab] = tensor.dims as [number, number, number];
  return {
    nBatch,
    nTokens,
    at(batch, token) {
      const start = (batch * nTokens + token) * nVocab;
      return data.subarray(start, start + nVocab);
    },
  };
}

function sliceRows(data: FloatData, rows: readonly number[], size: number): FloatData {
  const taken = new (data.constructor as new (length: number) => FloatData)(rows.length * size);
  rows.forEach((row, i) => {
    taken.set(data.subarray(row * size, (row + 1) * size), i * size);
  });
  return taken;
}

/** Rows of the first dimension, in the given order. */
function takeRows(tensor: Tensor, rows: readonly number[]): Tensor {
  const [count, ...rest] = tensor.dims;
  const data = sliceRows(tensor.data as FloatData, rows, tensor.size / count!);
  const shape = [rows.length, ...rest];
  return data instanceof Float32Array ? new Tensor("float32", data, shape) : halfTensor(data, shape);
}
