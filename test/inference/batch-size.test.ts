import { describe, expect, it } from "vitest";
import { batchSize, rowBytes } from "../../src/inference/batch-size.ts";
import type { ModelDimensions } from "../../src/inference/graph.ts";

const TINY: ModelDimensions = {
  nMels: 80,
  nAudioCtx: 1500,
  nAudioState: 384,
  nAudioHead: 6,
  nAudioLayer: 4,
  nVocab: 51865,
  nTextCtx: 448,
  nTextState: 384,
  nTextHead: 6,
  nTextLayer: 4,
};
const LARGE = {
  ...TINY,
  nAudioState: 1280,
  nAudioHead: 20,
  nAudioLayer: 32,
  nTextState: 1280,
  nTextHead: 20,
  nTextLayer: 32,
};

describe("the number of windows decoded together", () => {
  it("is bounded by what the device gains from", () => {
    expect(batchSize(TINY, "cpu", 64e9, "fast")).toBe(4);
    expect(batchSize(TINY, "cuda", 64e9)).toBe(16);
  });

  it("is one where a short recording would wait long for the batch before it", () => {
    expect(batchSize(LARGE, "cpu", 64e9, "fast")).toBe(1);
  });

  it("falls with the memory that is left, and is never none", () => {
    expect(batchSize(TINY, "cpu", 4 * 3.5 * rowBytes(TINY, "fast"), "fast")).toBe(3);
    expect(batchSize(LARGE, "cuda", 4e9)).toBeLessThan(4);
    expect(batchSize(LARGE, "cuda", 1e8)).toBe(1);
  });

  it("counts the keys and values of the audio, and in the public layout the logits of the whole prompt", () => {
    const audioCache = 4 * 2 * 4 * 1500 * 384;
    expect(rowBytes(TINY, "fast")).toBeGreaterThan(audioCache);
    expect(rowBytes(TINY, "fast")).toBeLessThan(2 * audioCache);
    expect(rowBytes(TINY, "public") - rowBytes(TINY, "fast")).toBeCloseTo(4 * 51865 * (224 - 6));
  });
});
