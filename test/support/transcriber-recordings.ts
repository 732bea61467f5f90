// The recordings with which every transcriber's contract is tried, made for the demo model.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TranscriberUnderTest } from "../contracts/transcriber.ts";
import { ffmpeg, PICTURE } from "./recordings.ts";

/** A file of the demo model's own samples. */
export const sample = (name: string) => fileURLToPath(new URL(`../../models/demo/sample/${name}`, import.meta.url));

/** @param times how often the long one is said over again */
export async function transcriberRecordings(times = 1): Promise<Omit<TranscriberUnderTest, "transcriber">> {
  const made = await mkdtemp(join(tmpdir(), "earshot-contract-"));
  const refs = JSON.parse(await readFile(sample("refs.json"), "utf8")) as {
    file: string;
    prompt?: string;
    terms?: string[];
  }[];
  const primed = refs.find(({ prompt }) => prompt !== undefined);
  const recordings = {
    long: join(made, "long.flac"),
    short: sample(primed?.file ?? ""),
    silent: join(made, "silent.flac"),
    unreadable: join(made, "unreadable.mp3"),
    soundless: join(made, "soundless.mp4"),
  };
  ffmpeg("-stream_loop", String(times - 1), "-i", sample("meeting.flac"), "-c:a", "flac", recordings.long);
  ffmpeg("-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-t", "70", recordings.silent);
  ffmpeg(...PICTURE, recordings.soundless);
  await writeFile(recordings.unreadable, "this is no sound");
  return {
    model: "demo",
    recordings,
    prompt: { text: primed?.prompt ?? "", term: primed?.terms?.[0] ?? "" },
    close: () => rm(made, { recursive: true, force: true }),
  };
}
