// What files hold, and what is refused with which words.

import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { mediaOf, probe } from "../../src/inference/media.ts";
import { sandboxFor } from "../../src/inference/sandbox.ts";
import { error, ffmpeg, ffmpegs, makeTracks, PICTURE, sine } from "../support/recordings.ts";

let folder: string;
const file = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-test-"));
  ffmpeg(...sine(440, 1, 8000), file("8k.wav"));
  makeTracks(file("tracks.mkv"));
  ffmpeg(...PICTURE, file("silent.mp4"));
  ffmpeg(...PICTURE, ...sine(440, 2), file("index-at-end.mp4"));
  writeFileSync(file("no-index.mp4"), readFileSync(file("index-at-end.mp4")).subarray(0, 5000));
  ffmpeg(...PICTURE, "-frames:v", "1", file("picture.png"));
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  vi.unstubAllEnvs();
  expect(ffmpegs(), "ffprobe processes left").toEqual([]);
});

describe("probe", () => {
  test("tells the tracks and the length", async () => {
    const media = await probe(file("tracks.mkv"));
    expect(media.durationSeconds).toBeCloseTo(2, 1);
    expect(media.tracks).toEqual([
      { index: 0, codec: "flac", channels: 1, sampleRate: 44100, isDefault: false },
      {
        index: 1,
        codec: "flac",
        channels: 1,
        sampleRate: 44100,
        isDefault: true,
        language: "deu",
        title: "[/STREAM]\nRegie",
      },
    ]);
  });

  test("stops when the signal aborts", async () => {
    await expect(probe(file("8k.wav"), AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
  });
});

describe("refused with one sentence", () => {
  test.each([
    ["nothing-here.mp3", error("not_found", "nothing-here.mp3")],
    ["8k.wav/inside.mp3", error("not_found", "inside.mp3")],
    ["silent.mp4", error("no_audio", "silent.mp4", "no sound track")],
    ["no-index.mp4", error("unreadable", "ffmpeg can read")],
    ["picture.png", error("unreadable", "ffmpeg can read")],
  ])("%s", async (name, expected) => {
    await expect(probe(file(name))).rejects.toEqual(expected);
    await expect(probe(file(name))).rejects.toMatchObject({ name: "UserError" });
  });

  test("http://…: never fetched", async () => {
    await expect(probe("http://127.0.0.1:9/voice.mp3")).rejects.toEqual(error("not_found", "voice.mp3"));
  });

  const named: [string, () => string | Buffer, ReturnType<typeof error>][] = [
    ["text named .mp3", () => "Dear diary, today I was not a recording.\n", error("unreadable", "ffmpeg can read")],
    ["long text named .mp3", () => "12345\n".repeat(30_000), error("unreadable", "ffmpeg can read")],
    ["picture named .mp3", () => readFileSync(file("picture.png")), error("unreadable", "ffmpeg can read")],
    ["zero bytes named .mp3", () => "", error("unreadable", "empty \\(0 bytes\\)")],
    [
      "HLS",
      () => `#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${file("8k.wav")}\n`,
      error("unreadable", "points at"),
    ],
    ["ffconcat", () => "ffconcat version 1.0\nfile 8k.wav\n", error("unreadable", "points at")],
    [
      "DASH",
      () => '\n <?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
      error("unreadable", "points at"),
    ],
  ];
  test.each(named)("%s", async (_, content, expected) => {
    writeFileSync(file("named.mp3"), content());
    await expect(probe(file("named.mp3"))).rejects.toEqual(expected);
  });

  test("a folder", async () => {
    await expect(probe(folder)).rejects.toEqual(error("unreadable", "is a folder"));
  });

  test.skipIf(process.platform === "win32")("a device (there are none on Windows)", async () => {
    await expect(probe("/dev/zero")).rejects.toEqual(error("unreadable", "not a file"));
  });

  test.skipIf(process.platform === "win32")("no permission to read (POSIX permissions)", async () => {
    mkdirSync(file("locked"), { mode: 0o700 });
    writeFileSync(file("locked/secret.wav"), readFileSync(file("8k.wav")));
    chmodSync(file("locked/secret.wav"), 0o000);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      await expect(probe(file("locked/secret.wav"))).rejects.toEqual(error("unreadable", "permission"));
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});

test.skipIf(process.getuid?.() !== 0)("a file of somebody else's, as root (needs root and walls)", async () => {
  const { kind } = await sandboxFor("ffprobe");
  const theirs = file("theirs.wav");
  writeFileSync(theirs, readFileSync(file("8k.wav")), { mode: 0o600 });
  chownSync(theirs, 12_345, 12_345);
  if (kind === "limits") await probe(theirs);
  else await expect(probe(theirs)).rejects.toEqual(error("unreadable", "another account", "chmod a\\+r"));
  chmodSync(theirs, 0o644);
  await expect(probe(theirs)).resolves.toMatchObject({ tracks: [{ codec: "pcm_s16le" }] });
});

describe("what ffprobe says, which is as forged as the file,", () => {
  const stream = fc.record(
    {
      codec_type: fc.oneof(fc.constantFrom("audio", "video", "data"), fc.jsonValue()),
      codec_name: fc.oneof(fc.string(), fc.jsonValue()),
      channels: fc.oneof(fc.integer(), fc.jsonValue()),
      sample_rate: fc.oneof(fc.integer().map(String), fc.jsonValue()),
      disposition: fc.oneof(fc.record({ default: fc.nat(1) }), fc.jsonValue()),
      tags: fc.oneof(fc.record({ title: fc.string(), language: fc.string() }), fc.jsonValue()),
    },
    { requiredKeys: [] },
  );
  const said = fc.record(
    {
      streams: fc.oneof(fc.array(stream), fc.jsonValue()),
      format: fc.oneof(fc.record({ duration: fc.oneof(fc.double().map(String), fc.jsonValue()) }), fc.jsonValue()),
    },
    { requiredKeys: [] },
  );

  test("is tracks with sound in them, or one sentence", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          said.map((json) => JSON.stringify(json)),
          fc.string(),
          fc.json(),
        ),
        (json) => {
          try {
            const { tracks, durationSeconds } = mediaOf(json, "a.mp3");
            expect(tracks.map(({ index }) => index)).toEqual(tracks.map((_, index) => index));
            expect(tracks.some(({ channels }) => channels > 0)).toBe(true);
            if (durationSeconds !== undefined) expect(durationSeconds).toBeGreaterThanOrEqual(0);
          } catch (thrown) {
            expect(thrown).toMatchObject({ name: "UserError", code: expect.stringMatching(/^(unreadable|no_audio)$/) });
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("ffprobe is missing", () => {
  test("ffprobe is looked for beside FFMPEG_PATH", async () => {
    vi.stubEnv("FFMPEG_PATH", file("ffmpeg"));
    await expect(probe(file("8k.wav"))).rejects.toEqual(error("no_ffmpeg", file("ffprobe")));
  });
});
