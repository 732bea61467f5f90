// Decodes windows again, hotter, while the result repeats itself or is improbable. Ref: openai/whisper transcribe.py.

import { UserError } from "../core/errors.ts";
import { type DecodingOptions, type DecodingResult, decodeBatch, type Model } from "./decoding.ts";
import { defined } from "./defined.ts";
import type { AudioFeatures } from "./graph.ts";

export interface FallbackOptions {
  /** Tried in turn while a window fails the thresholds below. */
  readonly temperature?: number | readonly number[];
  /** Above this a window repeats itself and is decoded again; null: never. */
  readonly compressionRatioThreshold?: number | null;
  /** Below this mean log probability a window is decoded again; null: never. */
  readonly logprobThreshold?: number | null;
  /** Above this no-speech probability, and below the threshold before, a window is silence; null: never. */
  readonly noSpeechThreshold?: number | null;
}

/** A window to be decoded, each with its own prompt. */
export interface Row {
  /** Which window of the audio features. */
  readonly index: number;
  /** With beamSize and patience for temperature 0 and bestOf for the others. */
  readonly decoding: DecodingOptions;
}

export interface FallbackResult extends DecodingResult {
  /** The first attempt, where that was not good enough. */
  readonly rejected?: { readonly text: string; readonly kind: "compression_ratio" | "log_probability" };
}

const TEMPERATURES = [0, 0.2, 0.4, 0.6, 0.8, 1];

/** @returns one result for each row; the windows fall back independently of each other */
export async function decodeWithFallback(
  model: Model,
  features: AudioFeatures,
  rows: readonly Row[],
  options: FallbackOptions,
): Promise<FallbackResult[]> {
  const results: FallbackResult[] = [];
  const rejected = new Map<number, FallbackResult["rejected"]>();
  let open = rows.map((_, row) => row);
  for (const temperature of temperaturesOf(options)) {
    const decoded = await decodeRows(
      model,
      features,
      open.map((row) => at(temperature, rows[row]!)),
    );
    const failed: number[] = [];
    for (const [k, row] of open.entries()) {
      const result = decoded[k]!;
      results[row] = { ...result, ...defined({ rejected: rejected.get(row) }) };
      const kind = failure(result, options);
      if (kind === undefined) continue;
      failed.push(row);
      if (!rejected.has(row)) rejected.set(row, { text: result.text, kind });
    }
    open = failed;
    if (open.length === 0) break;
  }
  if (results.length === rows.length) return results;
  throw new UserError("bad_option", "temperature must hold at least one value, for example 0.");
}

export function temperaturesOf({ temperature }: FallbackOptions): readonly number[] {
  return [temperature ?? TEMPERATURES].flat();
}

function at(temperature: number, { index, decoding }: Row): Row {
  const { beamSize, patience, bestOf, ...rest } = decoding;
  const search = temperature > 0 ? { bestOf } : { beamSize, patience };
  return { index, decoding: { ...rest, ...defined(search), temperature } };
}

/** Those that differ in nothing but the window go together, which is quicker where nothing is drawn at random. */
async function decodeRows(model: Model, features: AudioFeatures, rows: readonly Row[]): Promise<DecodingResult[]> {
  const results: DecodingResult[] = [];
  const alike = new Map<string, number[]>();
  for (const [row, { decoding }] of rows.entries()) {
    const { signal: _, seed, temperature, ...rest } = decoding;
    const key = JSON.stringify([rest, temperature, temperature ? seed : 0]);
    alike.set(key, [...(alike.get(key) ?? []), row]);
  }
  for (const together of alike.values()) {
    const indices = together.map((row) => rows[row]!.index);
    const decoded = await decodeBatch(model, features, indices, rows[together[0]!]!.decoding);
    for (const [k, row] of together.entries()) results[row] = decoded[k]!;
  }
  return results;
}

/** Which threshold a result fails, if any. */
function failure(
  result: DecodingResult,
  options: FallbackOptions,
): "compression_ratio" | "log_probability" | undefined {
  const { compressionRatio, logprob, noSpeech } = thresholds(options);
  const improbable = logprob !== null && result.avgLogprob < logprob;
  if (noSpeech !== null && result.noSpeechProb > noSpeech && improbable) return undefined;
  if (compressionRatio !== null && result.compressionRatio > compressionRatio) return "compression_ratio";
  return improbable ? "log_probability" : undefined;
}

/** Whether the window holds no speech: the model says so, and what it wrote is improbable. */
export function isSilence(result: DecodingResult, options: FallbackOptions): boolean {
  const { logprob, noSpeech } = thresholds(options);
  if (noSpeech === null || !(result.noSpeechProb > noSpeech)) return false;
  return logprob === null || !(result.avgLogprob > logprob);
}

function thresholds(options: FallbackOptions) {
  return {
    compressionRatio: options.compressionRatioThreshold === undefined ? 2.4 : options.compressionRatioThreshold,
    logprob: options.logprobThreshold === undefined ? -1 : options.logprobThreshold,
    noSpeech: options.noSpeechThreshold === undefined ? 0.6 : options.noSpeechThreshold,
  };
}
