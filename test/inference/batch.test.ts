import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { N_FRAMES } from "../../src/inference/audio.ts";
import { type DecodingOptions, decode, decodeBatch, type Model } from "../../src/inference/decoding.ts";
import { openFastLayout } from "../../src/inference/fast-layout.ts";
import type { AudioFeatures } from "../../src/inference/graph.ts";
import { logMelSpectrogram } from "../../src/inference/mel.ts";
import { demoFolder } from "../../src/inference/models.ts";
import type { FastPrecision } from "../../src/inference/onnx/fused-pass.ts";
import { findFastLayout, optimizeModel } from "../../src/inference/onnx/optimize.ts";
import { loadWhisper, type Whisper } from "../../src/inference/whisper.ts";
import { speechSamples } from "../support/speech.ts";

/** From one word to several sentences, so that the rows end one after the other. */
const CLIPS = ["clean_000", "multi_000", "clean_004", "silence", "multi_002"];
/** Of the demo model. */
const EOT = 1600;

let folder: string;
let whisper: Whisper;
let mel: Float32Array;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "earshot-batch-"));
  cpSync(demoFolder, folder, { recursive: true });
  whisper = await loadWhisper("demo", { device: "cpu", threads: 1 });
  const size = whisper.dims.nMels * N_FRAMES;
  mel = new Float32Array(CLIPS.length * size);
  for (const [i, clip] of CLIPS.entries()) mel.set(await melOf(clip), i * size);
});
afterAll(async () => {
  await whisper.close();
  rmSync(folder, { recursive: true });
});

async function melOf(clip: string): Promise<Float32Array> {
  async function* samples() {
    yield clip === "silence" ? new Float32Array(16000) : await speechSamples(clip);
  }
  const spectrogram = await logMelSpectrogram(samples(), whisper.dims.nMels);
  const head = await spectrogram.window(0, N_FRAMES);
  await spectrogram.close();
  return head;
}

async function fastModel(precision: FastPrecision): Promise<Model> {
  await optimizeModel(folder, { precision });
  const files = await findFastLayout(folder, precision);
  const graph = await openFastLayout(files!, whisper.dims, { device: "cpu", threads: 1 }, whisper.tokenizer.sot);
  return { ...whisper, graph };
}

// With integers, the last digit of a sum decides now and then how an activation is rounded.
describe.each<["public" | FastPrecision, number]>([
  ["public", 4],
  ["float32", 4],
  ["int8", 2],
  ["int4", 2],
])("windows that are decoded together, %s", (kind, digits) => {
  let model: Model;
  let features: AudioFeatures;
  beforeAll(async () => {
    model = kind === "public" ? whisper : await fastModel(kind);
    features = await model.graph.encode(mel, CLIPS.length);
  });
  afterAll(async () => {
    if (kind !== "public") await model.graph.close();
  });

  it("are encoded as each alone", async () => {
    const size = whisper.dims.nAudioCtx * whisper.dims.nAudioState;
    const together = await features.toFloat32();
    for (const index of CLIPS.keys()) {
      const part = mel.slice((index * mel.length) / CLIPS.length, ((index + 1) * mel.length) / CLIPS.length);
      const alone = await (await model.graph.encode(part, 1)).toFloat32();
      const worst = alone.reduce((most, x, i) => Math.max(most, Math.abs(x - together[index * size + i]!)), 0);
      expect(worst).toBeLessThan(1e-4);
    }
  });

  it.each<[string, number[], Partial<DecodingOptions>]>([
    ["with timestamps", [0, 1, 2, 3, 4], {}],
    ["without timestamps", [0, 1, 2, 3, 4], { withoutTimestamps: true }],
    ["with a prompt", [4, 3, 2], { prompt: Array.from({ length: 223 }, (_, i) => 300 + ((i * 7) % 500)) }],
    ["until the number of tokens is reached", [1, 3], { sampleLen: 9 }],
    ["over several calls, past the end", [0, 1], { suppressTokens: [-1, EOT], sampleLen: 90 }],
    ["one of them twice, in any order", [2, 0, 0, 1], {}],
    ["being one", [3], {}],
    ["being none", [], {}],
    ["with beams, each by itself", [0, 3], { beamSize: 2 }],
  ])("give what each gives alone: %s", async (_, indices, options) => {
    const all: DecodingOptions = { language: "en", ...options };
    const together = await decodeBatch(model, features, indices, all);
    expect(together).toHaveLength(indices.length);
    for (const [row, index] of indices.entries()) {
      const alone = await decode(model, features, index, all);
      const { avgLogprob, noSpeechProb, ...rest } = together[row]!;
      expect(rest).toEqual({
        tokens: alone.tokens,
        text: alone.text,
        temperature: 0,
        compressionRatio: alone.compressionRatio,
      });
      expect(avgLogprob).toBeCloseTo(alone.avgLogprob, digits);
      expect(noSpeechProb).toBeCloseTo(alone.noSpeechProb, 4);
    }
  });

  it("end at different times", async () => {
    const results = await decodeBatch(model, features, [...CLIPS.keys()], { language: "en" });
    expect(new Set(results.map(({ tokens }) => tokens.length)).size).toBeGreaterThan(2);
  });

  it("are given up between two calls or steps", async () => {
    const controller = new AbortController();
    const options = { language: "en", suppressTokens: [-1, EOT], sampleLen: 200, signal: controller.signal };
    const decoded = decodeBatch(model, features, [0, 1], options);
    setImmediate(() => controller.abort(new Error("enough")));
    await expect(decoded).rejects.toThrow("enough");
  });
});

it("refuses options that contradict each other before it decodes anything", async () => {
  const features = await whisper.graph.encode(mel, CLIPS.length);
  const options = { language: "en", beamSize: 2, bestOf: 2 };
  await expect(decodeBatch(whisper, features, [0], options)).rejects.toThrow(UserError);
});

it("leaves features alone that are still in use, whatever others give back", async () => {
  const model = await fastModel("float32");
  const part = mel.slice(0, mel.length / CLIPS.length);
  const [first, second] = [await model.graph.encode(part, 1), await model.graph.encode(part, 1)];
  const expected = await decode(model, first, 0, { language: "en" });
  second.release();
  second.release();
  const others = [
    await model.graph.encode(mel, CLIPS.length),
    await model.graph.encode(
      part.map((x) => -x),
      1,
    ),
  ];
  for (const features of others) await decode(model, features, 0, { language: "en" });
  expect(await decode(model, first, 0, { language: "en" })).toEqual(expected);
  first.release();
  expect(await decode(model, await model.graph.encode(part, 1), 0, { language: "en" })).toEqual(expected);
  await model.graph.close();
});
