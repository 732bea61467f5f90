// The test speech with what is said in it, and a long recording put together from it.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SAMPLE_RATE } from "../../inference/audio.ts";
import { joinSamples, samplesOf, writeWav } from "./wav.ts";
import type { SpeechFiles } from "./work.ts";

const folder = fileURLToPath(new URL("../../../test/fixtures/speech", import.meta.url));
const LONG_SECONDS = 60;

export interface TestSpeech extends SpeechFiles {
  readonly said: readonly string[];
  readonly seconds: number;
}

interface Clip {
  readonly file: string;
  readonly cat: string;
  readonly text: string;
  readonly duration: number;
}

/**
 * @param longPath where the long recording is written
 * @param only the clips of this category
 * @returns undefined where the test speech is not at hand: the npm package has none
 */
export async function testSpeech(longPath: string, only: string | undefined): Promise<TestSpeech | undefined> {
  if (!existsSync(join(folder, "refs.json"))) return undefined;
  const all = JSON.parse(await readFile(join(folder, "refs.json"), "utf8")) as readonly Clip[];
  const clips = only === undefined ? all : all.filter((clip) => clip.cat === only);
  const pause = new Float32Array(SAMPLE_RATE);
  const parts: Float32Array[] = [];
  for (const clip of all.filter(({ cat }) => cat === "multi")) {
    parts.push(await samplesOf(join(folder, clip.file)), pause);
  }
  await writeWav(longPath, joinSamples(parts).subarray(0, LONG_SECONDS * SAMPLE_RATE));
  return {
    paths: clips.map((clip) => join(folder, clip.file)),
    longPath,
    said: clips.map((clip) => clip.text),
    seconds: clips.reduce((sum, clip) => sum + clip.duration, 0),
  };
}
