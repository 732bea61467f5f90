// Runs the fast layout: the audio's keys and values once per window, and logits only where they are read.

import type { AudioFeatures, Inference, Logits, ModelDimensions, WhisperGraph } from "./graph.ts";
import { textCacheNames } from "./onnx/fast-layout-writer.ts";
import type { FastLayoutFiles } from "./onnx/optimize.ts";
import { type GraphSession, openSession, type SessionOptions, Tensor } from "./session.ts";

type Cache = Readonly<Record<string, Tensor>>;

interface Features extends AudioFeatures {
  /** Keys and values of the cross-attention, [nAudio, heads, nAudioCtx, headState] each; made at the first use. */
  audioCache?: Promise<Cache>;
}

interface Sessions {
  readonly encoder: GraphSession;
  readonly audioCache: GraphSession;
  readonly decoder: GraphSession;
}

/**
 * Its `logits` gives the last position and that of `startOfTranscript`, where a prompt stands before it, and no other.
 * @param startOfTranscript token id
 * @throws InferenceError as openSession
 */
export async function openFastLayout(
  files: FastLayoutFiles,
  dims: ModelDimensions,
  options: SessionOptions,
  startOfTranscript: number,
): Promise<WhisperGraph> {
  const opened: GraphSession[] = [];
  const open = async (path: string) => {
    const session = await openSession(path, options);
    opened.push(session);
    return session;
  };
  const close = async () => {
    for (const session of opened) await session.close();
  };
  try {
    const encoder = await open(files.encoder);
    const sessions = { encoder, audioCache: await open(files.audioCache), decoder: await open(files.decoder) };
    return {
      description: `${options.device === "cpu" ? "CPU" : options.device}, ${files.precision}, fast layout`,
      encode: (mel, nAudio) => encode(encoder, dims, mel, nAudio),
      decode: (features, indices) => startDecoding(sessions, dims, features as Features, indices, startOfTranscript),
      givesAttentions: async () => false,
      align() {
        throw new RangeError("the fast layout gives no cross-attentions");
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function encode(
  encoder: GraphSession,
  dims: ModelDimensions,
  mel: Float32Array,
  nAudio: number,
): Promise<AudioFeatures> {
  const shape = [nAudio, dims.nMels, mel.length / (nAudio * dims.nMels)];
  const hidden = (await encoder.run({ mel: new Tensor("float32", mel, shape) }))["audio_features"]!;
  const features: Features = { nAudio, hidden, toFloat32: async () => floats(hidden) };
  return features;
}

function startDecoding(
  sessions: Sessions,
  dims: ModelDimensions,
  features: Features,
  indices: readonly number[],
  startOfTranscript: number,
): Inference {
  /** The window that each row listens to. */
  let windows = indices;
  /** The row of `past` that each row continues; put in order only when the next pass needs it. */
  let sources = indices.map((_, row) => row);
  let past: Cache = emptyPast(dims, indices.length);
  let nPast = 0;
  let heard: { readonly audios: string; readonly cache: Cache } | undefined;

  /** Keys and values of the audio, once for neighbouring rows that listen to the same window. */
  async function hear(): Promise<Cache> {
    const audios = sharedWindows(windows);
    if (heard?.audios === audios.join()) return heard.cache;
    features.audioCache ??= sessions.audioCache.run({ audio_features: features.hidden });
    const cache = takeRows(await features.audioCache, audios, features.nAudio);
    heard = { audios: audios.join(), cache };
    return cache;
  }

  return {
    async logits(tokens) {
      const nNew = tokens[0]!.length;
      const last = nNew - 1;
      const start = tokens[0]!.indexOf(startOfTranscript);
      const wanted = start < 0 || start === last ? [last] : [start, last];
      const outputs = await sessions.decoder.run({
        tokens: int64(tokens.flat(), [tokens.length, nNew]),
        positions: int64(
          Array.from({ length: nNew }, (_, i) => nPast + i),
          [nNew],
        ),
        wanted: int64(wanted, [wanted.length]),
        ...takeRows(past, sources, rowsOf(past)),
        ...(await hear()),
      });
      past = Object.fromEntries(textCacheNames(dims).map((name) => [`past_${name}`, outputs[`present_${name}`]!]));
      sources = tokens.map((_, row) => row);
      nPast += nNew;
      return viewLogits(outputs["logits"]!, nNew, wanted);
    },
    rearrange(sourceIndices) {
      sources = sourceIndices.map((source) => sources[source]!);
      windows = sourceIndices.map((source) => windows[source]!);
    },
    release() {
      past = {};
      heard = undefined;
    },
  };
}

/** One window for each group of rows when all groups are neighbours and equally large, else one for each row. */
function sharedWindows(windows: readonly number[]): readonly number[] {
  const groups = windows.filter((window, row) => row === 0 || window !== windows[row - 1]);
  const size = windows.length / groups.length;
  const isEven = Number.isInteger(size) && windows.every((window, row) => window === groups[Math.floor(row / size)]);
  return isEven ? groups : windows;
}

function emptyPast(dims: ModelDimensions, rows: number): Cache {
  const shape = [rows, dims.nTextHead, 0, dims.nTextState / dims.nTextHead];
  return Object.fromEntries(
    textCacheNames(dims).map((name) => [`past_${name}`, new Tensor("float32", new Float32Array(0), shape)]),
  );
}

function rowsOf(cache: Cache): number {
  return Object.values(cache)[0]?.dims[0] ?? 0;
}

/** Rows of the first dimension of every tensor, in the given order; the same tensors when that changes nothing. */
function takeRows(cache: Cache, rows: readonly number[], count: number): Cache {
  if (rows.length === count && rows.every((row, i) => row === i)) return cache;
  return Object.fromEntries(
    Object.entries(cache).map(([name, tensor]) => {
      const size = tensor.size / count;
      const values = floats(tensor);
      const taken = new Float32Array(rows.length * size);
      rows.forEach((row, i) => {
        taken.set(values.subarray(row * size, (row + 1) * size), i * size);
      });
      return [name, new Tensor("float32", taken, [rows.length, ...tensor.dims.slice(1)])];
    }),
  );
}

function viewLogits(tensor: Tensor, nTokens: number, wanted: readonly number[]): Logits {
  const values = floats(tensor);
  const [nBatch, , nVocab] = tensor.dims as [number, number, number];
  return {
    nBatch,
    nTokens,
    at(batch, token) {
      const index = wanted.indexOf(token);
      if (index < 0)
        throw new RangeError(`logits of position ${token} were not computed, only of ${wanted.join(", ")}`);
      const start = (batch * wanted.length + index) * nVocab;
      return values.subarray(start, start + nVocab);
    },
  };
}

function floats(tensor: Tensor): Float32Array {
  return tensor.data as Float32Array;
}

function int64(values: readonly number[], shape: readonly number[]): Tensor {
  return new Tensor("int64", BigInt64Array.from(values, BigInt), shape);
}
