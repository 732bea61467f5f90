// Earshot against openai/whisper's own Python on the same weights: a recording of several windows, and its prompts.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Whisper } from "../../src/inference/whisper.ts";
import { compare, golden, type LongForm, loadListener, recording, tolerated } from "./golden.ts";

const longForm = golden<LongForm>("long-form");

let whisper: Whisper;
let samples: Float32Array;
beforeAll(async () => {
  whisper = await loadListener();
  samples = new Float32Array(longForm.samples);
  let at = 0;
  for (const [file, silence] of longForm.recipe) {
    const clip = await recording(file);
    samples.set(clip, at);
    at += clip.length + silence;
  }
  expect(at).toBe(longForm.samples);
});
afterAll(() => whisper?.close());

test.each(longForm.cases)("$name", { timeout: 300_000 }, async (wanted) => {
  expect(await compare(whisper, samples, wanted)).toEqual([]);
});

test("hardly any near tie came out otherwise", () => {
  expect(tolerated.length, tolerated.join("\n")).toBeLessThanOrEqual(1);
});
