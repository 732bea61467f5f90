// Runs the fast layout: the audio's keys and values once per window, and logits only where they are read.

import type { Alignment, AudioFeatures, Inference, Logits, ModelDimensions, WhisperGraph } from "./graph.ts";
import { anyToken, runGreedyLoop } from "./greedy-loop.ts";
import { audioCacheNames, scoresName, textCacheNames } from "./onnx/fast-layout-writer.ts";
import type { FastLayoutFiles } from "./onnx/optimize.ts";
import { type GraphSession, openSession, type SessionOptions, Tensor } from "./session.ts";
import { floats, int64, scalar, takeRows } from "./tensors.ts";

type Cache = Readonly<Record<string, Tensor>>;

interface Features extends AudioFeatures {
  /** Keys and values of the cross-attention, [nAudio, heads, positions, headState] each; made at the first use. */
  audioCache?: Cache;
}

/** The arrays of the features that were released last, for the next ones. */
type Spare = Float32Array[];

interface Sessions {
  readonly spare: Spare;
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
    const sessions: Sessions = {
      spare: [],
      encoder,
      audioCache: await open(files.audioCache),
      decoder: await open(files.decoder),
    };
    return {
      description: `${options.device === "cpu" ? "CPU" : options.device}, ${files.precision}, fast layout`,
      encode: (mel, nAudio, signal) => encode(sessions, dims, mel, nAudio, signal),
      decode: (features, indices) => startDecoding(sessions, dims, features as Features, indices, startOfTranscript),
      takesShortWindows: true,
      givesAttentions: async () => true,
      align: (features, index, tokens, heads) => align(sessions, dims, features as Features, index, tokens, heads),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * One window after the other: together they take longer (tiny in 8 bits 160 ms a window instead of 137), since what one
 * layer leaves behind no longer fits the cache, and the 8-bit product would round them all by one scale.
 */
async function encode(
  { encoder, spare }: Sessions,
  dims: ModelDimensions,
  mel: Float32Array,
  nAudio: number,
  signal: AbortSignal | undefined,
): Promise<AudioFeatures> {
  const frames = mel.length / (nAudio * dims.nMels);
  const positions = frames / 2;
  const hidden = take(spare, nAudio, positions, dims.nAudioState);
  const windows = new Tensor("float32", mel, [nAudio, dims.nMels, frames]);
  for (let i = 0; i < nAudio; i++) {
    signal?.throwIfAborted();
    await encoder.run({ mel: window(windows, i) }, { audio_features: window(hidden, i) });
  }
  let isReleased = false;
  const features: Features = {
    nAudio,
    positions,
    hidden,
    // A copy, because the array will hold other features one day.
    toFloat32: async () => floats(hidden).slice(),
    release() {
      if (isReleased) return;
      isReleased = true;
      const tensors = [hidden, ...Object.values(features.audioCache ?? {})];
      spare.splice(0, spare.length, ...tensors.map(floats));
      delete features.audioCache;
    },
  };
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
  let heard: { readonly audios: string; readonly cache: Cache } | undefined;

  /** Keys and values of the audio, once for neighbouring rows that listen to the same window. */
  async function hear(): Promise<Cache> {
    const audios = sharedWindows(windows);
    if (heard?.audios === audios.join()) return heard.cache;
    const cache = rowsOfAll(await audioCacheOf(sessions, dims, features), audios, features.nAudio);
    heard = { audios: audios.join(), cache };
    return cache;
  }

  async function run(feeds: Record<string, Tensor>, outputs: readonly string[]): Promise<Record<string, Tensor>> {
    const names = textCacheNames(dims);
    const feed = { ...feeds, ...rowsOfAll(past, sources, rowsOf(past)), ...(await hear()) };
    const results = await sessions.decoder.run(feed, [...outputs, ...names.map((name) => `final_${name}`)]);
    past = Object.fromEntries(names.map((name) => [`past_${name}`, results[`final_${name}`]!]));
    sources = windows.map((_, row) => row);
    return results;
  }

  function rearrange(sourceIndices: readonly number[]): void {
    sources = sourceIndices.map((source) => sources[source]!);
    windows = sourceIndices.map((source) => windows[source]!);
  }

  return {
    async logits(tokens) {
      const nNew = tokens[0]!.length;
      const wanted = wantedPositions(tokens[0]!, startOfTranscript);
      const feeds = {
        turns: scalar(1),
        tokens: int64(tokens.flat(), [tokens.length, nNew]),
        ...anyToken(tokens.length),
      };
      const outputs = await run({ ...feeds, wanted: int64(wanted, [wanted.length]) }, ["final_logits"]);
      return viewLogits(outputs["final_logits"]!, nNew, wanted);
    },
    greedy(rows, rules, sampleLen, signal) {
      const wanted = wantedPositions(rows[0]!, startOfTranscript);
      return runGreedyLoop({ run, keep: rearrange }, rows, wanted, rules, sampleLen, signal);
    },
    rearrange,
    release() {
      past = {};
      heard = undefined;
    },
  };
}

/** One pass over known tokens, with the scores of the cross-attention. */
async function align(
  sessions: Sessions,
  dims: ModelDimensions,
  features: Features,
  index: number,
  tokens: readonly number[],
  heads: readonly (readonly [number, number])[],
): Promise<Alignment> {
  const layers = [...new Set(heads.map(([layer]) => layer))];
  const everywhere = tokens.map((_, i) => i);
  const feeds = {
    turns: scalar(1),
    tokens: int64(tokens, [1, tokens.length]),
    wanted: int64(everywhere, [tokens.length]),
    ...anyToken(1),
    ...emptyPast(dims, 1),
    ...rowsOfAll(await audioCacheOf(sessions, dims, features), [index], features.nAudio),
  };
  const outputs = await sessions.decoder.run(feeds, [
    "final_logits",
    ...layers.map((layer) => `final_${scoresName(layer)}`),
  ]);
  const size = tokens.length * features.positions;
  const attentions = heads.map(([layer, head]) => {
    const scores = floats(outputs[`final_${scoresName(layer)}`]!).subarray(head * size, (head + 1) * size);
    return softmaxRows(scores, features.positions);
  });
  return { logits: viewLogits(outputs["final_logits"]!, tokens.length, everywhere), attentions };
}

async function audioCacheOf(
  { audioCache, spare }: Sessions,
  dims: ModelDimensions,
  features: Features,
): Promise<Cache> {
  if (features.audioCache) return features.audioCache;
  const { nAudio, positions, hidden } = features;
  const headState = dims.nTextState / dims.nTextHead;
  const caches = audioCacheNames(dims).map(
    (name) => [name, take(spare, nAudio, dims.nTextHead, positions, headState)] as const,
  );
  for (let i = 0; i < nAudio; i++) {
    const into = Object.fromEntries(caches.map(([name, cache]) => [name, window(cache, i)]));
    await audioCache.run({ audio_features: window(hidden, i) }, into);
  }
  features.audioCache = Object.fromEntries(caches);
  return features.audioCache;
}

/** Every value of it is written before it is read. */
function take(spare: Spare, ...shape: number[]): Tensor {
  const size = shape.reduce((product, n) => product * n, 1);
  const index = spare.findIndex(({ length }) => length === size);
  const values = index < 0 ? new Float32Array(size) : spare.splice(index, 1)[0]!;
  return new Tensor("float32", values, shape);
}

/** One row of the first dimension, in place: what is written to it is written to the whole. */
function window(tensor: Tensor, index: number): Tensor {
  const [count = 1, ...rest] = tensor.dims;
  const size = tensor.size / count;
  return new Tensor("float32", floats(tensor).subarray(index * size, (index + 1) * size), [1, ...rest]);
}

/** The last position, and that of `startOfTranscript`, first, where it is another. */
function wantedPositions(tokens: readonly number[], startOfTranscript: number): number[] {
  const last = tokens.length - 1;
  const start = tokens.indexOf(startOfTranscript);
  return start < 0 || start === last ? [last] : [start, last];
}

/** exp(x) / sum(exp(x)) of every row of `columns` values. */
function softmaxRows(scores: Float32Array, columns: number): Float32Array {
  const probabilities = new Float32Array(scores.length);
  for (let start = 0; start < scores.length; start += columns) {
    let max = Number.NEGATIVE_INFINITY;
    for (let i = start; i < start + columns; i++) if (scores[i]! > max) max = scores[i]!;
    let sum = 0;
    for (let i = start; i < start + columns; i++) sum += probabilities[i] = Math.exp(scores[i]! - max);
    for (let i = start; i < start + columns; i++) probabilities[i]! /= sum;
  }
  return probabilities;
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

/** Rows of every tensor, in the given order; the same tensors when that changes nothing. */
function rowsOfAll(cache: Cache, rows: readonly number[], count: number): Cache {
  if (rows.length === count && rows.every((row, i) => row === i)) return cache;
  return Object.fromEntries(Object.entries(cache).map(([name, tensor]) => [name, takeRows(tensor, rows)]));
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
