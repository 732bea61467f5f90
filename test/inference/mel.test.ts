// The log-mel spectrogram against openai/whisper's own values, however the samples come in and wherever frames wait.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { N_FRAMES } from "../../src/inference/audio.ts";
import { logMelSpectrogram, type MelOptions, type MelSpectrogram } from "../../src/inference/mel.ts";
import { melFilters } from "../../src/inference/mel-filters.ts";

const fixture = (name: string) => JSON.parse(readFileSync(new URL(`../fixtures/mel/${name}`, import.meta.url), "utf8"));

interface Golden {
  readonly samples: number;
  readonly nMels: number;
  readonly contentFrames: number;
  readonly frames: Readonly<Record<string, readonly number[]>>;
  readonly meanOfFrame: readonly number[];
  readonly meanOfBin: readonly number[];
}
const golden: readonly Golden[] = fixture("golden.json");
const filters: Readonly<Record<string, readonly (readonly [number, number, number])[]>> = fixture("filters.json");

/** The same integers as `signal` in test/fixtures/mel/make.py. */
function signal(n: number): Float32Array {
  const samples = new Float32Array(n);
  let seed = 12345;
  let phase = 0;
  for (let i = 0; i < n; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    const noise = ((seed >> 16) & 0x7fff) - 16384;
    phase = (phase + 200 + (i >> 3)) & 0xffff;
    const triangle = (phase < 32768 ? phase : 65535 - phase) - 16384;
    const quieter = Math.floor(i / 1600) % 5;
    samples[i] = ((noise >> (4 + quieter)) + (triangle >> (1 + quieter))) / 32768;
  }
  return samples;
}

async function* chunks(samples: Float32Array, lengths: (i: number) => number = () => 4096) {
  for (let at = 0, i = 0; at < samples.length; i++) {
    const length = lengths(i);
    yield samples.subarray(at, at + length);
    at += length;
  }
}

const melOf = (samples: Float32Array, nMels: number, options?: MelOptions) =>
  logMelSpectrogram(chunks(samples), nMels, options);

/** Frames `first` … of a spectrogram, one array of `nMels` values each, through as many windows as that takes. */
async function framesOf(mel: MelSpectrogram, first: number, count: number): Promise<number[][]> {
  const frames: number[][] = [];
  while (frames.length < count) {
    const size = Math.min(3000, count - frames.length);
    const window = await mel.window(first + frames.length, size);
    for (let t = 0; t < size; t++) frames.push(Array.from({ length: mel.nMels }, (_, m) => window[m * 3000 + t]!));
  }
  return frames;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function expectClose(actual: readonly number[], expected: readonly number[], within: number, what: string): void {
  expect(actual.length).toBe(expected.length);
  const worst = Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!)));
  expect(worst, what).toBeLessThan(within);
}

/** Equal bit for bit; `toEqual` takes seconds over a window. */
function expectSame(actual: Float32Array, expected: Float32Array): void {
  expect(Buffer.from(actual.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
}

test.each([80, 128])("the filterbank of %i bins is librosa's", (nMels) => {
  const { first, offsets, weights } = melFilters(nMels);
  const actual: [number, number, number][] = [];
  for (let m = 0; m < nMels; m++) {
    for (let i = offsets[m]!; i < offsets[m + 1]!; i++) actual.push([m, first[m]! + i - offsets[m]!, weights[i]!]);
  }
  const expected = filters[nMels]!;
  expect(actual.map(([m, k]) => [m, k])).toEqual(expected.map(([m, k]) => [m, k]));
  expectClose(
    actual.map(([, , weight]) => weight),
    expected.map(([, , weight]) => weight),
    1e-7,
    "weights",
  );
});

describe.each(golden)("$samples samples, $nMels bins, against openai/whisper", (expected) => {
  test("frames, means and length", async () => {
    const mel = await melOf(signal(expected.samples), expected.nMels);
    expect(mel.nMels).toBe(expected.nMels);
    expect(mel.contentFrames).toBe(expected.contentFrames);
    expect(mel.durationSeconds).toBe(expected.samples / 16000);
    const actual = await framesOf(mel, 0, Math.max(3000, expected.contentFrames + 4));
    for (const [t, frame] of Object.entries(expected.frames))
      expectClose(actual[Number(t)]!, frame, 1e-4, `frame ${t}`);
    const content = actual.slice(0, expected.contentFrames + 4);
    expectClose(content.map(mean), expected.meanOfFrame, 1e-5, "mean of each frame");
    const bins = Array.from({ length: expected.nMels }, (_, m) => mean(content.map((frame) => frame[m]!)));
    expectClose(bins, expected.meanOfBin, 1e-5, "mean of each bin");
    await mel.close();
  });
});

describe("windows", () => {
  test("what lies past the asked frames is 0.0, not silence", async () => {
    const mel = await melOf(signal(16000), 80);
    const window = await mel.window(20, 80);
    expect(window.length).toBe(80 * 3000);
    const whole = await framesOf(mel, 0, 100);
    for (let m = 0; m < 80; m++) {
      expect(window[m * 3000]).toBe(whole[20]![m]);
      expect(window[m * 3000 + 79]).toBe(whole[99]![m]);
      expect(window.subarray(m * 3000 + 80, (m + 1) * 3000).every((value) => value === 0)).toBe(true);
    }
    await mel.close();
  });

  test("the head goes on with silence after the recording", async () => {
    const mel = await melOf(signal(16000), 80);
    const head = await mel.window(0, N_FRAMES);
    const silence = head.reduce((least, value) => Math.min(least, value));
    expect(silence).toBeLessThan(0);
    for (let m = 0; m < 80; m++) {
      expect(head[m * 3000 + 50]).toBeGreaterThan(silence);
      expect(head.subarray(m * 3000 + 103, (m + 1) * 3000).every((value) => value === silence)).toBe(true);
    }
    await mel.close();
  });

  test("a given array is filled anew and returned", async () => {
    const mel = await melOf(signal(16000), 80);
    const into = new Float32Array(80 * 3000).fill(7);
    expect(await mel.window(10, 50, into)).toBe(into);
    expectSame(into, await mel.window(10, 50));
    await mel.close();
  });

  test("more than 30 s is a mistake of the caller", async () => {
    const mel = await melOf(signal(1600), 80);
    await expect(mel.window(0, 3001)).rejects.toThrow(RangeError);
    await mel.close();
  });

  test("digital silence is a flat spectrogram, not NaN", async () => {
    const mel = await melOf(new Float32Array(16000), 80);
    // Ref: log_mel_spectrogram(zeros): (-10 + 4) / 4
    expect((await mel.window(0, N_FRAMES)).every((value) => value === -1.5)).toBe(true);
    await mel.close();
  });
});

describe("input", () => {
  test.each([
    ["single samples", () => 1],
    ["primes", (i: number) => [7, 401, 160_243, 31, 2][i % 5]!],
    ["one chunk", () => Number.POSITIVE_INFINITY],
  ])("chunk boundaries do not matter: %s", async (_, lengths) => {
    const samples = signal(16000 * 21 + 77);
    const expected = await melOf(samples, 80);
    const mel = await logMelSpectrogram(chunks(samples, lengths), 80);
    expectSame(await mel.window(0, 2100), await expected.window(0, 2100));
  });

  test("an empty recording is an error of the user's", async () => {
    await expect(melOf(new Float32Array(0), 80)).rejects.toMatchObject({ name: "UserError", code: "no_audio" });
  });

  test("progress is reported in seconds", async () => {
    const seen: number[] = [];
    await melOf(signal(16000), 80, { onProgress: (seconds) => seen.push(seconds) });
    expect(seen).toEqual([0.256, 0.512, 0.768, 1]);
  });

  test("an aborted signal stops the reading and closes the source", async () => {
    const abort = new AbortController();
    let closed = false;
    async function* endless() {
      try {
        for (let i = 0; ; i++) {
          if (i === 3) abort.abort(new Error("enough"));
          yield new Float32Array(4096);
        }
      } finally {
        closed = true;
      }
    }
    await expect(logMelSpectrogram(endless(), 80, { signal: abort.signal })).rejects.toThrow("enough");
    expect(closed).toBe(true);
  });
});

describe("frames waiting on disk", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "earshot-test-"));
    vi.stubEnv("TMPDIR", folder);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  const spillFiles = () =>
    readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
      } catch {
        return false; // The handle with which the folder itself was listed.
      }
    }).length;

  test.each([
    ["from the first frame", 0],
    ["after 10 s", 1000],
    ["after 20 s", 2500],
  ])("windows are the same when frames move to disk %s", async (_, spillAfterFrames) => {
    const samples = signal(16000 * 45);
    const inMemory = await melOf(samples, 80);
    const spilled = await melOf(samples, 80, { spillAfterFrames });
    for (const [seek, size] of [
      [0, 3000],
      [950, 100],
      [1999, 2],
      [2345, 2155],
      [4400, 100],
    ] as const) {
      expectSame(await spilled.window(seek, size), await inMemory.window(seek, size));
    }
    expectSame(await spilled.window(0, N_FRAMES), await inMemory.window(0, N_FRAMES));
    await spilled.close();
  });

  test.skipIf(process.platform !== "linux")("the file has no name, and is gone once closed (reads /proc)", async () => {
    const mel = await melOf(signal(16000 * 12), 80, { spillAfterFrames: 0 });
    expect(readdirSync(folder)).toEqual([]);
    expect(spillFiles()).toBe(1);
    await mel.close();
    expect(spillFiles()).toBe(0);
  });

  test.skipIf(process.platform !== "linux")("a source that fails leaves no open file (reads /proc)", async () => {
    async function* failing() {
      yield signal(16000 * 12);
      throw new Error("the source broke");
    }
    await expect(logMelSpectrogram(failing(), 80, { spillAfterFrames: 0 })).rejects.toThrow("the source broke");
    expect(spillFiles()).toBe(0);
  });

  test.skipIf(process.platform !== "linux")(
    "a full disk is one sentence (limits file sizes with prlimit)",
    async () => {
      const ignore = () => {};
      process.on("SIGXFSZ", ignore);
      execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=65536:"]);
      try {
        await expect(melOf(signal(16000 * 12), 80, { spillAfterFrames: 0 })).rejects.toMatchObject({
          name: "InferenceError",
          code: "disk_full",
          message: expect.stringContaining(folder),
        });
      } finally {
        execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=unlimited:"]);
        process.off("SIGXFSZ", ignore);
      }
      expect(spillFiles()).toBe(0);
    },
  );
});
