import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { N_FRAMES } from "../../src/inference/audio.ts";
import { encodeWindows } from "../../src/inference/encode-windows.ts";
import { demoFolder } from "../../src/inference/models.ts";
import { optimizeModel } from "../../src/inference/onnx/optimize.ts";
import { collect, type TranscribeOptions } from "../../src/inference/transcribe.ts";
import { loadWhisper, type Whisper } from "../../src/inference/whisper.ts";

/** Three seconds that the demo model understands. */
const CLIP = join(demoFolder, "eval", "clean_000.flac");

let folder: string;
let whisper: Whisper;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-short-"));
  await cp(demoFolder, folder, { recursive: true });
  await optimizeModel(folder, { precision: "float32" });
  whisper = await loadWhisper(folder, { device: "cpu", threads: 1 });
});
afterAll(async () => {
  await whisper.close();
  await rm(folder, { recursive: true });
});

async function run(model: Whisper, options: TranscribeOptions) {
  return collect(model.transcribe(CLIP, { language: "en", wordTimestamps: true, ...options }));
}

describe("windows that hold less than 30 s", () => {
  it("are encoded as far as they hold audio, and a margin", async () => {
    const mel = new Float32Array(2 * whisper.dims.nMels * N_FRAMES).fill(-1);
    const features = await encodeWindows(whisper, mel, [300, 401], { encoderMargin: 0.5 });
    expect([features.nAudio, features.positions]).toEqual([2, 226]);
    expect(features.hidden.dims).toEqual([2, 226, whisper.dims.nAudioState]);
    expect((await encodeWindows(whisper, mel, [300, 2999], { encoderMargin: 0.5 })).positions).toBe(
      whisper.dims.nAudioCtx,
    );
    expect((await encodeWindows(whisper, mel, [300, 400], {})).positions).toBe(whisper.dims.nAudioCtx);
  });

  it("keep the frames that they have", async () => {
    const { nMels } = whisper.dims;
    const mel = Float32Array.from({ length: nMels * N_FRAMES }, (_, i) => Math.sin(i / 50));
    const cut = Float32Array.from({ length: nMels * 400 }, (_, i) => mel[Math.floor(i / 400) * N_FRAMES + (i % 400)]!);
    const [short, same] = [
      await encodeWindows(whisper, mel, [350], { encoderMargin: 0.5 }),
      await whisper.graph.encode(cut, 1),
    ];
    expect(await short.toFloat32()).toEqual(await same.toFloat32());
  });

  it("say the same words at the same times, with a model that can do without the silence", async () => {
    const [whole, short] = [await run(whisper, {}), await run(whisper, { encoderMargin: 1 })];
    expect(whole.text).toMatch(/template/);
    expect(short.text).toBe(whole.text);
    const times = ({ segments }: typeof whole) => segments.flatMap(({ words = [] }) => words.map(({ start }) => start));
    expect(times(short)).toHaveLength(times(whole).length);
    for (const [i, start] of times(short).entries()) expect(Math.abs(start - times(whole)[i]!)).toBeLessThan(0.1);
  });

  it("are refused by graphs that take whole windows only", async () => {
    const demo = await loadWhisper("demo", { device: "cpu", threads: 1 });
    await expect(run(demo, { encoderMargin: 1 })).rejects.toThrow(
      /earshot models optimize, or leave out encoder_margin/,
    );
    await demo.close();
  });
});
