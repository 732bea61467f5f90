// What keeps invented text out: loops, the prompt's own words, phantom phrases, and words where nobody speaks.
import { describe, expect, it } from "vitest";
import { dropInvented, evidenceOf } from "../../src/inference/guards.ts";
import { findLoop } from "../../src/inference/loops.ts";
import { isPhantom } from "../../src/inference/phantom-phrases.ts";
import { suspectedLeak, wasSpoken } from "../../src/inference/prompt-leak.ts";
import type { Draft } from "../../src/inference/segments.ts";

describe("a loop", () => {
  const times = (count: number, ...tokens: number[]) => Array.from({ length: count }, () => tokens).flat();

  it.each([
    ["of one token", times(20, 5), { start: 0, period: 1, end: 20 }],
    ["of a sentence after other text", [1, 2, 3, ...times(5, 4, 5, 6, 7)], { start: 3, period: 4, end: 23 }],
    ["that breaks off within a round", [...times(4, 1, 2, 3, 4), 1, 2], { start: 0, period: 4, end: 18 }],
    ["of three long rounds", times(3, ...Array.from({ length: 15 }, (_, i) => i)), { start: 0, period: 15, end: 45 }],
  ])("%s is found", (_, tokens, loop) => {
    expect(findLoop(tokens)).toEqual(loop);
  });

  it("is not what people repeat", () => {
    expect(findLoop([])).toBeUndefined();
    expect(findLoop(times(4, 5))).toBeUndefined();
    expect(findLoop(times(3, 1, 2, 3, 4, 5, 6))).toBeUndefined();
    expect(findLoop(Array.from({ length: 200 }, (_, i) => i))).toBeUndefined();
  });
});

describe("the initial prompt's words", () => {
  const prompt = "Glossary: Zentrix, Korvex, Kira, Qavylow.";

  it("are suspected when many come in a row, or when there is nothing else", () => {
    expect(suspectedLeak("Zentrix, Korvex, Kira, Qavylow. And then we left.", prompt)).toBe(
      "zentrix korvex kira qavylow",
    );
    expect(suspectedLeak(" Glossary: Zentrix.", prompt)).toBe("glossary zentrix");
    expect(suspectedLeak("We moved from Zentrix to Korvex.", prompt)).toBeUndefined();
    expect(suspectedLeak("Zentrix", prompt)).toBeUndefined();
    expect(suspectedLeak("", prompt)).toBeUndefined();
  });

  it("are found in languages without spaces too", () => {
    expect(suspectedLeak("東京タワーと富士山", "用語集：東京タワーと富士山。")).not.toBeUndefined();
  });

  it("were spoken when the model hears something alike without the prompt", () => {
    expect(wasSpoken("zentrix korvex kira", "Centricks, Corvex, Keira are three.")).toBe(true);
    expect(wasSpoken("zentrix korvex kira", "The deadline is March 14th.")).toBe(false);
    expect(wasSpoken("zentrix korvex kira", "")).toBe(false);
  });
});

describe("a phantom phrase", () => {
  it.each([
    [" Thank you.", "en"],
    ["Thanks for watching!", "de"],
    ["Thank you. Bye.", "en"],
    ["Vielen Dank.", "de"],
    ["Untertitel der Amara.org-Community", "de"],
    ["ご視聴ありがとうございました。", "ja"],
    ["Sous-titres réalisés par la communauté d’Amara.org", "fr"],
  ])("is %s in %s", (text, language) => {
    expect(isPhantom(text, language)).toBe(true);
  });

  it.each([
    ["Thank you for the report.", "en"],
    ["Vielen Dank.", "fr"],
    ["", "en"],
  ])("is not %s in %s", (text, language) => {
    expect(isPhantom(text, language)).toBe(false);
  });
});

describe("words where nobody speaks", () => {
  const draft = (start: number, end: number, text: string): Draft => ({ start, end, text, tokens: [] });
  const evidence = evidenceOf([
    { start: 100, end: 300 },
    { start: 1000, end: 1100 },
  ]);
  const window = { seek: 0, size: 1200 };
  const judge = (...drafts: Draft[]) =>
    dropInvented(drafts, window, evidence, { language: "en", initialPrompt: "Glossary: Zentrix, Korvex." });

  it("are dropped, and it is noted why", () => {
    const { kept, notes } = judge(
      draft(1, 3, " Good morning."),
      draft(5, 7, " And the budget is ready."),
      draft(3.2, 4.5, " Thank you."),
      draft(3.1, 3.6, " Glossary: Zentrix."),
      draft(10, 11, " Thank you."),
    );
    expect(kept.map(({ text }) => text)).toEqual([" Good morning.", " Thank you."]);
    expect(notes).toEqual([
      { kind: "silence", start: 5, end: 7, text: "And the budget is ready.", action: "dropped" },
      { kind: "phantom", start: 3.2, end: 4.5, text: "Thank you.", action: "dropped" },
      { kind: "prompt_leak", start: 3.1, end: 3.6, text: "Glossary: Zentrix.", action: "dropped" },
    ]);
  });

  it("are kept near speech, where only their times may be wrong", () => {
    expect(judge(draft(3.2, 4.5, " I agree.")).kept).toHaveLength(1);
    expect(judge(draft(3.8, 4.5, " I agree.")).kept).toHaveLength(0);
  });

  it("cannot reach past the window", () => {
    const { kept, notes } = judge(draft(10, 29, " The end of it."), draft(12.5, 14, " More of it."));
    expect(kept.map(({ end }) => end)).toEqual([12]);
    expect(notes.map(({ kind }) => kind)).toEqual(["silence"]);
  });

  it("are measured as seconds of speech between two times", () => {
    expect(evidence.speechWithin(0, 2)).toBeCloseTo(1);
    expect(evidence.speechWithin(2.5, 10.5)).toBeCloseTo(1);
    expect(evidence.speechWithin(3, 10)).toBe(0);
    expect(evidence.speechWithin(20, 30)).toBe(0);
  });
});
