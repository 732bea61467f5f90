import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { withoutFillers } from "../../src/core/fillers.ts";
import type { Transcript, Word } from "../../src/core/transcript.ts";
import { segmentOf } from "../support/stored-transcript.ts";

const transcriptOf = (texts: readonly string[], withWords = false): Transcript => ({
  text: texts.join(""),
  segments: texts.map((text, i) =>
    segmentOf({ text, start: i * 10, end: i * 10 + 9, ...(withWords ? { words: wordsOf(text) } : {}) }),
  ),
  language: "en",
  duration: texts.length * 10,
});
const wordsOf = (text: string): Word[] =>
  (text.match(/\s*\S+/gu) ?? []).map((word, i) => ({ word, start: i, end: i + 1, probability: 1 }));
const clean = (text: string, language = "en") => withoutFillers(transcriptOf([text]), language).text;

describe("fillers", () => {
  it.each([
    [" Um, we should ship it.", " We should ship it."],
    [" I, uh, think so.", " I think so."],
    [" We spent, um 5 days.", " We spent, 5 days."],
    [" It is red, um.", " It is red."],
    [" It is red um. So we stop.", " It is red. So we stop."],
    [" It is done. Uh, so we go.", " It is done. So we go."],
    [" Erm... yes.", " yes."],
    [" uh uh no", " no"],
  ])("%j -> %j", (text, expected) => {
    expect(clean(text)).toBe(expected);
  });

  it.each([
    " Uh-huh, that is it.",
    " Mm-hmm.",
    " Uh-oh.",
    " He went to the ER, um-like.",
    " Umbrella and Erik.",
    " Uh?",
    " Um!",
  ])("%j stays", (text) => {
    expect(clean(text)).toBe(text);
  });

  it("are those of the language: German and Portuguese say um and mean it", () => {
    expect(clean(" Wir treffen uns um neun, äh, um zehn.", "de")).toBe(" Wir treffen uns um neun um zehn.");
    expect(clean(" Um dia.", "pt")).toBe(" Um dia.");
    expect(clean(" Um, we go.", "ja")).toBe(" Um, we go.");
  });

  it("take their word times with them, and segments of nothing else go", () => {
    const { segments, text } = withoutFillers(transcriptOf([" Um, we go.", " Uh.", " Yes."], true), "en");
    expect(text).toBe(" We go. Yes.");
    expect(segments.map(({ start }) => start)).toEqual([0, 20]);
    expect(segments[0]?.words).toEqual([
      { word: " We", start: 1, end: 2, probability: 1 },
      { word: " go.", start: 2, end: 3, probability: 1 },
    ]);
  });

  const sentence = fc
    .array(
      fc.constantFrom(
        "um",
        "Um,",
        "uh,",
        "uh.",
        "er",
        "the",
        "Budget",
        "is,",
        "red.",
        "uh-huh",
        "ER",
        "n8n",
        "$5,000.",
      ),
      {
        maxLength: 15,
      },
    )
    .map((words) => words.map((word) => ` ${word}`).join(""));

  it("once out, none is left, and all other words are there in their order", () => {
    const bare = (text: string) => text.toLowerCase().match(/[\p{L}\p{N}$-]+/gu) ?? [];
    const fillers = ["um", "uh", "er"];
    fc.assert(
      fc.property(sentence, fc.boolean(), (text, withWords) => {
        const once = withoutFillers(transcriptOf([text], withWords), "en");
        const wanted = (text.match(/\S+/g) ?? [])
          .filter((word) => !fillers.includes(word.toLowerCase().replace(/[,.]+$/, "")) || /^ER/.test(word))
          .flatMap(bare);
        expect(bare(once.text)).toEqual(wanted);
        expect(withoutFillers(once, "en")).toEqual(once);
        for (const { words, text: own } of once.segments) {
          if (words) expect(words.map(({ word }) => word).join("")).toBe(own);
        }
        expect(once.text).toBe(once.segments.map((segment) => segment.text).join(""));
      }),
    );
  });
});
