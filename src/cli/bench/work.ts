// The work that every engine is given, and what it says about it.

import { N_SAMPLES } from "../../inference/audio.ts";
import { seededRandom } from "../../inference/random.ts";

/** Tokens of text decoded one by one to find the time of one. */
export const TOKENS = 128;
/** Tokens of text before the window, as a glossary with some history has. */
export const PROMPT_TOKENS = 200;
/** Tokens of text in the whole window: 30 s of quick speech. */
export const WINDOW_TOKENS = 100;

/** Medians are made of these. Times in milliseconds. */
export interface Round {
  /** Log-mel spectrogram of 30 s. */
  readonly mel: number;
  /** Encoder, one window. */
  readonly encode: number;
  /** Decoder with the choice of the next token: one token, batch 1, after a prompt of 4 tokens. */
  readonly token: number;
  /** Decoder on a prompt of 200 tokens at once, with the first token chosen. */
  readonly prompt: number;
  /** Mel, encoder, prompt of 200 tokens, 100 tokens of text. */
  readonly window: number;
  /** Share of `window` spent outside the model's own operators: 0 … 1. */
  readonly outside: number;
}

export interface Speech {
  /** What was heard, one for each file. */
  readonly texts: readonly string[];
  /** All files, one after the other, the model being loaded. */
  readonly wallMs: number;
  /** From the call until the first segment of the long recording; NaN where an engine gives segments only at the end. */
  readonly firstSegmentMs: number;
}

export interface SpeechFiles {
  readonly paths: readonly string[];
  readonly longPath: string;
}

/** What the weights are kept in: float stands for 16 or 32 bits. */
export type PrecisionClass = "float" | "int8" | "int4";

/** An engine with a model loaded, ready for a round. */
export interface Engine {
  /** "Earshot fp32". */
  readonly name: string;
  /** Only the same class is compared. */
  readonly precisionClass: PrecisionClass;
  /** What exactly runs: version, precision, layout. */
  readonly description: string;
  readonly weightBytes: number;
  round(): Promise<Round>;
  speech(files: SpeechFiles): Promise<Speech>;
  /** Highest resident memory of the process so far; undefined where the system does not say. */
  peakBytes(): Promise<number | undefined>;
  close(): Promise<void>;
}

/** 30 s of noise: what is said does not matter to the speed of a model with random weights. */
export function noise(): Float32Array {
  const random = seededRandom(1);
  return Float32Array.from({ length: N_SAMPLES }, () => (random() - 0.5) * 0.2);
}
