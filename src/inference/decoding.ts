// One 30 s window of audio features into tokens and text. Ref: openai/whisper decoding.py.

import { deflate } from "pako";
import { UserError } from "../core/errors.ts";
import { CHUNK_LENGTH } from "./audio.ts";
import type { AudioFeatures, GreedyRun, Inference, ModelDimensions, WhisperGraph } from "./graph.ts";
import { decodeByLogits, probabilityOf } from "./greedy.ts";
import {
  type LogitFilter,
  logSumExp,
  pairTimestamps,
  preferTimestamps,
  suppressBlank,
  suppressTokens,
  tabulate,
} from "./logit-filters.ts";
import { promptBudget } from "./prompt.ts";
import { seededRandom } from "./random.ts";
import { beamSearchDecoder, greedyDecoder, rankByLikelihood, type Sequence, untilEnd } from "./token-decoders.ts";
import type { Task, Tokenizer } from "./tokenizer.ts";

/** What decoding needs of a loaded model. */
export interface Model {
  readonly dims: ModelDimensions;
  readonly tokenizer: Tokenizer;
  readonly graph: WhisperGraph;
}

/** With openai/whisper's meaning and defaults. */
export interface DecodingOptions {
  readonly language: string;
  readonly task?: Task;
  readonly temperature?: number;
  /** The most tokens to sample; half the decoder's context by default. */
  readonly sampleLen?: number;
  /** Independent samples to draw when the temperature is above 0. */
  readonly bestOf?: number;
  /** Beams when the temperature is 0; greedy when left out. */
  readonly beamSize?: number;
  readonly patience?: number;
  readonly lengthPenalty?: number;
  /** Tokens of the text before this window; only the last 223 are used. */
  readonly prompt?: readonly number[];
  /** Text with which this window begins. */
  readonly prefix?: string;
  /** Ids; -1 stands for everything that is not speech. */
  readonly suppressTokens?: readonly number[];
  readonly suppressBlank?: boolean;
  readonly withoutTimestamps?: boolean;
  /** Seconds. */
  readonly maxInitialTimestamp?: number;
  /** Makes sampling repeatable. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

export interface DecodingResult {
  readonly tokens: readonly number[];
  readonly text: string;
  readonly avgLogprob: number;
  /** NaN when the model has no token for it. */
  readonly noSpeechProb: number;
  readonly temperature: number;
  readonly compressionRatio: number;
}

const MAX_INITIAL_TIMESTAMP = 1.0;

/**
 * Decodes window `index` of the audio features.
 * @throws UserError bad_option
 */
export async function decode(
  model: Model,
  features: AudioFeatures,
  index: number,
  options: DecodingOptions,
): Promise<DecodingResult> {
  const [result] = await decodeBatch(model, features, [index], options);
  return result!;
}

/**
 * Decodes several windows with the same prompt and options: greedily all together, so that the weights are read once for
 * all of them, otherwise one after the other. Each window's result is that of decoding it alone.
 * @returns one result for each index
 * @throws UserError bad_option
 */
export async function decodeBatch(
  model: Model,
  features: AudioFeatures,
  indices: readonly number[],
  options: DecodingOptions,
): Promise<readonly DecodingResult[]> {
  verifyOptions(options);
  const isGreedy = !options.temperature && !options.beamSize;
  const batches = isGreedy && indices.length > 0 ? [indices] : indices.map((index) => [index]);
  const results: DecodingResult[] = [];
  for (const batch of batches) {
    const inference = model.graph.decode(features, batch);
    try {
      const decoded = isGreedy
        ? await decodeGreedily(model, inference, batch.length, options)
        : [await search(model, inference, options)];
      results.push(...decoded.map((one) => describe(one, options.temperature ?? 0, model.tokenizer)));
    } finally {
      inference.release();
    }
  }
  return results;
}

function describe({ tokens, sumLogprob, noSpeechProb }: GreedyRun, temperature: number, tokenizer: Tokenizer) {
  const text = tokenizer.decode(tokens).trim();
  return {
    tokens,
    text,
    avgLogprob: sumLogprob / (tokens.length + 1),
    noSpeechProb,
    temperature,
    compressionRatio: compressionRatio(text),
  };
}

/** The most tokens to sample: what was asked for, or what the context has room for. */
function sampleLenOf({ dims }: Model, initialTokens: readonly number[], options: DecodingOptions): number {
  const wanted = options.sampleLen ?? Math.floor(dims.nTextCtx / 2);
  return Math.max(1, Math.min(wanted, dims.nTextCtx - initialTokens.length + 1));
}

async function decodeGreedily(
  model: Model,
  inference: Inference,
  nRows: number,
  options: DecodingOptions,
): Promise<readonly GreedyRun[]> {
  const { tokenizer, dims } = model;
  const initialTokens = getInitialTokens(model, options);
  const rows = new Array<number[]>(nRows).fill(initialTokens);
  const sampleLen = sampleLenOf(model, initialTokens, options);
  const filters = getLogitFilters(model, options);
  if (!inference.greedy) {
    const all = [...filters.fixed, ...filters.onLogits];
    return decodeByLogits(inference, rows, all, tokenizer, sampleLen, options.signal);
  }
  const { eot, noSpeech, timestampBegin } = tokenizer;
  const masks = tabulate(filters.fixed, timestampBegin, dims.nVocab);
  const rules = { masks, eot, noSpeech, timestampBegin, timestamps: filters.onLogits.length > 0 };
  const runs = await inference.greedy(rows, rules, sampleLen, options.signal);
  return runs.map((run) => untilEnd(run, eot));
}

/** Beam search, or sampling of one sequence or several: the best of the candidates. */
async function search(model: Model, inference: Inference, options: DecodingOptions): Promise<GreedyRun> {
  const { tokenizer } = model;
  const initialTokens = getInitialTokens(model, options);
  const sampleLen = sampleLenOf(model, initialTokens, options);
  const { fixed, onLogits } = getLogitFilters(model, options);
  const filters = [...fixed, ...onLogits];
  const nGroup = options.beamSize ?? options.bestOf ?? 1;
  const decoder = options.beamSize
    ? beamSearchDecoder(options.beamSize, tokenizer.eot, options.patience)
    : greedyDecoder(options.temperature ?? 0, tokenizer.eot, seededRandom(options.seed ?? 0));

  // The rows of a group begin alike: one row is computed and then shared.
  const first = await inference.logits([initialTokens]);
  const noSpeechProb = probabilityOf(tokenizer.noSpeech, first.at(0, initialTokens.indexOf(tokenizer.sot)));
  if (nGroup > 1) inference.rearrange(new Array<number>(nGroup).fill(0));
  const lastRow = first.at(0, initialTokens.length - 1);
  let logits = Array.from({ length: nGroup }, (_, row) => (row === 0 ? lastRow : lastRow.slice()));
  let sequences: readonly Sequence[] = logits.map(() => ({ tokens: [], sumLogprob: 0 }));

  for (let i = 0; ; ) {
    logits.forEach((row, k) => {
      for (const filter of filters) filter(row, sequences[k]!.tokens);
    });
    const step = decoder.update(sequences, logits);
    sequences = step.sequences;
    i++;
    if (step.completed || i >= sampleLen) break;
    options.signal?.throwIfAborted();

    if (step.sources.some((source, row) => source !== row)) inference.rearrange(step.sources);
    const next = await inference.logits(sequences.map((sequence) => [sequence.tokens.at(-1)!]));
    logits = sequences.map((_, row) => next.at(row, 0));
  }
  const candidates = decoder.finalize(sequences);
  return { ...candidates[rankByLikelihood(candidates, options.lengthPenalty)]!, noSpeechProb };
}

function verifyOptions(options: DecodingOptions): void {
  const problem = (text: string) => new UserError("bad_option", text);
  const { beamSize, bestOf, temperature, patience, lengthPenalty } = options;
  if (beamSize !== undefined && bestOf !== undefined) throw problem("beam_size and best_of cannot be given together.");
  if (!temperature && bestOf !== undefined) throw problem("best_of needs a temperature above 0.");
  if (patience !== undefined && beamSize === undefined) throw problem("patience needs a beam_size.");
  if (beamSize !== undefined && Math.round(beamSize * (patience ?? 1)) < 1) {
    throw problem(`beam_size ${beamSize} with patience ${patience ?? 1} leaves no candidate; both must be larger.`);
  }
  if (lengthPenalty !== undefined && !(lengthPenalty >= 0 && lengthPenalty <= 1)) {
    throw problem(`length_penalty must lie between 0 and 1, not ${lengthPenalty}.`);
  }
}

function getInitialTokens({ tokenizer, dims }: Model, options: DecodingOptions): number[] {
  const sot = tokenizer.sotSequence(options.language, options.task ?? "transcribe");
  const tokens = options.withoutTimestamps ? [...sot, tokenizer.noTimestamps] : sot;
  if (options.prefix) {
    const prefix = tokenizer.encode(` ${options.prefix.trim()}`);
    const room = Math.floor(dims.nTextCtx / 2) - (options.sampleLen ?? Math.floor(dims.nTextCtx / 2));
    tokens.push(...(room > 0 ? prefix.slice(-room) : prefix));
  }
  if (!options.prompt?.length) return tokens;
  return [tokenizer.sotPrev, ...options.prompt.slice(-promptBudget(dims.nTextCtx)), ...tokens];
}

interface Filters {
  /** What they forbid depends on the tokens before. */
  readonly fixed: readonly LogitFilter[];
  /** What they forbid depends on the logits, and on what the others forbade. */
  readonly onLogits: readonly LogitFilter[];
}

function getLogitFilters({ tokenizer, dims }: Model, options: DecodingOptions): Filters {
  const fixed: LogitFilter[] = [];
  if (options.suppressBlank ?? true) fixed.push(suppressBlank(tokenizer));
  const suppressed = options.suppressTokens ?? [-1];
  if (suppressed.length > 0) fixed.push(suppressTokens(getSuppressTokens(tokenizer, suppressed)));
  if (options.withoutTimestamps) return { fixed, onLogits: [] };
  const precision = CHUNK_LENGTH / dims.nAudioCtx;
  const maxInitial = options.maxInitialTimestamp ?? MAX_INITIAL_TIMESTAMP;
  fixed.push(pairTimestamps(tokenizer, maxInitial > 0 ? Math.round(maxInitial / precision) : undefined));
  return { fixed, onLogits: [preferTimestamps(tokenizer)] };
}

function getSuppressTokens(tokenizer: Tokenizer, wanted: readonly number[]): number[] {
  const tokens = wanted.filter((token) => token >= 0);
  if (wanted.includes(-1)) tokens.push(...tokenizer.nonSpeechTokens);
  tokens.push(tokenizer.transcribe, tokenizer.translate, tokenizer.sot, tokenizer.sotPrev);
  if (tokenizer.sotLm !== undefined) tokens.push(tokenizer.sotLm);
  // The no-speech probability is read separately, from the logits at <|startoftranscript|>.
  if (tokenizer.noSpeech !== undefined) tokens.push(tokenizer.noSpeech);
  return tokens;
}

/**
 * Length of the text in UTF-8 over its length compressed with zlib: above 2.4 it repeats itself. Node's own zlib is
 * Chromium's, whose lengths differ from the reference's by up to 14%; pako's are the same.
 */
export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text, "utf8");
  return bytes.length / deflate(bytes).length;
}

/**
 * The language spoken in window `index`.
 * @param allowed codes to choose from; every language of the model when left out
 * @returns code -> probability, likeliest first
 * @throws UserError unsupported_language when no allowed one is known to the model
 */
export async function detectLanguage(
  model: Model,
  features: AudioFeatures,
  index: number,
  allowed?: readonly string[],
): Promise<Map<string, number>> {
  const { probabilities } = await languageVote(model, features, index, allowed);
  return new Map([...probabilities].sort(([, a], [, b]) => b - a));
}

/** As `detectLanguage`, together with the probability that anybody speaks, which the same token tells. */
export async function languageVote(
  model: Model,
  features: AudioFeatures,
  index: number,
  allowed?: readonly string[],
): Promise<{ readonly probabilities: ReadonlyMap<string, number>; readonly speech: number }> {
  const { tokenizer } = model;
  const languages = [...tokenizer.languages].filter(([code]) => !allowed?.length || allowed.includes(code));
  if (languages.length === 0) {
    throw new UserError(
      "unsupported_language",
      allowed?.length
        ? `The model knows none of the languages ${allowed.join(", ")}. Choose others, or another model.`
        : "This model knows English only. Choose a multilingual model to detect the language.",
    );
  }
  const inference = model.graph.decode(features, [index]);
  try {
    const logits = (await inference.logits([[tokenizer.sot]])).at(0, 0);
    const total = logSumExp(Float32Array.from(languages, ([, token]) => logits[token]!));
    const probabilities = languages.map(([code, token]) => [code, Math.exp(logits[token]! - total)] as const);
    const noSpeech = probabilityOf(tokenizer.noSpeech, logits);
    return { probabilities: new Map(probabilities), speech: Number.isNaN(noSpeech) ? 1 : 1 - noSpeech };
  } finally {
    inference.release();
  }
}
