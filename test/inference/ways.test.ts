// Both ways through a recording with the demo model and Silero's: what is skipped, what comes out, and going on.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { joinSamples, samplesOf } from "../../src/cli/bench/wav.ts";
import { wordErrorRate } from "../../src/cli/bench/words.ts";
import type { Segment, Transcript, Way } from "../../src/core/transcript.ts";
import { SAMPLE_RATE } from "../../src/inference/audio.ts";
import { demoFolder } from "../../src/inference/models.ts";
import {
  type Checkpoint,
  collect,
  type TranscribeOptions,
  transcribe,
  wayFor,
} from "../../src/inference/transcribe.ts";
import { openVoiceDetector, overhear } from "../../src/inference/vad.ts";
import { loadWhisper, type Whisper } from "../../src/inference/whisper.ts";
import { scriptedModel } from "../support/scripted-model.ts";
import { speechSamples } from "../support/speech.ts";

interface Clip {
  readonly file: string;
  readonly text: string;
  readonly prompt: string;
}

const WAYS: Way[] = ["sequential", "batched"];
const meeting = join(demoFolder, "sample", "meeting.flac");
const refs = (folder: string) =>
  JSON.parse(readFileSync(join(demoFolder, folder, "refs.json"), "utf8")) as readonly Clip[];
const { text: meetingText, prompt } = refs("sample").find(({ file }) => file === "meeting.flac")!;
/** Three sentences that the demo model understands. */
const said = refs("eval").filter(({ file }) => /clean_00[036]/.test(file));

let whisper: Whisper;
let hum: Float32Array;
let clips: Float32Array[];
/** Three clips, with hum and then a minute of silence between them. */
let sparse: Float32Array;
beforeAll(async () => {
  whisper = await loadWhisper("demo", { device: "cpu", threads: 1 });
  hum = await speechSamples("nospeech_003");
  clips = await Promise.all(said.map(({ file }) => samplesOf(join(demoFolder, "eval", file))));
  sparse = joinSamples([hum, clips[0]!, hum, silence(60), clips[1]!, silence(5), clips[2]!, hum]);
});
afterAll(() => whisper.close());

const silence = (seconds: number) => new Float32Array(seconds * SAMPLE_RATE);
const run = (source: string | Float32Array, way: Way, options: TranscribeOptions = {}) =>
  collect(whisper.transcribe(source, { vad: true, way, language: "en", temperature: 0, ...options }));

describe.each(WAYS)("a recording gone through %s", (way) => {
  it("has the words of its clips, at the times at which they are said, and none between", async () => {
    const { text, segments, duration, way: taken } = await run(sparse, way);
    expect(text).toBe(said.map((clip) => ` ${clip.text}`).join(""));
    expect(taken).toBe(way);
    expect(duration).toBeCloseTo(sparse.length / SAMPLE_RATE, 3);
    const lengths = clips.map((clip) => clip.length / SAMPLE_RATE);
    const starts = [10, 20 + lengths[0]! + 60, 25 + lengths[0]! + lengths[1]! + 60];
    expect(segments).toHaveLength(3);
    for (const [i, { start, end }] of segments.entries()) {
      expect(start).toBeGreaterThan(starts[i]! - 0.1);
      expect(end).toBeLessThan(starts[i]! + lengths[i]! + 0.1);
    }
  });

  it("has word times that lead back to the recording too", async () => {
    const { segments } = await run(sparse, way, { wordTimestamps: true });
    for (const { start, end, words = [] } of segments) {
      expect(words.length).toBeGreaterThan(0);
      expect(words[0]!.start).toBeGreaterThanOrEqual(start - 0.01);
      expect(words.at(-1)!.end).toBeLessThanOrEqual(end + 0.01);
    }
  });

  it("of silence, hum and hiss gives no segment, and still tells that it has ended", async () => {
    const told: number[] = [];
    const checkpoints: Checkpoint[] = [];
    const source = joinSamples([hum, silence(70), await speechSamples("nospeech_001")]);
    const { text, segments } = await run(source, way, {
      on: { progress: (seconds) => told.push(seconds), checkpoint: (one) => checkpoints.push(one) },
    });
    expect(text).toBe("");
    expect(segments).toEqual([]);
    expect(told).toEqual([0, source.length / SAMPLE_RATE]);
    expect(checkpoints).toHaveLength(1);
  });

  it("goes on from any checkpoint to the same transcript", async () => {
    const { steps, whole } = await recorded(meeting, way);
    expect(steps.length).toBeGreaterThan(1);
    for (const resume of steps) {
      expect(await run(meeting, way, { initialPrompt: prompt, batchSize: 1, resume })).toEqual(whole);
    }
  });

  it("is told what was dropped and why, also after going on", async () => {
    const pause = joinSamples([clips[0]!, silence(1), clips[0]!]);
    const regions = (await spokenIn(pause)).map(({ start, end }) => ({ start: start / 100, end: end / 100 }));
    const windowStart = Math.max(0, regions[0]!.start - 0.4);
    // The longest pause is the one between the two clips.
    const second = regions.findIndex(({ start }) => start > clips[0]!.length / SAMPLE_RATE + 0.9);
    const [from, to] = [regions[second - 1]!.end - windowStart, regions[second]!.start - windowStart];
    const { model } = scriptedModel(whisper, () => [
      [0.4, " The plan is ready.", from],
      [from + 0.2, " Thank you.", to - 0.2],
      [to, " It is open.", to + 1],
    ]);
    const checkpoints: Checkpoint[] = [];
    const options = { vad: true, way, language: "en", suppressTokens: [] };
    const on = { checkpoint: (checkpoint: Checkpoint) => checkpoints.push(checkpoint) };
    const transcript = await collect(transcribe(model, pause, { ...options, on }));
    expect(transcript.text).toBe(" The plan is ready. It is open.");
    const { start, end, ...note } = transcript.guards![0]!;
    expect(note).toEqual({ kind: "phantom", text: "Thank you.", action: "dropped" });
    expect(start - windowStart).toBeCloseTo(from + 0.2, 1);
    expect(end - windowStart).toBeCloseTo(to - 0.2, 1);
    const resume = { checkpoint: checkpoints.at(-1)!, segments: transcript.segments };
    expect(await collect(transcribe(model, pause, { ...options, resume }))).toEqual(transcript);
  });

  it("loses nothing that the model left for later", async () => {
    // The first time it stops after one sentence, without a word on the rest.
    const { model, attempts } = scriptedModel(whisper, ({ before }) =>
      before === 0
        ? [
            [0.2, " The plan is ready.", 2],
            [2, " It"],
          ]
        : [[0, " It is open.", 2]],
    );
    const source = joinSamples([clips[0]!, clips[1]!]);
    const { text } = await collect(transcribe(model, source, { vad: true, way, language: "en", suppressTokens: [] }));
    expect(attempts.length).toBe(2);
    expect(text).toBe(" The plan is ready. It is open.");
  });

  it("can be limited to clips of it", async () => {
    const { segments } = await run(sparse, way, { clipTimestamps: [0, 30, 80] });
    expect(segments.length).toBeGreaterThan(1);
    for (const { start, end } of segments) expect(end <= 30 || start >= 80).toBe(true);
  });

  it("ends at once with its signal's reason", async () => {
    const abort = new AbortController();
    const reason = new Error("no longer wanted");
    const aborting = { progress: () => setImmediate(() => abort.abort(reason)) };
    const seen: Segment[] = [];
    const transcription = whisper.transcribe(meeting, {
      vad: true,
      way,
      language: "en",
      signal: abort.signal,
      on: aborting,
    });
    await expect(
      (async () => {
        for await (const segment of transcription) seen.push(segment);
      })(),
    ).rejects.toBe(reason);
    expect(seen).toEqual([]);
  });
});

async function spokenIn(samples: Float32Array) {
  const detector = await openVoiceDetector();
  async function* once() {
    yield samples;
  }
  const { samples: passing, regions } = overhear(once(), detector);
  for await (const _ of passing);
  return regions();
}

/** A transcription, with all that is needed to go on from each of its checkpoints, kept as a database does. */
async function recorded(source: string, way: Way) {
  const steps: { checkpoint: Checkpoint; segments: Segment[] }[] = [];
  const segments: Segment[] = [];
  const on = {
    checkpoint: (checkpoint: Checkpoint) =>
      steps.push(JSON.parse(JSON.stringify({ checkpoint, segments })) as (typeof steps)[number]),
  };
  const options = { vad: true, way, language: "en", temperature: 0, initialPrompt: prompt, batchSize: 1, on };
  const transcription = whisper.transcribe(source, options);
  let step = await transcription.next();
  for (; !step.done; step = await transcription.next()) segments.push(step.value);
  return { steps, whole: step.value };
}

describe("several windows at once", () => {
  it("understand the sample meeting, names of the glossary in the second window included", async () => {
    const { text, segments } = await run(meeting, "batched", { initialPrompt: prompt });
    expect(wordErrorRate([meetingText], [text.trim()])).toBeLessThan(0.05);
    const late = segments.filter(({ start }) => start > 30).map((segment) => segment.text);
    expect(late.join("")).toMatch(/Xamoetee.*Qavylow.*Qavylow/);
  });

  it("give the same text however many they are", async () => {
    const texts: Transcript[] = [];
    for (const batchSize of [1, 3]) texts.push(await run(meeting, "batched", { batchSize }));
    expect(texts[1]?.text).toBe(texts[0]?.text);
  });

  it("need voice activity detection, and say so", async () => {
    await expect(run(meeting, "batched", { vad: false })).rejects.toMatchObject({ code: "bad_option" });
  });
});

describe("the way", () => {
  it("is chosen by the device and by how much is spoken, unless it is asked for", () => {
    const minutes = (count: number) => count * 6000;
    expect(wayFor(minutes(2), { vad: true })).toBe("batched");
    expect(wayFor(minutes(0.5), { vad: true })).toBe("sequential");
    expect(wayFor(minutes(2), { vad: false })).toBe("sequential");
    expect(wayFor(minutes(0.5), { vad: true, way: "batched" })).toBe("batched");
    expect(wayFor(minutes(2), { vad: true, way: "sequential" })).toBe("sequential");
  });

  it("is not told, and nothing is judged, where there is no voice activity detection", async () => {
    const plain = await collect(whisper.transcribe(clips[0]!, { language: "en", temperature: 0 }));
    expect(plain).not.toHaveProperty("way");
    expect(plain).not.toHaveProperty("guards");
  });
});
