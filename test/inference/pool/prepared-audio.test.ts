// The recording as it travels: the same samples at the other end, whatever it was.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { decodeAudio } from "../../../src/inference/audio.ts";
import { preparedAudio } from "../../../src/inference/pool/prepared-audio.ts";
import { never } from "../../contracts/transcriber.ts";
import { ffmpeg, ffmpegs, sine } from "../../support/recordings.ts";
import { sample } from "../../support/transcriber-recordings.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-prepared-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function whole<T extends Uint8Array | Float32Array>(chunks: AsyncIterable<T>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  return Buffer.concat(parts);
}

it.each(["standup.flac", "voice-note.ogg", "stereo.mp3", "loud.wav"])(
  "%s gives the same samples, and fewer bytes",
  async (name) => {
    let path = sample(name);
    if (name === "stereo.mp3") {
      path = join(folder, name);
      ffmpeg("-i", sample("standup.flac"), "-ac", "2", "-ar", "44100", path);
    }
    if (name === "loud.wav") {
      path = join(folder, name);
      ffmpeg(...sine(440, 3), "-af", "volume=20", path);
    }
    const there = join(folder, `${name}.prepared.flac`);
    const packed = await whole(preparedAudio(path, { signal: never() }));
    await writeFile(there, packed);
    const heard = await whole(decodeAudio(path));
    expect((await whole(decodeAudio(there))).equals(heard)).toBe(true);
    // float32 here, 16 bits in a file.
    expect(packed.length).toBeLessThan(heard.length / 2);
  },
);

it("tells what is wrong with a recording in the engine's own words, and leaves no ffmpeg behind", async () => {
  const path = join(folder, "nothing.mp3");
  await writeFile(path, "this is no sound");
  await expect(whole(preparedAudio(path, { signal: never() }))).rejects.toMatchObject({ code: "unreadable" });
  const long = sample("meeting.flac");
  await expect(whole(preparedAudio(long, { signal: never(), maxSeconds: 3 }))).rejects.toMatchObject({
    code: "too_long",
  });
  const abort = new AbortController();
  const reason = new Error("not wanted");
  await expect(
    (async () => {
      for await (const _ of preparedAudio(long, { signal: abort.signal })) abort.abort(reason);
    })(),
  ).rejects.toBe(reason);
  expect(ffmpegs()).toEqual([]);
});
