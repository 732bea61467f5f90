// What openai/whisper's own Python gave for the demo model, and how Earshot's results are compared with it.
// How the golden files are made: test/golden/README.md

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Segment, Word } from "../../src/core/transcript.ts";
import type { AudioFeatures, WhisperGraph } from "../../src/inference/graph.ts";
import { demoFolder } from "../../src/inference/models.ts";
import type { Task } from "../../src/inference/tokenizer.ts";
import { collect, type TranscribeOptions, transcribe } from "../../src/inference/transcribe.ts";
import { loadWhisper, type Whisper } from "../../src/inference/whisper.ts";
import { speechSamples } from "../support/speech.ts";

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

// ---- Earshot beside it

/** The demo model in the reference's precision. It listens to the same window only once, whatever the options. */
export async function loadListener(): Promise<Whisper> {
  const whisper = await loadWhisper(demoFolder, { device: "cpu", precision: "fp32", threads: 1 });
  return { ...whisper, graph: remembering(whisper.graph) };
}

function remembering(graph: WhisperGraph): WhisperGraph {
  const known = new Map<string, AudioFeatures>();
  return {
    ...graph,
    async encode(mel, nAudio) {
      const key = createHash("sha1").update(mel).digest("hex");
      const features = known.get(key) ?? (await graph.encode(mel, nAudio));
      known.set(key, features);
      return features;
    },
  };
}

const recordings = new Map<string, Promise<Float32Array>>();
/** A clip of test/fixtures/speech. */
export function recording(file: string): Promise<Float32Array> {
  const samples = recordings.get(file) ?? speechSamples(file.replace(".flac", ""));
  recordings.set(file, samples);
  return samples;
}

// ---- what differs

const SECONDS = 0.0201;
export const PROBABILITY = 1e-3;

/** Near ties that came out otherwise, with the reason. */
export const tolerated: string[] = [];

/** Sentences about what differs; none when `actual` is what the reference gave. */
function differences(
  actual: { readonly language: string; readonly text: string; readonly segments: readonly Segment[] },
  wanted: GoldenTranscript,
): string[] {
  const found: string[] = [];
  const same = (what: string, a: unknown, b: unknown) => {
    if (JSON.stringify(a) !== JSON.stringify(b)) found.push(`${what}: ${JSON.stringify(a)}, not ${JSON.stringify(b)}`);
  };
  const near = (what: string, a: number, b: number, tolerance: number) => {
    if (!(Math.abs(a - b) <= tolerance)) found.push(`${what}: ${a}, not ${b}`);
  };
  same("language", actual.language, wanted.language);
  same("text", actual.text, wanted.text);
  same("number of segments", actual.segments.length, wanted.segments.length);
  wanted.segments.forEach((segment, i) => {
    const own = actual.segments[i];
    if (!own) return;
    const at = `segment ${i}`;
    same(`${at} tokens`, own.tokens, segment.tokens);
    same(`${at} text`, own.text, segment.text);
    same(`${at} temperature`, own.temperature, segment.temperature);
    near(`${at} seek`, own.seek / 100, segment.seek / 100, SECONDS);
    near(`${at} start`, own.start, segment.start, SECONDS);
    near(`${at} end`, own.end, segment.end, SECONDS);
    near(`${at} avgLogprob`, own.avgLogprob, segment.avgLogprob, PROBABILITY);
    near(`${at} noSpeechProb`, own.noSpeechProb, segment.noSpeechProb, PROBABILITY);
    near(`${at} compressionRatio`, own.compressionRatio, segment.compressionRatio, PROBABILITY);
    same(
      `${at} words`,
      own.words?.map(({ word }: Word) => word),
      segment.words?.map(([word]) => word),
    );
    segment.words?.forEach(([word, start, end, probability], j) => {
      const timed = own.words?.[j];
      if (!timed) return;
      near(`${at} "${word}" start`, timed.start, start, SECONDS);
      near(`${at} "${word}" end`, timed.end, end, SECONDS);
      near(`${at} "${word}" probability`, timed.probability, probability, PROBABILITY);
    });
  });
  return found;
}

/** openai/whisper's name of an option or token, as Earshot spells it. */
export const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The reference does not carry the initial prompt unless asked to. */
function ownOptions(options: GoldenTranscript["options"]): TranscribeOptions {
  const named = Object.fromEntries(Object.entries(options).map(([name, value]) => [camelCase(name), value]));
  return { carryInitialPrompt: false, ...named };
}

/** What differs from the reference, but for cases that rounding decides, which go to `tolerated`. */
export async function compare(model: Whisper, samples: Float32Array, wanted: GoldenTranscript): Promise<string[]> {
  const found = differences(await collect(transcribe(model, samples, ownOptions(wanted.options))), wanted);
  if (found.length > 0 && wanted.nearTie) {
    tolerated.push(`${found[0]} (${wanted.nearTie})`);
    return [];
  }
  return found;
}
