import { describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { encodeInitialPrompt, promptBudget, windowPrompt } from "../../src/inference/prompt.ts";

const nTextCtx = 448;
const range = (length: number, from = 0) => Array.from({ length }, (_, i) => from + i);

describe("the prompt before a window", () => {
  it("has room for 223 tokens in Whisper's context", () => {
    expect(promptBudget(nTextCtx)).toBe(223);
  });

  it.each([0, 1, 63, 160, 222, 223])("carries an initial prompt of %i tokens whole, whatever the history", (length) => {
    const initial = range(length);
    for (const history of [[], range(5, 1000), range(5000, 1000)]) {
      const prompt = windowPrompt({ initial, carry: true, nTextCtx }, history, undefined);
      expect(prompt.length).toBeLessThanOrEqual(223);
      expect(prompt.slice(0, length)).toEqual(initial);
      // What is left of the budget goes to the most recent text.
      const left = Math.min(history.length, 223 - length);
      expect(prompt.slice(length)).toEqual(history.slice(history.length - left));
    }
  });

  it("keeps a carried initial prompt through a reset, and drops the text before it", () => {
    const state = { initial: [1, 2], carry: true, nTextCtx };
    expect(windowPrompt(state, [10, 11, 12, 13], 3)).toEqual([1, 2, 13]);
    expect(windowPrompt(state, [10, 11, 12, 13], 4)).toEqual([1, 2]);
  });

  it("lets an initial prompt that is not carried fade, and drop at a reset, as in the reference", () => {
    const state = { initial: [1, 2], carry: false, nTextCtx };
    expect(windowPrompt(state, [10, 11], undefined)).toEqual([1, 2, 10, 11]);
    expect(windowPrompt(state, [10, 11], 0)).toEqual([10, 11]);
    expect(windowPrompt(state, range(223, 10), undefined)).toEqual(range(223, 10));
    expect(windowPrompt(state, range(222, 10), undefined)).toEqual([2, ...range(222, 10)]);
  });
});

describe("an initial prompt's length", () => {
  const wordTokenizer = { encode: (text: string) => range(text.trim().split(" ").length) };
  const encode = (words: number) =>
    encodeInitialPrompt(wordTokenizer, new Array<string>(words).fill("word").join(" "), nTextCtx);

  it("is taken whole up to 223 tokens", () => {
    expect(encode(223)).toHaveLength(223);
    expect(encodeInitialPrompt(wordTokenizer, "  \n", nTextCtx)).toEqual([]);
  });

  it("is refused above that, with the numbers, instead of losing its beginning", () => {
    expect(() => encode(224)).toThrow(UserError);
    expect(() => encode(300)).toThrow(/has 300 tokens and the model takes 223.*Shorten it by about 26%/);
  });
});
