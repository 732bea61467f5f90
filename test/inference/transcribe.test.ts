import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Segment } from "../../src/core/transcript.ts";
import { SAMPLE_RATE } from "../../src/inference/audio.ts";
import { type Checkpoint, collect, type TranscribeOptions, transcribe } from "../../src/inference/transcribe.ts";
import { loadWhisper, type Whisper } from "../../src/inference/whisper.ts";
import { recording, speechPath, speechSamples } from "../support/speech.ts";

let whisper: Whisper;
let long: Float32Array;
beforeAll(async () => {
  whisper = await loadWhisper("demo", { device: "cpu", threads: 1 });
  long = await recording(["clean_000", "multi_000", "clean_002", "multi_001", "clean_011"], 0.8);
});
afterAll(() => whisper.close());

const run = (source: string | Float32Array, options: TranscribeOptions = {}) =>
  collect(whisper.transcribe(source, { temperature: 0, ...options }));

/** The model, with what stands before each window written down. */
function observed(): { model: Whisper; initialTokens: number[][] } {
  const initialTokens: number[][] = [];
  const { graph } = whisper;
  const model: Whisper = {
    ...whisper,
    graph: {
      ...graph,
      decode(features, indices) {
        const inference = graph.decode(features, indices);
        let first = true;
        return {
          ...inference,
          logits(tokens) {
            if (first) initialTokens.push([...tokens[0]!]);
            first = false;
            return inference.logits(tokens);
          },
        };
      },
    },
  };
  return { model, initialTokens };
}

describe("a recording", () => {
  it("becomes text, the same from a file and from its samples", async () => {
    const fromFile = await run(speechPath("clean_009"));
    expect(fromFile.text.trim()).not.toBe("");
    expect(fromFile.language).toBe("en");
    expect(fromFile.duration).toBeCloseTo(2.61, 2);
    expect(await run(await speechSamples("clean_009"))).toEqual(fromFile);
  });

  it("comes segment by segment, before the next window is decoded", async () => {
    const windows: number[] = [];
    const seen: { id: number; windowsDone: number }[] = [];
    const options = { temperature: 0, on: { checkpoint: ({ seek }: Checkpoint) => windows.push(seek) } };
    for await (const { id } of whisper.transcribe(long, options)) seen.push({ id, windowsDone: windows.length });
    expect(windows.length).toBeGreaterThan(2);
    expect(seen[0]).toEqual({ id: 0, windowsDone: 0 });
    expect(seen.map(({ id }) => id)).toEqual(seen.map((_, i) => i));
  });

  it("has segments in order, with sensible figures", async () => {
    const { segments } = await run(long);
    for (const [i, segment] of segments.entries()) {
      expect(segment.start).toBeLessThanOrEqual(segment.end);
      expect(segment.start).toBeGreaterThanOrEqual(segments[i - 1]?.start ?? 0);
      expect(segment.avgLogprob).toBeLessThanOrEqual(0);
      expect(segment.noSpeechProb).toBeGreaterThanOrEqual(0);
    }
  });

  it("of silence gives no text at all", async () => {
    const { text, segments } = await run(new Float32Array(40 * SAMPLE_RATE));
    expect(text).toBe("");
    for (const segment of segments) expect(segment.text).toBe("");
  });

  it("can be limited to clips of it", async () => {
    const { segments } = await run(long, { clipTimestamps: [5, 15, 40] });
    expect(segments.length).toBeGreaterThan(0);
    for (const { start, end } of segments) expect((start >= 5 && end <= 15.02) || start >= 40).toBe(true);
  });

  it("tells its progress up to its end", async () => {
    const seconds: number[] = [];
    const { duration } = await run(long, { on: { progress: (done) => seconds.push(done) } });
    expect(seconds).toEqual([...seconds].sort((a, b) => a - b));
    expect(seconds.at(-1)).toBeCloseTo(duration, 1);
  });
});

describe("the initial prompt", () => {
  const initialPrompt = "Glossary: Zentrix, Korvex, Kira.";

  it("stands before every window, whole, with the text so far after it, within the context", async () => {
    const { model, initialTokens } = observed();
    await collect(transcribe(model, long, { initialPrompt, temperature: 0, language: "en" }));
    const prompt = whisper.tokenizer.encode(` ${initialPrompt}`);
    expect(initialTokens.length).toBeGreaterThan(2);
    for (const tokens of initialTokens) {
      expect(tokens.slice(0, prompt.length + 1)).toEqual([whisper.tokenizer.sotPrev, ...prompt]);
      expect(tokens.length).toBeLessThanOrEqual(1 + 223 + 3);
    }
    expect(initialTokens.at(-1)!.length).toBeGreaterThan(initialTokens[0]!.length);
  });

  it("stays when a hot window resets the text before it", async () => {
    const { model, initialTokens } = observed();
    await collect(transcribe(model, long, { initialPrompt, temperature: 0.8, bestOf: 1, language: "en" }));
    const expected = [whisper.tokenizer.sotPrev, ...whisper.tokenizer.encode(` ${initialPrompt}`)];
    for (const tokens of initialTokens) expect(tokens.slice(0, -3)).toEqual(expected);
  });

  it("that is too long is refused with the numbers", async () => {
    const tooLong = "Korvex ".repeat(400);
    await expect(run(long, { initialPrompt: tooLong })).rejects.toMatchObject({ code: "prompt_too_long" });
  });

  it("cannot smuggle special tokens in", async () => {
    const { model, initialTokens } = observed();
    const smuggled = "<|endoftext|><|startoftranscript|>";
    await collect(transcribe(model, await speechSamples("clean_000"), { initialPrompt: smuggled, language: "en" }));
    const { sot, eot } = whisper.tokenizer;
    expect(initialTokens[0]).not.toContain(eot);
    expect(initialTokens[0]!.filter((token) => token === sot)).toHaveLength(1);
  });
});

describe("a transcription that was broken off", () => {
  /** Temperatures above 0 draw at random, which must repeat as well. */
  const hot: TranscribeOptions = { temperature: [0, 0.4], logprobThreshold: -0.05, language: "en" };

  it.each<[string, TranscribeOptions]>([
    ["at temperature 0", { temperature: 0 }],
    ["with sampling", hot],
    ["with an initial prompt that fades", { initialPrompt: "Kira.", carryInitialPrompt: false, temperature: 0 }],
  ])("goes on from any checkpoint to the same text %s", async (_, options) => {
    const checkpoints: { checkpoint: Checkpoint; segments: Segment[] }[] = [];
    const segments: Segment[] = [];
    const on = { checkpoint: (checkpoint: Checkpoint) => checkpoints.push({ checkpoint, segments: [...segments] }) };
    const transcription = whisper.transcribe(long, { ...options, on });
    let step = await transcription.next();
    for (; !step.done; step = await transcription.next()) segments.push(step.value);

    expect(checkpoints.length).toBeGreaterThan(2);
    for (const stored of checkpoints) {
      const resume = JSON.parse(JSON.stringify(stored)) as typeof stored;
      expect(await run(long, { ...options, resume })).toEqual(step.value);
    }
  });

  it("by its signal ends with the signal's reason", async () => {
    const controller = new AbortController();
    const reason = new Error("no longer wanted");
    const transcription = whisper.transcribe(long, { signal: controller.signal });
    await transcription.next();
    controller.abort(reason);
    await expect(collect(transcription)).rejects.toBe(reason);
  });
});

describe("the language", () => {
  it("is detected once and told with its probability", async () => {
    const told: [string, number | undefined][] = [];
    await run(long, { on: { language: (code, probability) => told.push([code, probability]) } });
    expect(told).toHaveLength(1);
    expect(told[0]![0]).toBe("en");
    expect(told[0]![1]).toBeGreaterThan(0.5);
  });

  it("is chosen among the allowed ones", async () => {
    const { language } = await run(speechPath("clean_001"), { allowedLanguages: ["de", "fr"] });
    expect(["de", "fr"]).toContain(language);
  });

  it("must be known to the model", async () => {
    const unsupported = { code: "unsupported_language" };
    await expect(run(long, { language: "klingon" })).rejects.toMatchObject(unsupported);
    await expect(run(long, { allowedLanguages: ["klingon"] })).rejects.toMatchObject(unsupported);
  });
});

describe("options that contradict each other", () => {
  it.each<[string, TranscribeOptions, RegExp]>([
    ["no temperature", { temperature: [] }, /at least one value/],
    ["patience without beams", { temperature: 0, patience: 2 }, /patience needs a beam_size/],
    ["a length penalty above 1", { temperature: 0, lengthPenalty: 2 }, /between 0 and 1, not 2/],
    ["beams that leave no candidate", { temperature: 0, beamSize: 1, patience: 0.2 }, /leaves no candidate/],
  ])("are refused in words: %s", async (_, options, message) => {
    await expect(run(speechPath("clean_001"), options)).rejects.toThrow(message);
  });
});
