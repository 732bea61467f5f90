// Which language a recording is in: a vote of several windows, with a prejudice against rare languages in short clips.
//
// The rule. Each window votes with the model's probabilities, weighted by how likely anybody speaks in it. A recording of
// several windows asks up to four more of them, spread over it, unless it is short and the first window is sure. What is
// not allowed gets no vote. In a clip of less than 30 s, and fully in one of up to 10 s, a language also has to be likely
// beforehand: the allowed ones, or else the channel's usual ones before English, English before the twenty languages that
// Whisper knows best, and these before all others. A sure model still overrules that.

import type { Segment } from "../core/transcript.ts";
import { FRAMES_PER_SECOND, N_FRAMES } from "./audio.ts";
import { languageVote, type Model } from "./decoding.ts";
import type { AudioFeatures } from "./graph.ts";

export interface LanguageOptions {
  /** Codes among which the language is detected; all by default. */
  readonly allowedLanguages?: readonly string[];
  /** Codes that are usual where the recording comes from. */
  readonly usualLanguages?: readonly string[];
  /** Detected in each window anew, for recordings in which people change the language. */
  readonly languagePerWindow?: boolean;
}

export interface LanguageChoice {
  /**
   * The language to decode a window in.
   * @param features encoded already, so that the first window costs nothing but one token
   * @param seek the window's first frame
   * @throws UserError unsupported_language when no allowed one is known to the model
   */
  of(features: AudioFeatures, index: number, seek: number): Promise<HeardLanguage>;
}

export interface HeardLanguage {
  readonly code: string;
  /** Share of the vote; undefined when the language was given or detected before. */
  readonly probability?: number;
}

/** What is heard, in frames of 10 ms; `window` as in `MelSpectrogram`. */
export interface Sound {
  readonly frames: number;
  window(seek: number, size: number): Promise<Float32Array>;
}

const MORE_WINDOWS = 4;
/** Of this many windows or fewer, a sure first one decides alone: another would cost more than it tells. */
const FEW_WINDOWS = 4;
const SURE = 0.8;

/** @param known given by the caller or detected before a break; in `languagePerWindow` only the one to begin with */
export function createLanguageChoice(
  model: Model,
  sound: Sound,
  options: LanguageOptions,
  known: string | undefined,
): LanguageChoice {
  const { allowedLanguages: allowed, usualLanguages: usual = [], languagePerWindow = false } = options;
  let last = known;

  async function ofRecording(features: AudioFeatures, index: number, seek: number): Promise<HeardLanguage> {
    const votes = [await languageVote(model, features, index, allowed)];
    const windows = Math.ceil((sound.frames - seek) / N_FRAMES);
    const [, best = 0] = likeliest(joint(votes));
    const more = windows <= FEW_WINDOWS && best >= SURE ? 0 : Math.min(MORE_WINDOWS, windows - 1);
    for (let k = 1; k <= more; k++) {
      const start = seek + Math.floor(((sound.frames - seek - N_FRAMES) * k) / more);
      const other = await model.graph.encode(await sound.window(start, Math.min(N_FRAMES, sound.frames - start)), 1);
      votes.push(await languageVote(model, other, 0, allowed));
    }
    const probabilities = joint(votes);
    const code = chooseLanguage(probabilities, {
      seconds: (sound.frames - seek) / FRAMES_PER_SECOND,
      usual,
      isAllowedSet: (allowed?.length ?? 0) > 0,
      common: commonLanguages(model),
    });
    return { code, probability: probabilities.get(code) ?? 0 };
  }

  async function ofWindow(features: AudioFeatures, index: number): Promise<HeardLanguage> {
    const vote = await languageVote(model, features, index, allowed);
    if (last !== undefined && vote.speech < 0.5) return { code: last };
    const code = chooseLanguage(vote.probabilities, {
      // Half of what holds for a short clip: a window that is not sure stays with the language before it.
      seconds: 20,
      usual: last === undefined ? usual : [...usual, last],
      isAllowedSet: (allowed?.length ?? 0) > 0,
      common: commonLanguages(model),
    });
    return { code, probability: vote.probabilities.get(code) ?? 0 };
  }

  return {
    async of(features, index, seek) {
      if (model.tokenizer.languages.size === 0) return { code: "en" };
      if (languagePerWindow) {
        const heard = await ofWindow(features, index);
        last = heard.code;
        return heard;
      }
      if (last !== undefined) return { code: last };
      const heard = await ofRecording(features, index, seek);
      last = heard.code;
      return heard;
    },
  };
}

export interface Vote {
  /** Code -> probability. */
  readonly probabilities: ReadonlyMap<string, number>;
  /** Probability that anybody speaks. */
  readonly speech: number;
}

/** The votes weighted by the speech in them; where nobody speaks in any, all alike. */
export function joint(votes: readonly Vote[]): Map<string, number> {
  const total = votes.reduce((sum, { speech }) => sum + speech, 0);
  const result = new Map<string, number>();
  for (const { probabilities, speech } of votes) {
    const weight = total > 0 ? speech / total : 1 / votes.length;
    for (const [code, probability] of probabilities) {
      result.set(code, (result.get(code) ?? 0) + weight * probability);
    }
  }
  return result;
}

export interface Circumstances {
  readonly seconds: number;
  /** Codes. */
  readonly usual: readonly string[];
  /** All candidates were asked for, so none of them is rare. */
  readonly isAllowedSet: boolean;
  /** Codes of the languages that the model knows best. */
  readonly common: readonly string[];
}

/** How likely a language is before anything was heard. */
const BEFOREHAND = { usual: 1, english: 0.5, common: 0.2, other: 0.02 } as const;
/** Seconds of sound up to which this counts in full, and from which on not at all. */
const SHORT = { full: 10, none: 30 } as const;

export function chooseLanguage(
  probabilities: ReadonlyMap<string, number>,
  { seconds, usual, isAllowedSet, common }: Circumstances,
): string {
  const strength = Math.min(1, Math.max(0, (SHORT.none - seconds) / (SHORT.none - SHORT.full)));
  const beforehand = (code: string) => {
    if (isAllowedSet || usual.includes(code)) return BEFOREHAND.usual;
    if (code === "en") return BEFOREHAND.english;
    return common.includes(code) ? BEFOREHAND.common : BEFOREHAND.other;
  };
  const scores = Array.from(probabilities, ([code, p]) => [code, p * beforehand(code) ** strength] as const);
  return likeliest(new Map(scores))[0] ?? "en";
}

function likeliest(probabilities: ReadonlyMap<string, number>): readonly [string?, number?] {
  let best: readonly [string?, number?] = [];
  for (const entry of probabilities) if (best[1] === undefined || entry[1] > best[1]) best = entry;
  return best;
}

/** Whisper's language tokens are in the order of how much of each there was in its training. */
function commonLanguages({ tokenizer }: Model): string[] {
  return [...tokenizer.languages]
    .sort(([, a], [, b]) => a - b)
    .slice(0, 20)
    .map(([code]) => code);
}

/** What is spoken longest, of segments that each tell their language. */
export function mainLanguage(segments: readonly Pick<Segment, "start" | "end" | "language">[]): string | undefined {
  const seconds = new Map<string, number>();
  for (const { start, end, language } of segments) {
    if (language !== undefined) seconds.set(language, (seconds.get(language) ?? 0) + end - start);
  }
  return likeliest(seconds)[0];
}
