// What people and attackers send: each recording ends in samples, or in the sentence that says what is wrong with it.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { decodeAudio } from "../../src/inference/audio.ts";
import { amr } from "../support/mutations.ts";
import { error, ffmpeg, ffmpegs, PICTURE, sine } from "../support/recordings.ts";

const RATE = 16_000;
let folder: string;
const file = (name: string) => join(folder, name);
const bytesOf = (name: string) => readFileSync(file(name));
const made = (name: string, ...options: string[]) => {
  ffmpeg(...options, file(name));
  return bytesOf(name);
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-hostile-"));
  ffmpeg(...sine(440, 1), file("a.wav"));
  ffmpeg(...sine(440, 1), file("a.mp3"));
  ffmpeg(...sine(440, 1, 48_000), "-c:a", "libopus", file("a.ogg"));
  ffmpeg(...PICTURE, "-frames:v", "1", file("picture.png"));
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.waitFor(() => expect(ffmpegs()).toEqual([])));

async function seconds(name: string, options: Parameters<typeof decodeAudio>[1] = {}): Promise<number> {
  let samples = 0;
  for await (const chunk of decodeAudio(file(name), options)) samples += chunk.length;
  return samples / RATE;
}

/** A canonical WAV header with its numbers as given, and sound. */
function wav({ rate = 8000, channels = 1, bits = 16, align = 2, bytes = 32_000, size = 16_000 }, format = 1): Buffer {
  const header = Buffer.alloc(44);
  header.write("RIFF");
  header.writeUInt32LE((36 + bytes) >>> 0, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(format, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE((rate * align) >>> 0, 28);
  header.writeUInt16LE(align, 32);
  header.writeUInt16LE(bits, 34);
  header.write("data", 36);
  header.writeUInt32LE(bytes, 40);
  const sound = Buffer.alloc(size);
  for (let at = 0; at + 1 < size; at += 2) sound.writeInt16LE(Math.round(8000 * Math.sin(at / 10)), at);
  return Buffer.concat([header, sound]);
}

/** An ID3v2 tag that says it has so many bytes, before a recording. */
function id3(says: number, has: number, frame = "TXXX"): Buffer {
  const size = [21, 14, 7, 0].map((shift) => (says >> shift) & 0x7f);
  const tag = Buffer.alloc(has, "a");
  if (has > 10) tag.write(frame);
  if (has > 10) tag.writeUInt32BE(has - 10, 4);
  return Buffer.concat([Buffer.from([...Buffer.from("ID3"), 3, 0, 0, ...size]), tag, bytesOf("a.mp3")]);
}

describe("decoded", () => {
  const inputs = (count: number) => Array.from({ length: count }, (_, i) => sine(200 + i * 50, 1)).flat();
  const maps = (count: number) => Array.from({ length: count }, (_, i) => ["-map", `${i}:a`]).flat();
  const surround = [0, 1, 2, 3, 4, 5].map((i) => `sin(2*PI*${300 + 100 * i}*t)/8`).join("|");

  const recordings: [string, string, () => void, number][] = [
    ["ten sound tracks", "ten.mka", () => ffmpeg(...inputs(10), ...maps(10), "-c:a", "flac", file("ten.mka")), 1],
    ["8 kHz AMR from a phone", "voice.amr", () => writeFileSync(file("voice.amr"), amr(50)), 1],
    ["192 kHz FLAC", "studio.flac", () => ffmpeg(...sine(440, 1, 192_000), file("studio.flac")), 1],
    [
      "5.1 from a meeting room",
      "room.mp4",
      () => ffmpeg("-f", "lavfi", "-i", `aevalsrc=${surround}:c=5.1:s=48000:d=1`, "-c:a", "aac", file("room.mp4")),
      1,
    ],
    [
      "a cover picture",
      "cover.mp3",
      () =>
        ffmpeg(
          ...["-i", file("a.mp3"), "-i", file("picture.png"), "-map", "0", "-map", "1", "-c", "copy"],
          ...["-disposition:v", "attached_pic", file("cover.mp3")],
        ),
      1,
    ],
    [
      "chapters",
      "chapters.m4a",
      () => {
        const chapters = [0, 1, 2].map(
          (i) => `[CHAPTER]\nTIMEBASE=1/1000\nSTART=${i * 300}\nEND=${i * 300 + 300}\ntitle=${i}\n`,
        );
        writeFileSync(file("chapters.txt"), `;FFMETADATA1\n${chapters.join("")}`);
        ffmpeg(
          "-i",
          file("a.wav"),
          "-i",
          file("chapters.txt"),
          "-map_metadata",
          "1",
          "-c:a",
          "aac",
          file("chapters.m4a"),
        );
      },
      1,
    ],
    ["an ID3 tag of 20 MB", "tagged.mp3", () => writeFileSync(file("tagged.mp3"), id3(20e6, 20e6)), 1],
    ["an ID3 picture of 20 MB of nothing", "art.mp3", () => writeFileSync(file("art.mp3"), id3(20e6, 20e6, "APIC")), 1],
    ["MP3 named .wav", "mp3.wav", () => writeFileSync(file("mp3.wav"), bytesOf("a.mp3")), 1],
    ["Ogg named .mp4", "ogg.mp4", () => writeFileSync(file("ogg.mp4"), bytesOf("a.ogg")), 1],
    ["WAV named .m3u8", "wav.m3u8", () => writeFileSync(file("wav.m3u8"), bytesOf("a.wav")), 1],
    [
      "a recording named like a command",
      "-i;$(id)|%d?*.wav",
      () => writeFileSync(file("-i;$(id)|%d?*.wav"), bytesOf("a.wav")),
      1,
    ],
    ["a WAV that says it has 4 GB", "big.wav", () => writeFileSync(file("big.wav"), wav({ bytes: 0xffffffff })), 1],
    ["a WAV that says it has nothing more", "open.wav", () => writeFileSync(file("open.wav"), wav({ bytes: 0 })), 1],
    [
      "a WAV at 100 samples a second",
      "slow.wav",
      () => writeFileSync(file("slow.wav"), wav({ rate: 100, size: 2000 })),
      10,
    ],
  ];
  test.each(recordings)("%s", async (_, name, make, expected) => {
    make();
    expect(Math.abs((await seconds(name)) - expected)).toBeLessThan(0.15);
  });

  test("ten tracks as one", async () => {
    expect(await seconds("ten.mka", { track: "mix" })).toBeCloseTo(1, 1);
  });
});

describe("refused with the right sentence", () => {
  const cannot = error("unreadable", "ffmpeg can read", "check that the file is whole");
  const text = (content: string) => () => Buffer.from(content);

  const refused: [string, () => Buffer, ReturnType<typeof error>][] = [
    ["no bytes", () => Buffer.alloc(0), error("unreadable", "empty \\(0 bytes\\)")],
    ["one byte", text("a"), cannot],
    ["zeros", () => Buffer.alloc(100_000), cannot],
    ["a picture named .mp3", () => bytesOf("picture.png"), cannot],
    ["an animation", () => made("a.gif", ...PICTURE), cannot],
    ["a JPEG", () => made("a.jpg", ...PICTURE, "-frames:v", "1"), cannot],
    ["a video without sound", () => made("mute.mp4", ...PICTURE), error("no_audio", "no sound track")],
    ["an MP4 cut off before its index", () => made("late.mp4", ...PICTURE, ...sine(440, 2)).subarray(0, 6000), cannot],
    ["a WAV of 65,535 channels", () => wav({ channels: 65_535 }), error("(unreadable|no_audio)")],
    ["a WAV of no channels", () => wav({ channels: 0 }), error("(unreadable|no_audio)")],
    ["a WAV at 4 GHz", () => wav({ rate: 0xffffffff }), error("(unreadable|no_audio|too_long)")],
    ["a WAV at no rate", () => wav({ rate: 0 }), error("(unreadable|no_audio)")],
    ["a WAV of nothing", () => wav({ size: 0 }), error("(unreadable|no_audio)")],
    [
      "an ID3 tag that says it is longer than the file",
      () => id3(250e6, 100).subarray(0, 90),
      error("(unreadable|no_audio)"),
    ],
    [
      "a playlist (HLS)",
      () => Buffer.from(`#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${file("a.wav")}\n`),
      error("unreadable", "points at"),
    ],
    [
      "a list of files (ffconcat)",
      () => Buffer.from(`ffconcat version 1.0\nfile ${file("a.wav")}\n`),
      error("unreadable", "points at"),
    ],
    [
      "a manifest (DASH)",
      text('<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>'),
      error("unreadable", "points at"),
    ],
    [
      "a call (SDP)",
      text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"),
      cannot,
    ],
    [
      "a picture drawn by commands (SVG)",
      text('<svg xmlns="http://www.w3.org/2000/svg"/>'),
      error("unreadable", "points at"),
    ],
    ["subtitles", text("1\n00:00:00,000 --> 00:00:02,000\nHello\n"), cannot],
    [
      "styled subtitles",
      text("[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: 0,0:00:00.00,0:00:05.00,Default,,0,0,0,,Hi\n"),
      cannot,
    ],
    ["ffmpeg's own settings", text(";FFMETADATA1\ntitle=x\n"), cannot],
    ["a filter that makes sound", text("sine=440:d=60"), cannot],
    ["a page", text("<!doctype html><title>Sign in</title>"), error("unreadable", "points at")],
    ["a program", () => readFileSync(process.execPath).subarray(0, 200_000), cannot],
    ["a ZIP archive", text("PK\x03\x04\x14\x00\x00\x00\x08\x00"), cannot],
  ];
  test.each(refused)("%s", async (_, make, expected) => {
    const { code } = expected.sample as { code: string };
    writeFileSync(file("hostile.mp3"), make());
    const caught = await seconds("hostile.mp3", { maxSeconds: 3600 }).then(
      (decoded) => `${decoded} s were decoded`,
      (thrown: unknown) => thrown,
    );
    if (code.startsWith("(")) expect(caught).toMatchObject({ name: "UserError", code: expect.stringMatching(code) });
    else expect(caught).toEqual(expected);
  });

  test("less than a megabyte that sounds for an hour, when a minute is taken", async () => {
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "3600", file("bomb.flac"));
    expect(bytesOf("bomb.flac").length).toBeLessThan(1_000_000);
    let samples = 0;
    const decoding = (async () => {
      for await (const chunk of decodeAudio(file("bomb.flac"), { maxSeconds: 60 })) samples += chunk.length;
    })();
    await expect(decoding).rejects.toEqual(error("too_long", "bomb.flac is too long", "at most 1:00", "in parts"));
    expect(samples / RATE).toBeLessThanOrEqual(60);
  });

  test("a header that lies about the length changes nothing", async () => {
    writeFileSync(file("long.wav"), wav({ rate: 1, size: 20_000 }));
    await expect(seconds("long.wav", { maxSeconds: 60 })).rejects.toEqual(error("too_long"));
    writeFileSync(file("short.wav"), wav({ bytes: 0xffffffff }));
    expect(await seconds("short.wav", { maxSeconds: 60 })).toBeCloseTo(1, 1);
  });
});
