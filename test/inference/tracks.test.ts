// Recordings with a speaker on each channel or track: found out, transcribed, merged, resumed.
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Segment } from "../../src/core/transcript.ts";
import { type AudioOptions, decodeAudio } from "../../src/inference/audio.ts";
import { probe } from "../../src/inference/media.ts";
import { preparedAudio } from "../../src/inference/pool/prepared-audio.ts";
import { areSpeakers, findSpeakers, watchTurns } from "../../src/inference/speaker-tracks.ts";
import type { TracksOptions } from "../../src/inference/tracks.ts";
import { collect } from "../../src/inference/transcribe.ts";
import { loadWhisper, type Whisper } from "../../src/inference/whisper.ts";
import { ffmpeg } from "../support/recordings.ts";

const sample = (name: string) => fileURLToPath(new URL(`../../models/demo/sample/${name}`, import.meta.url));

let folder: string;
let whisper: Whisper;
const made = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-tracks-"));
  const inputs = ["-i", sample("standup.flac"), "-i", sample("voice-note.ogg")];
  // The second answers after the first has spoken.
  const turns = "[0:a]aresample=16000,apad=whole_dur=13[l];[1:a]aresample=16000,adelay=7000,apad=whole_dur=13[r]";
  const merged = `${turns};[l][r]join=inputs=2:channel_layout=stereo`;
  ffmpeg(...inputs, "-filter_complex", merged, made("call.wav"));
  ffmpeg(...inputs, "-filter_complex", turns, "-map", "[l]", "-map", "[r]", ...TITLES, "-t", "13", made("tracks.mka"));
  ffmpeg("-i", sample("standup.flac"), "-ac", "2", made("dual-mono.wav"));
  // A room in stereo: the same speech on both sides, with noise of each side's own.
  const room = "[0:a]asplit[a][b];[a]volume=1[l];[b]volume=0.4,adelay=1[r];[l][r]join=inputs=2:channel_layout=stereo";
  ffmpeg("-i", sample("meeting.flac"), "-filter_complex", room, made("room.wav"));
  // Tones wander from side to side, as music does.
  const music = "sine=f=220:d=20,apulsator=hz=0.3:amount=0.7[l];sine=f=331:d=20,apulsator=hz=0.2:amount=0.7[r]";
  const mixed = `${music};[l]pan=stereo|c0=c0|c1=c1[x];[r]pan=stereo|c0=c0|c1=c1[y];[x][y]amix=inputs=2`;
  ffmpeg("-filter_complex", mixed, made("music.wav"));
  whisper = await loadWhisper("demo", { device: "cpu", threads: 1 });
}, 60_000);
afterAll(async () => {
  await whisper.close();
  await rm(folder, { recursive: true, force: true });
});

const TITLES = ["-metadata:s:a:0", "title=Anna", "-metadata:s:a:1", "title=Ben"];
const speakersIn = async (name: string, options: Parameters<typeof findSpeakers>[1]) =>
  (await findSpeakers(made(name), options)).tracks;

describe("who speaks on which track", () => {
  it("is found where two people take turns on two channels or tracks", async () => {
    expect(await speakersIn("call.wav", { speakerTracks: "auto" })).toEqual([
      { speaker: "Speaker 1", track: 0, channel: 0 },
      { speaker: "Speaker 2", track: 0, channel: 1 },
    ]);
    expect(await speakersIn("tracks.mka", { speakerTracks: "auto" })).toEqual([
      { speaker: "Anna", track: 0 },
      { speaker: "Ben", track: 1 },
    ]);
  });

  it.each(["dual-mono.wav", "room.wav", "music.wav"])("is not made up in %s", async (name) => {
    expect((await probe(made(name))).tracks[0]?.channels).toBe(2);
    expect(await speakersIn(name, { speakerTracks: "auto" })).toEqual([]);
  });

  it("is as asked: always, never, by name, and not against a chosen channel", async () => {
    expect(await speakersIn("dual-mono.wav", { speakerTracks: "on" })).toHaveLength(2);
    expect(await speakersIn("call.wav", { speakerTracks: "off" })).toEqual([]);
    expect(await speakersIn("call.wav", {})).toEqual([]);
    expect(await speakersIn("call.wav", { speakerTracks: "on", channel: 1 })).toEqual([]);
    expect(await speakersIn("tracks.mka", { speakerTracks: "on", track: "mix" })).toEqual([]);
    // The same name twice would make one of two.
    const names = await speakersIn("tracks.mka", { speakerTracks: "on", speakerNames: ["Ben"] });
    expect(names.map(({ speaker }) => speaker)).toEqual(["Ben", "Ben (2)"]);
    expect((await findSpeakers(new Float32Array(16_000), { speakerTracks: "on" })).tracks).toEqual([]);
  });

  it("needs turns: sound on both sides at once, on one side alone, or alike on both is none", () => {
    const turns = { soundFrames: 100, alone: [50, 40], correlation: 0.1 };
    expect(areSpeakers(turns)).toBe(true);
    expect(areSpeakers({ ...turns, alone: [30, 20] })).toBe(false);
    expect(areSpeakers({ ...turns, alone: [98, 2] })).toBe(false);
    expect(areSpeakers({ ...turns, correlation: 0.5 })).toBe(false);
    expect(areSpeakers({ soundFrames: 10, alone: [5, 5], correlation: 0 })).toBe(false);
  });

  it("sees who is alone, and how alike two are", () => {
    const watch = watchTurns(2);
    const loud = Float32Array.from({ length: 100 }, (_, i) => Math.sin(i));
    const quiet = loud.map((value) => value / 100);
    watch.hear([loud, quiet]);
    watch.hear([quiet, loud]);
    watch.hear([loud, loud]);
    watch.hear([new Float32Array(100), new Float32Array(100)]);
    expect(watch.turns()).toEqual({ soundFrames: 3, alone: [1, 1], correlation: expect.closeTo(0.51, 1) });
  });
});

describe("a call with a speaker on each channel", () => {
  const options = { language: "en", speakerTracks: "auto", speakerNames: ["Anna", "Ben"] } satisfies TracksOptions;

  it("is merged by time, with who speaks, and says how far it is", async () => {
    const heard: number[] = [];
    const on = { progress: (seconds: number) => void heard.push(seconds) };
    const { segments, text, duration } = await collect(whisper.transcribe(made("call.wav"), { ...options, on }));
    expect(segments.map(({ speaker }) => speaker)).toEqual(["Anna", "Anna", "Ben", "Ben"]);
    expect(segments.map(({ id }) => id)).toEqual([0, 1, 2, 3]);
    expect(segments.map(({ start }) => start)).toEqual(segments.map(({ start }) => start).toSorted((a, b) => a - b));
    expect(text).toMatch(/^ We use \S+ for the website\. .* Emma, can you update the budget by Friday\?/);
    expect(duration).toBeCloseTo(13, 0);
    expect(heard).toEqual(heard.toSorted((a, b) => a - b));
    expect([heard[0], heard.at(-1)]).toEqual([0, expect.closeTo(duration, 1)]);
  });

  it("goes on from any checkpoint to the same transcript", async () => {
    const kept: { checkpoint: NonNullable<TracksOptions["resume"]>["checkpoint"]; segments: Segment[] }[] = [];
    const segments: Segment[] = [];
    const on: TracksOptions["on"] = {
      checkpoint(checkpoint) {
        kept.push(JSON.parse(JSON.stringify({ checkpoint, segments })));
      },
    };
    const transcription = whisper.transcribe(made("call.wav"), { ...options, on });
    let step = await transcription.next();
    for (; !step.done; step = await transcription.next()) segments.push(step.value);
    expect(kept.length).toBeGreaterThanOrEqual(2);
    for (const resume of kept) {
      expect(await collect(whisper.transcribe(made("call.wav"), { ...options, resume }))).toEqual(step.value);
    }
  });
});

describe("a call on its way to a pool", () => {
  it("keeps each speaker's very samples, on a channel of its own", async () => {
    const speakers = await speakersIn("call.wav", { speakerTracks: "auto" });
    const sent = made("sent.flac");
    const file = createWriteStream(sent);
    const { signal } = new AbortController();
    for await (const bytes of preparedAudio(made("call.wav"), { speakers: speakers.map(soundOf), signal }))
      file.write(bytes);
    await new Promise<void>((resolve) => file.end(resolve));
    expect((await probe(sent)).tracks).toMatchObject([{ channels: 2, sampleRate: 16_000 }]);
    for (const [channel, speaker] of speakers.entries()) {
      const [here, there] = [await samplesOf("call.wav", soundOf(speaker)), await samplesOf("sent.flac", { channel })];
      expect(here.length).toBeGreaterThan(12 * 16_000);
      expect(here.some((sample) => sample !== 0)).toBe(true);
      expect(Buffer.from(there.buffer).equals(Buffer.from(here.buffer))).toBe(true);
    }
  });
});

const soundOf = ({ track = 0, channel = 0 }: { readonly track?: number; readonly channel?: number }) => ({
  track,
  channel,
});

async function samplesOf(name: string, options: AudioOptions): Promise<Float32Array> {
  const samples: number[] = [];
  for await (const part of decodeAudio(made(name), options)) samples.push(...part);
  return Float32Array.from(samples);
}
