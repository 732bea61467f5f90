// Wrong -> right on whole words, in the text and in the words with their times.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Glossary } from "../../src/core/glossary.ts";
import { applyPairs, termsFound } from "../../src/core/replacement.ts";
import type { Segment, Transcript, Word } from "../../src/core/transcript.ts";

type Pair = readonly [wrong: string, right: string];

function glossaryOf(pairs: readonly Pair[], terms: Glossary["terms"] = []): Glossary {
  return { prompt: "", terms, pairs: pairs.map(([wrong, right]) => ({ wrong, right, level: "channel" })) };
}

function segmentOf(text: string, words?: readonly Word[]): Segment {
  return {
    ...{ id: 0, seek: 0, start: 0, end: 10, text, tokens: [], temperature: 0 },
    ...{ avgLogprob: 0, compressionRatio: 1, noSpeechProb: 0 },
    ...(words === undefined ? {} : { words }),
  };
}

function transcriptOf(...segments: Segment[]): Transcript {
  return { text: segments.map(({ text }) => text).join(""), segments, language: "en", duration: 10 };
}

/** One word a second. */
function timedWords(text: string): Word[] {
  return (text.match(/\s*\S+/g) ?? []).map((word, index) => ({
    word,
    start: index,
    end: index + 0.9,
    probability: 0.5,
  }));
}

const correct = (text: string, pairs: readonly Pair[]) =>
  applyPairs(transcriptOf(segmentOf(text)), glossaryOf(pairs)).text;

describe("pairs", () => {
  it.each<[string, Pair[], string]>([
    [" Ask cube control.", [["cube control", "kubectl"]], " Ask kubectl."],
    [" Cube  Control, CUBE-CONTROL", [["cube control", "kubectl"]], " kubectl, kubectl"],
    [" cubes control", [["cube control", "kubectl"]], " cubes control"],
    [" n ate n is up", [["n ate n", "n8n"]], " n8n is up"],
    [" n8n and xn8n", [["n8n", "N8N!"]], " N8N! and xn8n"],
    [" see plus plus rocks", [["see plus plus", "C++"]], " C++ rocks"],
    [" C++, not C+++", [["c++", "Rust"]], " Rust, not C+++"],
    [" C++ and C.", [["C", "Sea"]], " C++ and Sea."],
    [" node and node.js", [["node", "Node"]], " Node and node.js"],
    [" don't, Don.", [["don", "Dawn"]], " don't, Dawn."],
    [" it’s fine", [["it's", "it is"]], " it is fine"],
    [
      " a b",
      [
        ["a", "b"],
        ["b", "a"],
      ],
      " b a",
    ],
    [
      " big apple pie",
      [
        ["apple", "x"],
        ["apple pie", "y"],
      ],
      " big y",
    ],
    [" Grüße aus münchen", [["München", "Minga"]], " Grüße aus Minga"],
    [" cafe\u0301 noir", [["noir", "blanc"]], " cafe\u0301 blanc"],
    ["これは安士です", [["安士", "アンジ"]], "これはアンジです"],
    [" (x) $1 [y]", [["(x)", "$&"]], " $& $1 [y]"],
    [
      " x",
      [
        ["", "y"],
        ["  ", "z"],
      ],
      " x",
    ],
  ])("%j with %j is %j", (text, pairs, expected) => {
    expect(correct(text, pairs)).toBe(expected);
  });

  it("leave alone what is right already", () => {
    expect(correct(" Use kube or Kube Control.", [["kube", "Kube Control"]])).toBe(
      " Use Kube Control or Kube Control.",
    );
    expect(correct(" the control, Kube Control", [["control", "Kube Control"]])).toBe(
      " the Kube Control, Kube Control",
    );
  });

  it("of the channel go before the workspace's, and pairs before what a term sounds like", () => {
    const glossary: Glossary = {
      prompt: "",
      terms: [
        { text: "Workspace", soundsLike: ["one", "two"], level: "workspace", uses: 0 },
        { text: "Channel", soundsLike: ["one", "three"], level: "channel", uses: 0 },
      ],
      pairs: [
        { wrong: "two", right: "pair", level: "workspace" },
        { wrong: "three", right: "own pair", level: "channel" },
      ],
    };
    expect(applyPairs(transcriptOf(segmentOf(" one two three")), glossary).text).toBe(" Channel pair own pair");
  });

  it("make one word of several, from the first's start to the last's end", () => {
    const text = " Ask kah vee low, now.";
    const [segment] = applyPairs(
      transcriptOf(segmentOf(text, timedWords(text))),
      glossaryOf([], [{ text: "Qavylow", soundsLike: ["kah vee low"], level: "channel", uses: 0 }]),
    ).segments;
    expect(segment?.text).toBe(" Ask Qavylow, now.");
    expect(segment?.words).toEqual([
      { word: " Ask", start: 0, end: 0.9, probability: 0.5 },
      { word: " Qavylow,", start: 1, end: 3.9, probability: 0.5 },
      { word: " now.", start: 4, end: 4.9, probability: 0.5 },
    ]);
  });

  it("also where two stand in one word, or one word is shared by two", () => {
    for (const text of [" a-a b", " a b-a b"]) {
      const [segment] = applyPairs(
        transcriptOf(segmentOf(text, timedWords(text))),
        glossaryOf([
          ["a", "x"],
          ["a b", "y"],
        ]),
      ).segments;
      expect(segment?.words?.map(({ word }) => word).join("")).toBe(segment?.text);
    }
  });

  it("give the same text in words and segment, times in order, and nothing lost, whatever is said", () => {
    const word = fc.constantFrom("a", "b", "c", "A", "b.", "c,", "a-b", "d's", "C++");
    const spelling = fc.array(fc.constantFrom("a", "b", "c", "c++", "x y"), { minLength: 1, maxLength: 3 });
    const pair = fc.tuple(
      spelling.map((parts) => parts.join(" ")),
      fc.constantFrom("R", "R S", "a", "C#"),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), fc.array(pair, { maxLength: 4 }), (said, pairs) => {
        const text = said.map((part) => ` ${part}`).join("");
        const words = timedWords(text);
        const result = applyPairs(transcriptOf(segmentOf(text, words)), glossaryOf(pairs));
        const after = result.segments[0]?.words ?? [];
        expect(after.map((part) => part.word).join("")).toBe(result.text);
        expect(after[0]?.start).toBe(words[0]?.start);
        expect(after.at(-1)?.end).toBe(words.at(-1)?.end);
        for (const [index, part] of after.entries()) {
          expect(part.start).toBeLessThan(part.end);
          expect(part.start).toBeGreaterThanOrEqual(after[index - 1]?.end ?? 0);
        }
      }),
    );
  });

  it("change nothing where no wrong word stands", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(correct(text, [["qzxv qzxv", "never"]])).toBe(text);
      }),
    );
  });
});

it("finds the terms that were said, as the glossary spells them", () => {
  const terms = ["Qavylow", "C++", "n8n", "Go", "C"].map(
    (text) => ({ text, soundsLike: [], level: "channel", uses: 0 }) as const,
  );
  expect(termsFound({ text: " We go with C++ and QAVYLOW's n8n-flow" }, { terms })).toEqual([
    "Qavylow",
    "C++",
    "n8n",
    "Go",
  ]);
});
