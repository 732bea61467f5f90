// Runs the fast layout: the audio's keys and values once per window, and logits only where they are read.

import {
  type Alignment,
  type AudioFeatures,
  type GreedyRun,
  type Inference,
  type Logits,
  type ModelDimensions,
  TOKEN_STATES,
  type TokenRules,
  type WhisperGraph,
} from "./graph.ts";
import { scoresName, textCacheNames } from "./onnx/fast-layout-writer.ts";
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
      givesAttentions: async () => true,
      align: (features, index, tokens, heads) => align(sessions, dims, features as Features, index, tokens, heads),
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
  let heard: { readonly audios: string; readonly cache: Cache } | undefined;

  /** Keys and values of the audio, once for neighbouring rows that listen to the same window. */
  async function hear(): Promise<Cache> {
    const audios = sharedWindows(windows);
    if (heard?.audios === audios.join()) return heard.cache;
    const cache = takeRows(await audioCacheOf(sessions, features), audios, features.nAudio);
    heard = { audios: audios.join(), cache };
    return cache;
  }

  async function run(feeds: Record<string, Tensor>, outputs: readonly string[]): Promise<Record<string, Tensor>> {
    const names = textCacheNames(dims);
    const feed = { ...feeds, ...takeRows(past, sources, rowsOf(past)), ...(await hear()) };
    const results = await sessions.decoder.run(feed, [...outputs, ...names.map((name) => `final_${name}`)]);
    past = Object.fromEntries(names.map((name) => [`past_${name}`, results[`final_${name}`]!]));
    sources = windows.map((_, row) => row);
    return results;
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
    async greedy(tokens, rules, sampleLen, signal): Promise<GreedyRun> {
      const sampled: number[] = [];
      let sumLogprob = 0;
      let noSpeechProb = Number.NaN;
      let feeds: Record<string, Tensor> = {
        ...choiceFeeds(rules, dims.nVocab),
        tokens: int64(tokens, [1, tokens.length]),
        wanted: int64(wantedPositions(tokens, startOfTranscript), [2]),
      };
      let turns = FIRST_TURNS;
      while (sampled.length < sampleLen && sampled.at(-1) !== rules.eot) {
        signal?.throwIfAborted();
        const startedAt = performance.now();
        const outputs = await run({ ...feeds, turns: scalar(Math.min(turns, sampleLen - sampled.length)) }, CHOSEN);
        const newTokens = Array.from(outputs["sampled_tokens"]!.data as BigInt64Array, Number);
        for (const logprob of floats(outputs["sampled_logprobs"]!)) sumLogprob += logprob;
        if (sampled.length === 0 && rules.noSpeech !== undefined) {
          noSpeechProb = floats(outputs["final_no_speech_prob"]!)[0]!;
        }
        sampled.push(...newTokens);
        const msPerTurn = (performance.now() - startedAt) / newTokens.length;
        turns = Math.max(MIN_TURNS, Math.min(MAX_TURNS, Math.round(CALL_MS / msPerTurn)));
        feeds = {
          ...feeds,
          tokens: int64([sampled.at(-1)!], [1, 1]),
          wanted: int64([0], [1]),
          state: outputs["final_state"]!,
          last_timestamp: outputs["final_last_timestamp"]!,
        };
      }
      return { tokens: sampled, sumLogprob, noSpeechProb };
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
    ...takeRows(await audioCacheOf(sessions, features), [index], features.nAudio),
  };
  const outputs = await sessions.decoder.run(feeds, [
    "final_logits",
    ...layers.map((layer) => `final_${scoresName(layer)}`),
  ]);
  const size = tokens.length * dims.nAudioCtx;
  const attentions = heads.map(([layer, head]) => {
    const scores = floats(outputs[`final_${scoresName(layer)}`]!).subarray(head * size, (head + 1) * size);
    return softmaxRows(scores, dims.nAudioCtx);
  });
  return { logits: viewLogits(outputs["final_logits"]!, tokens.length, everywhere), attentions };
}

function audioCacheOf(sessions: Sessions, features: Features): Promise<Cache> {
  features.audioCache ??= sessions.audioCache.run({ audio_features: features.hidden });
  return features.audioCache;
}

/** Tokens that one call samples, in about `CALL_MS`: between two calls an abort is heard. */
const FIRST_TURNS = 16;
const MIN_TURNS = 4;
const MAX_TURNS = 64;
const CALL_MS = 300;
const CHOSEN = ["sampled_tokens", "sampled_logprobs", "final_no_speech_prob", "final_state", "final_last_timestamp"];

/** The last position, and that of `startOfTranscript`, first, where it is another. */
function wantedPositions(tokens: readonly number[], startOfTranscript: number): number[] {
  const last = tokens.length - 1;
  const start = tokens.indexOf(startOfTranscript);
  return start < 0 || start === last ? [last] : [start, last];
}

function choiceFeeds(rules: TokenRules, nVocab: number): Record<string, Tensor> {
  const { masks, eot, noSpeech, timestampBegin, timestamps } = rules;
  return {
    masks: new Tensor("float32", masks, [masks.length / nVocab, nVocab]),
    eot: scalar(eot),
    no_speech: scalar(noSpeech ?? 0),
    timestamp_begin: int64([timestampBegin], [1]),
    timestamps: new Tensor("bool", [timestamps], [1]),
    state: int64([TOKEN_STATES.first], [1]),
    last_timestamp: int64([timestampBegin - 1], [1, 1]),
  };
}

/** For passes whose logits are read outside, while the graph's own choice is not. */
function anyToken(rows: number): Record<string, Tensor> {
  return {
    masks: new Tensor("float32", new Float32Array(1), [1, 1]),
    eot: scalar(0),
    no_speech: scalar(0),
    timestamp_begin: int64([1], [1]),
    timestamps: new Tensor("bool", [false], [1]),
    state: int64(new Array<number>(rows).fill(0), [rows]),
    last_timestamp: int64(new Array<number>(rows).fill(0), [rows, 1]),
  };
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

function scalar(value: number): Tensor {
  return new Tensor("int64", BigInt64Array.of(BigInt(value)), []);
}

function int64(values: readonly number[], shape: readonly number[]): Tensor {
  return new Tensor("int64", BigInt64Array.from(values, BigInt), shape);
}
