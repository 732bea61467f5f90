// Earshot against openai/whisper's own Python on the same weights: tensors, tokenizer, and clips under many options.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { N_FRAMES } from "../../src/inference/audio.ts";
import { detectLanguage } from "../../src/inference/decoding.ts";
import type { AudioFeatures } from "../../src/inference/graph.ts";
import { logMelSpectrogram } from "../../src/inference/mel.ts";
import { demoFolder } from "../../src/inference/models.ts";
import type { Whisper } from "../../src/inference/whisper.ts";
import {
  camelCase,
  compare,
  golden,
  type LongForm,
  loadListener,
  PROBABILITY,
  recording,
  type Tensors,
  type Tokens,
  type Transcripts,
  tolerated,
} from "./golden.ts";

const MEL = 1e-4;
const ENCODER = 1e-3;
const LOGIT = 1e-3;

const tensors = golden<Tensors>("tensors");
const tokens = golden<Tokens>("tokenizer");
const transcripts = golden<Transcripts>("transcripts");
const longForm = golden<LongForm>("long-form");

let whisper: Whisper;
beforeAll(async () => {
  whisper = await loadListener();
});
afterAll(() => whisper?.close());

async function melOf(file: string, nMels = whisper.dims.nMels) {
  const samples = await recording(file);
  async function* once() {
    yield samples;
  }
  return logMelSpectrogram(once(), nMels);
}

async function listenTo(file: string): Promise<AudioFeatures> {
  const mel = await melOf(file);
  const features = await whisper.graph.encode(await mel.window(0, N_FRAMES), 1);
  await mel.close();
  return features;
}

function largestDifference(actual: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (actual.length !== wanted.length) return Number.POSITIVE_INFINITY;
  return Math.max(...Array.from(wanted, (value, i) => Math.abs(value - actual[i]!)));
}

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
  test.each(sets)("%s", { timeout: 300_000 }, async (set) => {
    const found: string[] = [];
    for (const wanted of transcripts.cases.filter((one) => one.set === set)) {
      const differing = await compare(whisper, await recording(wanted.file), wanted);
      found.push(...differing.map((text) => `${wanted.file} ${text}`));
    }
    expect(found).toEqual([]);
  });
});

test("hardly any near tie came out otherwise", () => {
  expect(tolerated.length, tolerated.join("\n")).toBeLessThanOrEqual(transcripts.cases.length / 50);
});
