// Earshot against openai/whisper's own Python on the same weights. How the golden files are made: test/golden/README.md

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Segment, Word } from "../../src/core/transcript.ts";
import { N_FRAMES } from "../../src/inference/audio.ts";
import { detectLanguage } from "../../src/inference/decoding.ts";
import type { AudioFeatures, WhisperGraph } from "../../src/inference/graph.ts";
import { logMelSpectrogram } from "../../src/inference/mel.ts";
import { demoFolder } from "../../src/inference/models.ts";
import { collect, type TranscribeOptions, transcribe } from "../../src/inference/transcribe.ts";
import { loadWhisper, type Whisper } from "../../src/inference/whisper.ts";
import { speechSamples } from "../support/speech.ts";
import { type GoldenTranscript, golden, type LongForm, type Tensors, type Tokens, type Transcripts } from "./golden.ts";

const SECONDS = 0.0201;
const PROBABILITY = 1e-3;
const MEL = 1e-4;
const ENCODER = 1e-3;
const LOGIT = 1e-3;

const tensors = golden<Tensors>("tensors");
const tokens = golden<Tokens>("tokenizer");
const transcripts = golden<Transcripts>("transcripts");
const longForm = golden<LongForm>("long-form");

// ---- the model

let whisper: Whisper;
/** Transcribes like `whisper`, but listens to the same window only once. */
let listener: Whisper;

beforeAll(async () => {
  whisper = await loadWhisper(demoFolder, { device: "cpu", precision: "fp32", threads: 1 });
  listener = { ...whisper, graph: remembering(whisper.graph) };
});
afterAll(() => whisper?.close());

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
function recording(file: string): Promise<Float32Array> {
  const samples = recordings.get(file) ?? speechSamples(file.replace(".flac", ""));
  recordings.set(file, samples);
  return samples;
}

async function melOf(file: string, nMels = whisper.dims.nMels) {
  const samples = await recording(file);
  async function* once() {
    yield samples;
  }
  return logMelSpectrogram(once(), nMels);
}

async function listenTo(file: string): Promise<AudioFeatures> {
  const mel = await melOf(file);
  const features = await whisper.graph.encode(await mel.head(), 1);
  await mel.close();
  return features;
}

// ---- what differs

function largestDifference(actual: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (actual.length !== wanted.length) return Number.POSITIVE_INFINITY;
  return Math.max(...Array.from(wanted, (value, i) => Math.abs(value - actual[i]!)));
}

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

const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The reference does not carry the initial prompt unless asked to. */
function ownOptions(options: GoldenTranscript["options"]): TranscribeOptions {
  const named = Object.fromEntries(Object.entries(options).map(([name, value]) => [camelCase(name), value]));
  return { carryInitialPrompt: false, ...named };
}

async function differencesIn(samples: Float32Array, wanted: GoldenTranscript): Promise<string[]> {
  const found = differences(await collect(transcribe(listener, samples, ownOptions(wanted.options))), wanted);
  if (found.length > 0 && wanted.nearTie) {
    tolerated.push(`${found[0]} (${wanted.nearTie})`);
    return [];
  }
  return found;
}
const tolerated: string[] = [];

// ---- tests

test("the golden files belong to the model in models/demo", () => {
  for (const { madeFrom } of [tensors, tokens, transcripts, longForm]) {
    for (const [file, wanted] of Object.entries(madeFrom.sha256)) {
      const path = `${demoFolder}/${file}`;
      const actual = createHash("sha256").update(readFileSync(path)).digest("hex");
      expect(actual, `${file} has changed: make the golden files again, as test/golden/README.md says`).toBe(wanted);
    }
  }
});

describe("tensors", () => {
  test.each(tensors.mel)("mel of $file, $nMels bins", async ({ file, nMels, contentFrames, frames, values }) => {
    const mel = await melOf(file, nMels);
    expect(mel.contentFrames).toBe(contentFrames);
    for (const [i, frame] of frames.entries()) {
      const seek = Math.max(0, frame - N_FRAMES + 1);
      const window = await mel.window(seek, N_FRAMES);
      const actual = values[i]!.map((_, bin) => window[bin * N_FRAMES + frame - seek]!);
      expect(largestDifference(actual, values[i]!), `frame ${frame}`).toBeLessThan(MEL);
    }
    await mel.close();
  });

  test.each(tensors.encoder)("encoder output of $file", async ({ file, positions, values }) => {
    const features = await (await listenTo(file)).toFloat32();
    const size = whisper.dims.nAudioState;
    positions.forEach((position, i) => {
      const actual = features.subarray(position * size, (position + 1) * size);
      expect(largestDifference(actual, values[i]!), `position ${position}`).toBeLessThan(ENCODER);
    });
  });

  test.each(tensors.logits)("first token's logits of $file", async ({ file, tokens, top, values, norm }) => {
    const inference = whisper.graph.decode(await listenTo(file), [0]);
    const logits = (await inference.logits([tokens])).at(0, tokens.length - 1);
    const actual = top.map((token) => logits[token]!);
    expect(largestDifference(actual, values)).toBeLessThan(LOGIT);
    expect(logits.filter((logit) => logit > values.at(-1)! + LOGIT).length).toBeLessThan(top.length);
    expect(Math.abs(Math.hypot(...logits) / norm - 1)).toBeLessThan(1e-4);
    inference.release();
  });

  test.each(tensors.languages)("language of $file", async ({ file, detected, probs, among }) => {
    const features = await listenTo(file);
    const found = [...(await detectLanguage(whisper, features, 0))];
    expect(found[0]?.[0]).toBe(detected);
    expect(new Set(found.map(([code]) => code))).toEqual(new Set(Object.keys(probs)));
    for (const [code, probability] of found) {
      expect(Math.abs(probability - probs[code]!), code).toBeLessThan(PROBABILITY);
    }
    for (const { codes, best } of among) {
      const [first] = await detectLanguage(whisper, features, 0, codes);
      expect(first?.[0]).toBe(best);
    }
  });
});

describe("tokenizer", () => {
  test("text to ids and back", () => {
    for (const { text, ids } of tokens.strings) {
      expect(whisper.tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
      expect(whisper.tokenizer.decode(ids)).toBe(text);
    }
  });

  test("any ids to text, broken UTF-8 included", () => {
    for (const { text, ids } of tokens.decoded) expect(whisper.tokenizer.decode(ids), `${ids}`).toBe(text);
  });

  test.each(tokens.words)("words, $language", ({ language, tokens, words, wordTokens }) => {
    expect(whisper.tokenizer.splitToWordTokens(tokens, language)).toEqual({ words, tokens: wordTokens });
  });

  test("special tokens and what is not speech", () => {
    const { special, starts, nonSpeechTokens } = tokens;
    for (const { language, task, sequence, withoutTimestamps } of starts) {
      const own = whisper.tokenizer.sotSequence(language, task);
      expect(own).toEqual(sequence);
      expect([...own, whisper.tokenizer.noTimestamps]).toEqual(withoutTimestamps);
    }
    expect(whisper.tokenizer.nonSpeechTokens).toEqual(nonSpeechTokens);
    const own = Object.entries(whisper.tokenizer);
    for (const [name, id] of Object.entries(special)) expect(own).toContainEqual([camelCase(name), id]);
  });
});

describe("transcripts", () => {
  const sets = [...new Set(transcripts.cases.map(({ set }) => set))];
  test.each(sets)("%s", async (set) => {
    const found: string[] = [];
    for (const wanted of transcripts.cases.filter((one) => one.set === set)) {
      const differing = await differencesIn(await recording(wanted.file), wanted);
      found.push(...differing.map((text) => `${wanted.file} ${text}`));
    }
    expect(found).toEqual([]);
  });
});

describe("a long recording", () => {
  let samples: Float32Array;
  beforeAll(async () => {
    samples = new Float32Array(longForm.samples);
    let at = 0;
    for (const [file, silence] of longForm.recipe) {
      const clip = await recording(file);
      samples.set(clip, at);
      at += clip.length + silence;
    }
    expect(at).toBe(longForm.samples);
  });

  test.each(longForm.cases)("$name", async (wanted) => {
    expect(await differencesIn(samples, wanted)).toEqual([]);
  });
});

test("hardly any near tie came out otherwise", () => {
  const cases = transcripts.cases.length + longForm.cases.length;
  expect(tolerated.length, tolerated.join("\n")).toBeLessThanOrEqual(cases / 50);
});
