import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { numberOf, withDigits } from "../../src/core/numbers.ts";
import { segmentOf } from "../support/stored-transcript.ts";

const transcriptOf = (text: string, words?: boolean) => ({
  text,
  segments: [
    segmentOf({
      text,
      ...(words
        ? { words: (text.match(/\s*\S+/g) ?? []).map((word, i) => ({ word, start: i, end: i + 1, probability: 0.5 })) }
        : {}),
    }),
  ],
  language: "en",
  duration: 1,
});
const digits = (text: string, language = "en") => withDigits(transcriptOf(text), language).text;

const ONES = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
ONES.push("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen");
const TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/** As it is said, with "and" and hyphens or without. */
function said(value: number, style: { and: boolean; hyphen: boolean }): string {
  const below = (n: number): string[] => {
    if (n < 20) return n === 0 ? [] : [ONES[n] ?? ""];
    if (n < 100) {
      const [ten = "", one = ""] = [TENS[Math.floor(n / 10)], ONES[n % 10]];
      return one === "" ? [ten] : style.hyphen ? [`${ten}-${one}`] : [ten, one];
    }
    const rest = below(n % 100);
    return [ONES[Math.floor(n / 100)] ?? "", "hundred", ...(rest.length > 0 && style.and ? ["and"] : []), ...rest];
  };
  const words: string[] = [];
  for (const [scale, name] of [
    [1e9, "billion"],
    [1e6, "million"],
    [1e3, "thousand"],
  ] as const) {
    const part = Math.floor(value / scale) % 1000;
    if (part > 0) words.push(...below(part), name);
  }
  words.push(...below(value % 1000));
  return words.join(" ");
}

const style = fc.record({ and: fc.boolean(), hyphen: fc.boolean() });

describe("numbers in digits", () => {
  it("are what was said, for every number and way of saying it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 999_999_999_999 }), style, (value, how) => {
        const written = value >= 10_000 ? value.toLocaleString("en-US") : String(value);
        expect(digits(` We have ${said(value, how)}.`)).toBe(` We have ${written}.`);
      }),
    );
  });

  it("come with percent signs and currencies", () => {
    expect(digits(" Twenty-five percent of two hundred dollars, and fifty euros.")).toBe(" 25% of $200, and €50.");
    expect(digits(" It costs forty five thousand dollars.")).toBe(" It costs $45,000.");
  });

  it.each([
    " We need four days.",
    " One two three, testing.",
    " In twenty twenty we met.",
    " nineteen eighty four",
    " a hundred people",
    " Seven or eight of them.",
    " zero five",
    " the twenty-first",
    " Thousands of users.",
    " two and three",
  ])("%j stays", (text) => {
    expect(digits(text)).toBe(text);
  });

  it("are English only, and take the time of all their words", () => {
    expect(digits(" Wir haben ten.", "de")).toBe(" Wir haben ten.");
    const { segments } = withDigits(transcriptOf(" We have twenty five percent, now.", true), "en");
    expect(segments[0]?.words?.map(({ word, start, end }) => [word, start, end])).toEqual([
      [" We", 0, 1],
      [" have", 1, 2],
      [" 25%,", 2, 5],
      [" now.", 5, 6],
    ]);
  });

  it("leave what is no number word alone, and a second time all of it", () => {
    const word = fc.constantFrom(
      "ten",
      "twenty",
      "five",
      "hundred",
      "thousand",
      "and",
      "percent",
      "the",
      "team,",
      "dollars.",
      "one",
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        const once = withDigits(transcriptOf(words.map((each) => ` ${each}`).join("")), "en");
        expect(once.text.match(/the|team,/g)).toEqual(words.join(" ").match(/the|team,/g));
        expect(withDigits(once, "en").text).toBe(once.text);
      }),
    );
  });

  it("are undefined where the words are not one number", () => {
    expect(numberOf(["two", "hundred", "and", "five"])).toBe(205);
    expect(numberOf(["five", "twenty"])).toBeUndefined();
    expect(numberOf(["one", "thousand", "two", "million"])).toBeUndefined();
  });
});
