// Hours of speech, put together from the test speech and the demo model's with pauses between.

import { existsSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../../core/errors.ts";
import { SAMPLE_RATE } from "../../inference/audio.ts";
import { demoFolder } from "../../inference/models.ts";
import { seededRandom } from "../../inference/random.ts";
import { pcm, samplesOf, wavHeader } from "./wav.ts";

const FOLDERS = [join(demoFolder, "eval"), fileURLToPath(new URL("../../../test/fixtures/speech", import.meta.url))];
/** Between two sentences, as people make them; now and then nobody has anything to say. */
const PAUSE_SECONDS = { least: 0.3, most: 1.5 };
const SILENCE_SECONDS = { least: 5, most: 30 };
const SENTENCES_PER_SILENCE = 20;

export interface LongRecording {
  readonly path: string;
  readonly seconds: number;
  readonly said: string;
}

interface Clip {
  readonly text: string;
  samples(): Promise<Float32Array>;
}

/**
 * The same minutes give the same recording.
 * @throws UserError not_found where the test speech is not at hand: the npm package has none
 */
export async function writeLongRecording(path: string, minutes: number): Promise<LongRecording> {
  const clips = await listClips();
  const random = seededRandom(1);
  const between = ({ least, most }: typeof PAUSE_SECONDS) => least + random() * (most - least);
  const wanted = Math.round(minutes * 60 * SAMPLE_RATE);
  const parts: { readonly samples: Float32Array; readonly text: string }[] = [];
  const silence = (length: number) => ({ samples: new Float32Array(length), text: "" });
  for (let rest = wanted, i = 0; rest > 0; i++) {
    const clip = clips[Math.floor(random() * clips.length)]!;
    const pause = Math.round(between(i % SENTENCES_PER_SILENCE === 0 ? SILENCE_SECONDS : PAUSE_SECONDS) * SAMPLE_RATE);
    const samples = await clip.samples();
    if (samples.length > rest) {
      parts.push(silence(rest));
      break;
    }
    parts.push({ samples, text: clip.text }, silence(Math.min(pause, rest - samples.length)));
    rest -= samples.length + pause;
  }
  const file = await open(path, "w");
  try {
    await file.write(wavHeader(wanted));
    for (const { samples } of parts) await file.write(pcm(samples));
  } finally {
    await file.close();
  }
  const said = parts.flatMap(({ text }) => (text === "" ? [] : [text])).join(" ");
  return { path, seconds: wanted / SAMPLE_RATE, said };
}

/** Each is decoded when it is first wanted: a hundred starts of ffmpeg take a while. */
async function listClips(): Promise<Clip[]> {
  const clips: Clip[] = [];
  for (const folder of FOLDERS) {
    const list = join(folder, "refs.json");
    if (!existsSync(list)) {
      throw new UserError("not_found", `${list} is missing: bench long runs in a clone of the repository only.`);
    }
    const refs = JSON.parse(await readFile(list, "utf8")) as readonly {
      readonly file: string;
      readonly text: string;
    }[];
    for (const { file, text } of refs) {
      let decoded: Promise<Float32Array> | undefined;
      clips.push({ text, samples: () => (decoded ??= samplesOf(join(folder, file))) });
    }
  }
  return clips;
}
