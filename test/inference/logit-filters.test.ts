import { describe, expect, it } from "vitest";
import {
  logSumExp,
  pairTimestamps,
  preferTimestamps,
  suppressBlank,
  suppressTokens,
  tabulate,
} from "../../src/inference/logit-filters.ts";

// A small vocabulary: text 0–9, eot 10, sot 11, notimestamps 12, timestamps 13–32.
const tokenizer = { encode: () => [3], eot: 10, noTimestamps: 12, timestampBegin: 13 };
const NVOCAB = 33;

function allowed(filter: (logits: Float32Array, sampled: readonly number[]) => void, sampled: number[], likely = 5) {
  const logits = new Float32Array(NVOCAB);
  logits[likely] = 50;
  filter(logits, sampled);
  return [...logits.keys()].filter((token) => logits[token]! > Number.NEGATIVE_INFINITY);
}
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe("suppressed tokens", () => {
  it("never appear", () => {
    expect(allowed(suppressTokens([0, 4]), [])).toEqual(range(0, NVOCAB).filter((token) => token !== 0 && token !== 4));
  });

  it("include the blank and the end at the beginning only", () => {
    expect(allowed(suppressBlank(tokenizer), [])).not.toContain(3);
    expect(allowed(suppressBlank(tokenizer), [])).not.toContain(10);
    expect(allowed(suppressBlank(tokenizer), [5])).toEqual(range(0, NVOCAB));
  });
});

describe("timestamp rules", () => {
  const rules = pairTimestamps(tokenizer, 4);

  it("begin with a timestamp that is not later than the latest allowed", () => {
    expect(allowed(rules, [])).toEqual(range(13, 18));
    expect(allowed(pairTimestamps(tokenizer, undefined), [])).toEqual(range(13, NVOCAB));
  });

  it("want text after the opening timestamp", () => {
    expect(allowed(rules, [13])).toEqual([...range(0, 12)]);
  });

  it("want a timestamp, or the end, after a closing timestamp; the same time may open the next", () => {
    expect(allowed(rules, [13, 5, 20], 10)).toEqual([10, 11, ...range(20, NVOCAB)]);
  });

  it("forbid a segment of no length and going back in time", () => {
    expect(allowed(rules, [13, 5, 20, 20, 6])).toEqual([...range(0, 12), ...range(21, NVOCAB)]);
  });

  it("choose a timestamp when all of them together are likelier than any text token", () => {
    const logits = new Float32Array(NVOCAB).fill(0);
    logits[5] = 2;
    preferTimestamps(tokenizer)(logits, [13, 5]);
    // 19 timestamps at e^0 outweigh one text token at e^2.
    expect(logits[5]).toBe(Number.NEGATIVE_INFINITY);
    expect(logits[20]).toBe(0);
  });
});

it("tabulates by state what the filters forbid whatever the times so far", () => {
  const filters = [suppressTokens([4]), suppressBlank(tokenizer), pairTimestamps(tokenizer, 4)];
  const masks = tabulate(filters, tokenizer.timestampBegin, NVOCAB);
  const open = (state: number) => range(0, NVOCAB).filter((token) => masks[state * NVOCAB + token] === 0);
  const text = range(0, 12).filter((token) => token !== 4);
  expect(open(0)).toEqual(range(13, 18));
  expect(open(1)).toEqual([...text, ...range(13, NVOCAB)]);
  expect(open(2)).toEqual([10, 11, ...range(13, NVOCAB)]);
  expect(open(3)).toEqual(text);
});

describe("logSumExp", () => {
  it("is exact to float32 and survives masks", () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i) * 40);
    const exact = Math.log([...values].reduce((sum, value) => sum + Math.exp(value), 0));
    expect(logSumExp(values)).toBeCloseTo(exact, 9);
    values.fill(Number.NEGATIVE_INFINITY);
    expect(logSumExp(values)).toBe(Number.NEGATIVE_INFINITY);
    values[7] = 3;
    expect(logSumExp(values)).toBe(3);
  });
});
