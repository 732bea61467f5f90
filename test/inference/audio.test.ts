// Decoding with the real ffmpeg: what comes out, how it stops, and what is left behind.

import { execFileSync } from "node:child_process";
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type AudioOptions, type AudioSource, decodeAudio, N_FRAMES } from "../../src/inference/audio.ts";
import { error, ffmpeg, ffmpegs, makeTracks, PICTURE, sine } from "../support/recordings.ts";

let folder: string;
const file = (name: string) => join(folder, name);
const STEREO = ["-filter_complex", "[0:a][1:a]amerge=inputs=2[a]", "-map", "[a]"];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-test-"));
  ffmpeg(...sine(440, 1, 8000), file("8k.wav"));
  ffmpeg(...sine(440, 2), ...sine(880, 2), ...STEREO, file("stereo.wav"));
  ffmpeg(...sine(440, 2), ...sine(880, 2), ...STEREO, file("stereo.mp3"));
  ffmpeg(...sine(440, 2, 48000), "-c:a", "libopus", file("voice.ogg"));
  const surround = [0, 1, 2, 3, 4, 5].map((i) => `sin(2*PI*${300 + 100 * i}*t)/8`).join("|");
  ffmpeg("-f", "lavfi", "-i", `aevalsrc=${surround}:c=5.1:s=48000:d=1`, file("surround.wav"));
  makeTracks(file("tracks.mkv"));
  const late = [...sine(440, 2), "-itsoffset", "1", ...sine(880, 2), "-map", "0:a", "-map", "1:a"];
  ffmpeg(...late, "-c:a", "flac", file("late.mkv"));
  ffmpeg(...PICTURE, ...sine(440, 2), file("index-at-end.mp4"));
  ffmpeg(...PICTURE, ...sine(440, 2), "-movflags", "+faststart", file("truncated.mp4"));
  truncateSync(file("truncated.mp4"), Math.floor(statSync(file("truncated.mp4")).size / 2));
  writeFileSync(file("truncated.mp3"), readFileSync(file("stereo.mp3")).subarray(0, 20_000));
  writeFileSync(file("header.wav"), readFileSync(file("8k.wav")).subarray(0, 78));
  ffmpeg("-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-t", "1200", file("long.wav"));
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  vi.unstubAllEnvs();
  expect(ffmpegs(), "ffmpeg processes left").toEqual([]);
});

async function decoded(source: AudioSource, options?: AudioOptions): Promise<Float32Array> {
  const chunks: Float32Array[] = [];
  for await (const chunk of decodeAudio(source, options)) chunks.push(chunk);
  return Float32Array.from(chunks.flatMap((chunk) => [...chunk]));
}

/** What openai/whisper's load_audio runs. Ref: openai/whisper audio.py */
function reference(path: string): Float32Array {
  const args = ["-nostdin", "-loglevel", "error", "-threads", "0", "-i", path];
  const output = ["-f", "s16le", "-ac", "1", "-acodec", "pcm_s16le", "-ar", "16000", "-"];
  const bytes = execFileSync("ffmpeg", [...args, ...output], { maxBuffer: 1 << 26 });
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(2 * i) / 32768);
}

/** Amplitude of a sine of `hz` in the samples. */
function amplitude(samples: Float32Array, hz: number): number {
  let re = 0;
  let im = 0;
  samples.forEach((sample, n) => {
    re += sample * Math.cos((2 * Math.PI * hz * n) / 16000);
    im += sample * Math.sin((2 * Math.PI * hz * n) / 16000);
  });
  return (2 * Math.hypot(re, im)) / samples.length;
}

test("a window has 3000 frames", () => expect(N_FRAMES).toBe(3000));

describe("samples", () => {
  test.each(["8k.wav", "stereo.wav", "stereo.mp3", "voice.ogg", "surround.wav", "tracks.mkv", "index-at-end.mp4"])(
    "%s: equal to load_audio's bit for bit",
    async (name) => {
      const samples = await decoded(file(name));
      expect(Buffer.from(samples.buffer).equals(Buffer.from(reference(file(name)).buffer))).toBe(true);
    },
  );

  test("length and loudness", async () => {
    const samples = await decoded(file("8k.wav"));
    expect(samples.length).toBe(16000);
    expect(amplitude(samples, 440)).toBeCloseTo(1 / 8, 2); // The amplitude of ffmpeg's sine.
  });

  test("all channels are mixed down, or one is picked", async () => {
    const mixed = await decoded(file("stereo.wav"));
    expect(amplitude(mixed, 440)).toBeCloseTo(1 / 16, 2);
    expect(amplitude(mixed, 880)).toBeCloseTo(1 / 16, 2);
    const right = await decoded(file("stereo.wav"), { channel: 1 });
    expect(amplitude(right, 440)).toBeCloseTo(0, 3);
    expect(amplitude(right, 880)).toBeCloseTo(1 / 8, 2);
    const lowFrequencies = await decoded(file("surround.wav"), { channel: 3 });
    expect(amplitude(lowFrequencies, 600)).toBeCloseTo(1 / 8, 2);
  });

  test("the default track is the one marked so; another can be chosen", async () => {
    expect(amplitude(await decoded(file("tracks.mkv")), 880)).toBeCloseTo(1 / 8, 2);
    const first = await decoded(file("tracks.mkv"), { track: 0, channel: 0 });
    expect(first.length).toBe(32000);
    expect(amplitude(first, 440)).toBeCloseTo(1 / 8, 2);
  });

  test("a mix holds every track at its share for its time", async () => {
    const mix = await decoded(file("tracks.mkv"), { track: "mix" });
    expect(mix.length).toBe(32000);
    const [both, alone] = [mix.subarray(2000, 15000), mix.subarray(17000, 30000)];
    expect(amplitude(both, 440)).toBeCloseTo(1 / 16, 2);
    expect(amplitude(both, 880)).toBeCloseTo(1 / 16, 2);
    expect(amplitude(alone, 440)).toBeCloseTo(1 / 16, 2);
    expect(amplitude(alone, 880)).toBeCloseTo(0, 3);
  });

  test("a track that begins late stays late in the mix", async () => {
    const mix = await decoded(file("late.mkv"), { track: "mix" });
    expect(mix.length).toBe(48000);
    expect(amplitude(mix.subarray(0, 15000), 880)).toBeCloseTo(0, 3);
    expect(amplitude(mix.subarray(33000), 880)).toBeCloseTo(1 / 16, 2);
  });

  test.each(["truncated.mp3", "truncated.mp4"])("%s: what can be decoded is", async (name) => {
    const samples = await decoded(file(name));
    expect(samples.length).toBeGreaterThan(8000);
    expect(samples.length).toBeLessThan(30000);
    expect(amplitude(samples.subarray(2000), 440)).toBeGreaterThan(0.03);
  });

  test("names that look like URLs or options are files", async () => {
    const odd = ["-i.wav", "concat:8k.wav", "http:8k.wav", "a|b %d.wav"];
    const before = process.cwd();
    process.chdir(folder);
    try {
      for (const name of odd) {
        writeFileSync(name, readFileSync("8k.wav"));
        expect((await decoded(name)).length, name).toBe(16000);
      }
    } finally {
      process.chdir(before);
    }
  });
});

describe("refused with one sentence", () => {
  test("a sound track with nothing in it", async () => {
    await expect(decoded(file("header.wav"))).rejects.toEqual(error("no_audio", "header.wav", "nothing in it"));
  });

  test("a track or channel that is not there", async () => {
    const refused = (name: string, options: AudioOptions) => expect(decoded(file(name), options)).rejects;
    await refused("tracks.mkv", { track: 2 }).toEqual(error("bad_option", "no track 2", "2 tracks, numbers 0 to 1"));
    await refused("8k.wav", { track: -1 }).toEqual(error("bad_option", "no track -1", "one track, number 0"));
    await refused("stereo.wav", { channel: 2 }).toEqual(error("bad_option", "no channel 2", "2 channels"));
    await refused("stereo.wav", { channel: 0.5 }).toEqual(error("bad_option", "no channel 0.5"));
    await refused("tracks.mkv", { track: "mix", channel: 0 }).toEqual(error("bad_option", "not from a mix"));
  });
});

describe("ffmpeg is missing", () => {
  test.each(["FFMPEG_PATH", "FFPROBE_PATH"])("%s points at nothing", async (setting) => {
    vi.stubEnv("FFPROBE_PATH", execFileSync("which", ["ffprobe"], { encoding: "utf8" }).trim());
    vi.stubEnv(setting, file("no-such-program"));
    const expected = error("no_ffmpeg", "no-such-program", "apt-get install ffmpeg", "FFMPEG_PATH");
    await expect(decoded(file("8k.wav"))).rejects.toEqual(expected);
  });
});

describe("stopping", () => {
  test("a reader that stops early ends ffmpeg", async () => {
    for await (const chunk of decodeAudio(file("long.wav"))) {
      expect(chunk.length).toBeGreaterThan(0);
      expect(ffmpegs()).toHaveLength(1);
      break;
    }
    expect(ffmpegs()).toEqual([]);
  });

  test("an aborted signal ends ffmpeg, with its own reason", async () => {
    const abort = new AbortController();
    const reading = (async () => {
      for await (const _ of decodeAudio(file("long.wav"), { signal: abort.signal })) abort.abort(new Error("enough"));
    })();
    await expect(reading).rejects.toThrow("enough");
    expect(ffmpegs()).toEqual([]);
  });

  test("an aborted signal ends a reader that waits", async () => {
    const abort = new AbortController();
    const waiting = decoded(new Readable({ read() {} }), { signal: abort.signal });
    setTimeout(() => abort.abort(new Error("enough")), 50);
    await expect(waiting).rejects.toThrow("enough");
  });

  test("an ffmpeg that is killed is not mistaken for the end of the recording", async () => {
    const reading = (async () => {
      for await (const _ of decodeAudio(file("long.wav"))) for (const pid of ffmpegs()) process.kill(pid, "SIGKILL");
    })();
    await expect(reading).rejects.toEqual(error("child_died", "ended from outside"));
  });

  test.skipIf(process.platform !== "linux")("ffmpeg waits for a slow reader (reads /proc)", async () => {
    const written = (pid: number) => Number(/wchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, "utf8"))![1]);
    let total = 0;
    for await (const chunk of decodeAudio(file("long.wav"))) {
      if (total === 0) {
        const [pid] = ffmpegs();
        for (let before = -1; before !== written(pid!); await sleep(200)) before = written(pid!);
        expect(written(pid!)).toBeGreaterThan(1 << 16);
        expect(written(pid!)).toBeLessThan(1 << 20);
      }
      total += chunk.length;
    }
    expect(total).toBe(1200 * 16000);
  });
});

describe("a stream", () => {
  let temporary: string;
  beforeAll(() => {
    temporary = file("temporary");
    mkdirSync(temporary);
  });
  const left = () => readdirSync(temporary);

  test("is decoded even where its index is at the end, and leaves no file", async () => {
    vi.stubEnv("TMPDIR", temporary);
    let samples = 0;
    for await (const chunk of decodeAudio(createReadStream(file("index-at-end.mp4")))) {
      samples += chunk.length;
      expect(left()).toHaveLength(1);
      expect(statSync(join(temporary, left()[0]!)).mode & 0o777).toBe(0o600);
    }
    expect(samples).toBe(reference(file("index-at-end.mp4")).length);
    expect(left()).toEqual([]);
  });

  test("that is empty, not audio or broken leaves no file either", async () => {
    vi.stubEnv("TMPDIR", temporary);
    await expect(decoded(Readable.from([]))).rejects.toEqual(error("unreadable", "empty \\(0 bytes\\)"));
    await expect(decoded(Readable.from(["text"]))).rejects.toEqual(error("unreadable", "The input"));
    const broken = new Readable({
      read() {
        this.destroy(new Error("the cable was cut"));
      },
    });
    await expect(decoded(broken)).rejects.toThrow("the cable was cut");
    for await (const _ of decodeAudio(createReadStream(file("8k.wav")))) break;
    expect(left()).toEqual([]);
  });

  test.skipIf(process.platform !== "linux")("that fills the disk is one sentence (limits file sizes)", async () => {
    vi.stubEnv("TMPDIR", temporary);
    const ignore = () => {};
    process.on("SIGXFSZ", ignore);
    execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=65536:"]);
    try {
      await expect(decoded(createReadStream(file("long.wav")))).rejects.toEqual(error("disk_full", temporary));
    } finally {
      execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=unlimited:"]);
      process.off("SIGXFSZ", ignore);
    }
    expect(left()).toEqual([]);
  });
});
