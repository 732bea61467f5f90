// The clips that long recordings are built from, with what is known about each: its words, and their times where the
// synthesiser told them.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../../core/errors.ts";
import { samplesOf } from "../bench/wav.ts";

export interface TrueWord {
  readonly text: string;
  /** Seconds, from the synthesiser; absent where the set has none. */
  readonly start?: number;
  readonly end?: number;
}

/** Something said: a sentence, or a whole clip where the set does not tell more. Times in seconds. */
export interface Utterance {
  readonly start: number;
  readonly end: number;
  readonly words: readonly TrueWord[];
}

export interface Clip {
  readonly file: string;
  readonly category: string;
  readonly samples: Float32Array;
  readonly utterances: readonly Utterance[];
  /** A name whose spelling only a glossary can tell. The words hold it as the glossary spells it. */
  readonly term?: string;
}

// Two sets are at hand, written by two scripts with two ideas of a field's name.
const reference = z.object({
  file: z.string(),
  category: z.string().optional(),
  cat: z.string().optional(),
  text: z.string(),
  seconds: z.number().optional(),
  duration: z.number().optional(),
  term: z.string().nullish(),
  text_prompted: z.string().nullish(),
  textPrompted: z.string().nullish(),
  segments: z
    .array(
      z.object({
        start: z.number(),
        end: z.number(),
        text: z.string(),
        words: z.array(z.tuple([z.string(), z.number(), z.number()])).optional(),
      }),
    )
    .optional(),
});
type Reference = z.infer<typeof reference>;

/** @throws UserError not_found, unreadable */
export async function readSpeech(folder: string): Promise<Clip[]> {
  const path = join(folder, "refs.json");
  if (!existsSync(path)) {
    throw new UserError("not_found", `${path} is missing: --speech takes a folder of clips with a refs.json.`);
  }
  const parsed = z.array(reference).safeParse(JSON.parse(await readFile(path, "utf8")));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UserError("unreadable", `${path} is not a list of clips (${issue?.path.join(".")}: ${issue?.message}).`);
  }
  const clips: Clip[] = [];
  for (const entry of parsed.data) {
    const samples = await samplesOf(join(folder, entry.file));
    clips.push({
      file: entry.file,
      category: entry.category ?? entry.cat ?? "clean",
      samples,
      utterances: utterancesOf(entry, samples.length / 16_000),
      ...(entry.term ? { term: entry.term } : {}),
    });
  }
  return clips;
}

function utterancesOf(entry: Reference, seconds: number): Utterance[] {
  const said = entry.text_prompted ?? entry.textPrompted ?? entry.text;
  if (said.trim() === "") return [];
  if (entry.segments === undefined || entry.segments.length === 0) {
    return [{ start: 0, end: seconds, words: untimed(said) }];
  }
  return entry.segments.map(({ start, end, text, words }) => ({
    start,
    end,
    words: words?.map(([word, from, to]) => ({ text: word, start: from, end: to })) ?? untimed(text),
  }));
}

function untimed(text: string): TrueWord[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== "")
    .map((word) => ({ text: word }));
}
