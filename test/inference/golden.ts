// What openai/whisper's own Python gave for the demo model; test/golden/README.md tells how it is made.

import { readFileSync } from "node:fs";
import type { Segment } from "../../src/core/transcript.ts";
import type { Task } from "../../src/inference/tokenizer.ts";

export type GoldenWord = readonly [word: string, start: number, end: number, probability: number];
export interface GoldenSegment extends Omit<Segment, "id" | "words"> {
  readonly words?: readonly GoldenWord[];
}
export interface GoldenTranscript {
  readonly language: string;
  readonly text: string;
  readonly segments: readonly GoldenSegment[];
  /** openai/whisper's names. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Why the reference itself might have come out otherwise with other rounding. */
  readonly nearTie?: string;
}
export interface MadeFrom {
  readonly madeFrom: { readonly sha256: Readonly<Record<string, string>> };
}
export interface Tensors extends MadeFrom {
  readonly mel: readonly {
    readonly file: string;
    readonly nMels: number;
    readonly contentFrames: number;
    readonly frames: readonly number[];
    readonly values: readonly (readonly number[])[];
  }[];
  readonly encoder: readonly {
    readonly file: string;
    readonly positions: readonly number[];
    readonly values: readonly (readonly number[])[];
  }[];
  readonly logits: readonly {
    readonly file: string;
    readonly tokens: readonly number[];
    readonly top: readonly number[];
    readonly values: readonly number[];
    readonly norm: number;
  }[];
  readonly languages: readonly {
    readonly file: string;
    readonly detected: string;
    readonly probs: Readonly<Record<string, number>>;
    readonly among: readonly { readonly codes: readonly string[]; readonly best: string }[];
  }[];
}
export interface Tokens extends MadeFrom {
  readonly strings: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly decoded: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly words: readonly {
    readonly language: string;
    readonly tokens: readonly number[];
    readonly words: readonly string[];
    readonly wordTokens: readonly (readonly number[])[];
  }[];
  readonly starts: readonly {
    readonly language: string;
    readonly task: Task;
    readonly sequence: readonly number[];
    readonly withoutTimestamps: readonly number[];
  }[];
  readonly nonSpeechTokens: readonly number[];
  readonly special: Readonly<Record<string, number>>;
}
export interface Transcripts extends MadeFrom {
  readonly cases: readonly (GoldenTranscript & { readonly set: string; readonly file: string })[];
}
export interface LongForm extends MadeFrom {
  /** Clips, each with the samples of silence after it. */
  readonly recipe: readonly (readonly [file: string, silence: number])[];
  readonly samples: number;
  readonly cases: readonly (GoldenTranscript & { readonly name: string })[];
}

/** @param name of a file in test/fixtures/golden */
export function golden<T extends MadeFrom>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/golden/${name}.json`, import.meta.url), "utf8")) as T;
}
