// What differs between two transcripts of one recording, word by word.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareTexts, wordDifferences } from "../../src/core/comparison.ts";

describe("two texts", () => {
  it("differ in runs of words, each told once with how often", () => {
    expect(compareTexts(" Ask kah vee low, then kah vee low again", "Ask Qavylow then Qavylow again, please")).toEqual([
      { before: "kah vee low", after: "Qavylow", times: 2 },
      { before: "", after: "please", times: 1 },
    ]);
  });

  it("do not differ by punctuation, but by case", () => {
    expect(compareTexts("Well, yes. It is!", "Well yes it is")).toEqual([{ before: "It", after: "it", times: 1 }]);
    expect(compareTexts("C and C++", "C and C")).toEqual([{ before: "C++", after: "C", times: 1 }]);
    expect(compareTexts("", "")).toEqual([]);
  });

  it("that have nothing in common are one change, however long", () => {
    const words = (letter: string) => Array.from({ length: 20_000 }, (_, index) => letter + index);
    expect(wordDifferences(words("a"), words("b"))).toHaveLength(1);
  });
});

const words = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 30 });

describe("differences", () => {
  it("put into the one text give the other", () => {
    fc.assert(
      fc.property(words, words, (before, after) => {
        let result: string[] = [];
        let from = 0;
        for (const run of wordDifferences(before, after)) {
          expect(before.slice(run.at, run.at + run.before.length)).toEqual(run.before);
          result = [...result, ...before.slice(from, run.at), ...run.after];
          from = run.at + run.before.length;
        }
        expect([...result, ...before.slice(from)]).toEqual(after);
      }),
    );
  });

  it("are as few as can be", () => {
    fc.assert(
      fc.property(words, words, (before, after) => {
        const edits = wordDifferences(before, after).reduce(
          (sum, run) => sum + run.before.length + run.after.length,
          0,
        );
        expect(edits).toBe(before.length + after.length - 2 * longestCommon(before, after));
      }),
    );
  });
});

function longestCommon(a: readonly string[], b: readonly string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const word of a) {
    const next = [0];
    for (const [j, other] of b.entries()) {
      next.push(word === other ? (row[j] ?? 0) + 1 : Math.max(row[j + 1] ?? 0, next[j] ?? 0));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
