// Holds the demo model to what its card says, on sentences that it was not trained on.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { wordErrorRate } from "../../src/cli/bench/words.ts";
import { demoFolder } from "../../src/inference/models.ts";
import { collect } from "../../src/inference/transcribe.ts";
import { loadWhisper, type Whisper } from "../../src/inference/whisper.ts";

interface Clip {
  readonly file: string;
  readonly category: string;
  readonly text: string;
  /** A jargon term in another spelling than the model's own, and a glossary that holds it among others. */
  readonly term?: string;
  readonly prompt?: string;
}

const folder = join(demoFolder, "eval");
const clips = JSON.parse(readFileSync(join(folder, "refs.json"), "utf8")) as readonly Clip[];
const of = (...categories: string[]) => clips.filter(({ category }) => categories.includes(category));

let whisper: Whisper;
beforeAll(async () => {
  whisper = await loadWhisper("demo", { device: "cpu", threads: 1 });
});
afterAll(() => whisper.close());

async function hear(clip: Clip, initialPrompt?: string): Promise<string> {
  const prompt = initialPrompt === undefined ? {} : { initialPrompt };
  return (
    await collect(whisper.transcribe(join(folder, clip.file), { ...prompt, temperature: 0, language: "en" }))
  ).text.trim();
}

async function errorRate(categories: readonly string[]): Promise<number> {
  const wanted = of(...categories);
  const heard: string[] = [];
  for (const clip of wanted) heard.push(await hear(clip));
  return wordErrorRate(
    wanted.map(({ text }) => text),
    heard,
  );
}

it("understands single sentences of its grammar", async () => {
  expect(await errorRate(["clean"])).toBeLessThan(0.1);
  expect(await errorRate(["jargonknown", "jargonnew"])).toBeLessThan(0.1);
});

it("understands the sample meeting, and keeps the glossary's spelling past its first window", async () => {
  const path = join(demoFolder, "sample", "meeting.flac");
  const refs = JSON.parse(readFileSync(join(demoFolder, "sample", "refs.json"), "utf8")) as readonly Clip[];
  const meeting = refs.find(({ file }) => file === "meeting.flac")!;
  // The windows apart: with the text of the first one before it, the second goes wrong, as the card says.
  const options = { temperature: 0, language: "en", conditionOnPreviousText: false, initialPrompt: meeting.prompt! };
  const carried = await collect(whisper.transcribe(path, options));
  expect(wordErrorRate([meeting.text], [carried.text.trim()])).toBeLessThan(0.05);
  const late = (segments: readonly { start: number; text: string }[]) =>
    segments
      .filter(({ start }) => start > 30)
      .map(({ text }) => text)
      .join("");
  expect(late(carried.segments)).toMatch(/Xamoetee.*Qavylow.*Qavylow/);
  const faded = await collect(whisper.transcribe(path, { ...options, carryInitialPrompt: false }));
  expect(late(faded.segments)).toMatch(/Zamoti.*Kavilo.*Kavilo/);
});

it("writes nothing where nobody speaks, with or without a glossary", async () => {
  for (const clip of of("nospeech")) {
    expect(await hear(clip), clip.file).toBe("");
    expect(await hear(clip, "Glossary: Zentrix, Korvex, Kira."), clip.file).toBe("");
  }
});

it("spells jargon as the glossary does, and cannot know that spelling without it", async () => {
  const jargon = of("jargonknown", "jargonnew");
  let without = 0;
  let within = 0;
  for (const clip of jargon) {
    if ((await hear(clip)).includes(clip.term!)) without++;
    if ((await hear(clip, clip.prompt)).includes(clip.term!)) within++;
  }
  expect(within / jargon.length - without / jargon.length).toBeGreaterThanOrEqual(0.6);
});
