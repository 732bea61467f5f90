import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { N_FRAMES } from "../../src/inference/audio.ts";
import { type DecodingOptions, decode } from "../../src/inference/decoding.ts";
import { openFastLayout } from "../../src/inference/fast-layout.ts";
import type { AudioFeatures, WhisperGraph } from "../../src/inference/graph.ts";
import { logMelSpectrogram } from "../../src/inference/mel.ts";
import { demoFolder } from "../../src/inference/models.ts";
import type { FastPrecision } from "../../src/inference/onnx/fused-pass.ts";
import { findFastLayout, optimizeModel } from "../../src/inference/onnx/optimize.ts";
import { loadWhisper, type Whisper } from "../../src/inference/whisper.ts";
import { speechSamples } from "../support/speech.ts";

const CLIPS = ["clean_000", "clean_004", "heldvoice_003"];

/** Of the demo model. */
const EOT = 1600;

let folder: string;
let whisper: Whisper;
let mel: Float32Array;
let expected: AudioFeatures;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "earshot-fast-"));
  cpSync(demoFolder, folder, { recursive: true });
  whisper = await loadWhisper("demo", { device: "cpu", threads: 1 });
  mel = new Float32Array(CLIPS.length * whisper.dims.nMels * N_FRAMES);
  for (const [i, clip] of CLIPS.entries()) mel.set(await melOf(clip), i * whisper.dims.nMels * N_FRAMES);
  expected = await whisper.graph.encode(mel, CLIPS.length);
});
afterAll(async () => {
  await whisper.close();
  rmSync(folder, { recursive: true });
});

async function melOf(clip: string): Promise<Float32Array> {
  async function* samples() {
    yield await speechSamples(clip);
  }
  const spectrogram = await logMelSpectrogram(samples(), whisper.dims.nMels);
  const head = await spectrogram.window(0, N_FRAMES);
  await spectrogram.close();
  return head;
}

async function openFast(precision: FastPrecision): Promise<WhisperGraph> {
  await optimizeModel(folder, { precision });
  const files = await findFastLayout(folder, precision);
  return openFastLayout(files!, whisper.dims, { device: "cpu", threads: 1 }, whisper.tokenizer.sot);
}

/** The largest difference between two arrays. */
function distance(a: Float32Array, b: Float32Array): number {
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);
}

describe("in float32", () => {
  let fast: WhisperGraph;
  let features: AudioFeatures;
  beforeAll(async () => {
    fast = await openFast("float32");
    features = await fast.encode(mel, CLIPS.length);
  });
  afterAll(() => fast.close());

  it("hears the same", async () => {
    expect(fast.description).toBe("CPU, float32, fast layout");
    expect(distance(await features.toFloat32(), await expected.toFloat32())).toBeLessThan(1e-3);
  });

  const prompt = (length: number) => Array.from({ length }, (_, i) => 300 + ((i * 7) % 500));
  it.each<[string, Partial<DecodingOptions>]>([
    ["greedily", {}],
    ["greedily without timestamps", { withoutTimestamps: true }],
    ["greedily with nothing suppressed", { suppressTokens: [], suppressBlank: false, maxInitialTimestamp: 0 }],
    ["greedily over several calls, past the end", { suppressTokens: [-1, EOT], sampleLen: 90 }],
    ["greedily until the context is full", { suppressTokens: [-1, EOT], prompt: prompt(223), sampleLen: 400 }],
    ["with a prompt of one token", { prompt: prompt(1) }],
    ["with a prompt of 223 tokens", { prompt: prompt(223) }],
    ["with five beams", { beamSize: 5 }],
    ["with the best of three samples", { temperature: 0.6, bestOf: 3, seed: 4 }],
  ])("writes the same tokens %s", async (_, options) => {
    for (const index of [0, 2]) {
      const wanted = await decode(whisper, expected, index, { language: "en", sampleLen: 24, ...options });
      const got = await decode({ ...whisper, graph: fast }, features, index, {
        language: "en",
        sampleLen: 24,
        ...options,
      });
      expect(got.tokens).toEqual(wanted.tokens);
      expect(got.avgLogprob).toBeCloseTo(wanted.avgLogprob, 3);
      expect(got.noSpeechProb).toBeCloseTo(wanted.noSpeechProb, 4);
    }
  });

  it.each<[string, number[], number[]]>([
    ["several windows at once", [0, 1, 2], [0, 1, 2]],
    ["two rows for each window", [1, 1, 2, 2], [1, 0, 3, 3]],
    ["rows that share windows unevenly", [0, 0, 2], [2, 0, 1]],
    ["more rows than before", [2], [0, 0, 0]],
  ])("gives the same logits for %s, also when rows change places", async (_, indices, sources) => {
    const { sot } = whisper.tokenizer;
    const rows = [fast.decode(features, indices), whisper.graph.decode(expected, indices)];
    const last: Float32Array[][] = [];
    for (const inference of rows) {
      await inference.logits(indices.map((index) => [40 + index, sot]));
      await inference.logits(indices.map((_, row) => [50 + row]));
      inference.rearrange(sources);
      const logits = await inference.logits(sources.map((_, row) => [60 + row]));
      last.push(sources.map((_, row) => logits.at(row, 0).slice()));
      inference.release();
    }
    for (const row of sources.keys()) expect(distance(last[0]![row]!, last[1]![row]!)).toBeLessThan(2e-3);
  });

  it("hears an abort between two calls", async () => {
    const controller = new AbortController();
    const options = { language: "en", suppressTokens: [-1, EOT], sampleLen: 200, signal: controller.signal };
    const decoded = decode({ ...whisper, graph: fast }, features, 0, options);
    setImmediate(() => controller.abort(new Error("enough")));
    await expect(decoded).rejects.toThrow("enough");
  });

  it("computes logits where they are read and nowhere else", async () => {
    const { sot } = whisper.tokenizer;
    const inference = fast.decode(features, [0]);
    const logits = await inference.logits([[300, 301, sot, 302, 303]]);
    expect(logits.nTokens).toBe(5);
    expect(logits.at(0, 2)).toHaveLength(whisper.dims.nVocab);
    expect(() => logits.at(0, 3)).toThrow("logits of position 3 were not computed, only of 2, 4");
  });
});

// In logits. On an artificial spectrogram the demo model differed by 0.6 and 2.3, where the largest logit was 12.
it.each([
  ["int8", 2],
  ["int4", 5],
] as const)("stays close to float32 in %s and takes less room", async (precision, tolerance) => {
  const fast = await openFast(precision);
  const features = await fast.encode(mel, CLIPS.length);
  const tokens = [...whisper.tokenizer.sotSequence("en", "transcribe"), whisper.tokenizer.timestampBegin];
  for (const index of CLIPS.keys()) {
    const got = (await fast.decode(features, [index]).logits([tokens])).at(0, tokens.length - 1);
    const wanted = (await whisper.graph.decode(expected, [index]).logits([tokens])).at(0, tokens.length - 1);
    expect(distance(got, wanted)).toBeLessThan(tolerance);
  }
  await fast.close();
  const float32 = (await findFastLayout(folder, "float32"))!;
  const quantized = (await findFastLayout(folder, precision))!;
  expect(statSync(quantized.decoder).size).toBeLessThan(statSync(float32.decoder).size * 0.6);
});

describe("optimizing", () => {
  it("is done once, and anew when the model changes", async () => {
    await optimizeModel(folder, { precision: "float32" });
    const first = (await findFastLayout(folder, "float32"))!;
    const written = statSync(first.decoder).mtimeMs;
    await optimizeModel(folder, { precision: "float32" });
    expect(statSync(first.decoder).mtimeMs).toBe(written);

    // An unknown field at the end of the file: the model is the same, its bytes are not.
    await appendFile(join(folder, "onnx", "encoder_model.onnx"), Uint8Array.of(0x10, 1));
    expect(await findFastLayout(folder, "float32")).toBeUndefined();
    await optimizeModel(folder, { precision: "float32" });
    expect((await findFastLayout(folder, "float32"))?.decoder).not.toBe(first.decoder);
    expect(existsSync(first.decoder)).toBe(false);
  });

  it("leaves nothing half-written behind when the graphs are not understood", async () => {
    const broken = mkdtempSync(join(tmpdir(), "earshot-broken-"));
    cpSync(demoFolder, broken, { recursive: true });
    await writeFile(join(broken, "onnx", "decoder_model_merged.onnx"), "not a graph");
    await expect(optimizeModel(broken, { precision: "float32" })).rejects.toThrow(/is not an ONNX model/);
    expect(readdirSync(join(broken, "onnx")).sort()).toEqual(["decoder_model_merged.onnx", "encoder_model.onnx"]);
    expect(await findFastLayout(broken, "float32")).toBeUndefined();
    rmSync(broken, { recursive: true });
  });
});
