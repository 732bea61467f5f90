// Decodes a window again, hotter, while the result repeats itself or is improbable. Ref: openai/whisper transcribe.py.

import { UserError } from "../core/errors.ts";
import { type DecodingOptions, type DecodingResult, decode, type Model } from "./decoding.ts";
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

const TEMPERATURES = [0, 0.2, 0.4, 0.6, 0.8, 1];

/** @param decoding with beamSize and patience for temperature 0 and bestOf for the others */
export async function decodeWithFallback(
  model: Model,
  features: AudioFeatures,
  decoding: DecodingOptions,
  options: FallbackOptions,
): Promise<DecodingResult> {
  const { beamSize, patience, bestOf, ...rest } = decoding;
  let result: DecodingResult | undefined;
  for (const temperature of [options.temperature ?? TEMPERATURES].flat()) {
    const search = temperature > 0 ? { bestOf } : { beamSize, patience };
    result = await decode(model, features, 0, { ...rest, ...defined(search), temperature });
    if (!needsFallback(result, options)) break;
  }
  if (!result) throw new UserError("bad_option", "temperature must hold at least one value, for example 0.");
  return result;
}

function needsFallback(result: DecodingResult, options: FallbackOptions): boolean {
  const { compressionRatio, logprob, noSpeech } = thresholds(options);
  const improbable = logprob !== null && result.avgLogprob < logprob;
  if (noSpeech !== null && result.noSpeechProb > noSpeech && improbable) return false;
  return improbable || (compressionRatio !== null && result.compressionRatio > compressionRatio);
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
