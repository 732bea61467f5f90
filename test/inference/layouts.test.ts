import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { demoFolder } from "../../src/inference/models.ts";
import { optimizeModel } from "../../src/inference/onnx/optimize.ts";
import { collect, type TranscribeOptions } from "../../src/inference/transcribe.ts";
import { type LoadOptions, loadWhisper } from "../../src/inference/whisper.ts";
import { writeLayout } from "../support/layouts.ts";
import { speechPath } from "../support/speech.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-layouts-"));
  await cp(demoFolder, folder, { recursive: true });
  await optimizeModel(folder, { precision: "float32" });
});
afterAll(() => rm(folder, { recursive: true }));

async function run(model: string, options: TranscribeOptions = {}, load: LoadOptions = {}) {
  const whisper = await loadWhisper(model, { device: "cpu", threads: 1, ...load });
  try {
    const transcript = await collect(whisper.transcribe(speechPath("multi_002"), { temperature: 0, ...options }));
    return { transcript, description: whisper.graph.description };
  } finally {
    await whisper.close();
  }
}

describe("an optimised model", () => {
  it("runs in the fast layout, to the same tokens and times", async () => {
    const [fast, publicly] = [await run(folder), await run("demo")];
    expect(fast.description).toBe("CPU, float32, fast layout");
    expect(publicly.description).toContain("public layout");
    const figures = (segments: typeof fast.transcript.segments) =>
      segments.map(({ tokens, start, end }) => ({ tokens, start, end }));
    expect(figures(fast.transcript.segments)).toEqual(figures(publicly.transcript.segments));
  });

  it("gives the same word times", async () => {
    const options = { wordTimestamps: true };
    const [fast, publicly] = [await run(folder, options), await run("demo", options)];
    const words = fast.transcript.segments.flatMap((segment) => segment.words ?? []);
    expect(words.length).toBeGreaterThan(3);
    expect(words.map(({ word, start, end }) => ({ word, start, end }))).toEqual(
      publicly.transcript.segments.flatMap(({ words = [] }) =>
        words.map(({ word, start, end }) => ({ word, start, end })),
      ),
    );
  });

  it("is made anew when an older Earshot made it, and says so once", async () => {
    const old = await mkdtemp(join(tmpdir(), "earshot-old-"));
    await cp(demoFolder, old, { recursive: true });
    const made = join(old, "onnx", "earshot", "int8-0123456789ab");
    await mkdir(made, { recursive: true });
    const notices: string[] = [];
    const load = { onNotice: (sentence: string) => notices.push(sentence) };
    for (let i = 0; i < 2; i++) expect((await run(old, {}, load)).description).toBe("CPU, int8, fast layout");
    expect(notices).toEqual([
      expect.stringMatching(/^The fast graphs of .* are of an older Earshot .* made anew, once\.$/),
    ]);
    expect(existsSync(made)).toBe(false);
    await rm(old, { recursive: true });
  });

  it("runs its public graphs, and says so, when it cannot be made anew", async () => {
    const half = await mkdtemp(join(tmpdir(), "earshot-half-"));
    await writeLayout(half, (encoder, decoder) => ({
      encoder_model_quantized: encoder,
      decoder_model_merged_quantized: decoder,
    }));
    await mkdir(join(half, "onnx", "earshot", "int8-0123456789ab"), { recursive: true });
    const notices: string[] = [];
    const { description } = await run(half, {}, { onNotice: (sentence) => notices.push(sentence) });
    expect(description).toBe("CPU, q8, public layout");
    expect(notices.join("\n")).toMatch(/could not be made anew, so its public ones run\. .*earshot models pull/);
    await rm(half, { recursive: true });
  });

  it("runs its public graphs when another precision is asked for", async () => {
    await expect(run(folder, {}, { precision: "q4" })).rejects.toMatchObject({ code: "model_missing" });
  });
});
