import { expect, it } from "vitest";
import { fromHalf, toHalf } from "../../src/inference/half.ts";

const everyHalf = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);

it("takes every half to a single and back", () => {
  const back = toHalf(fromHalf(everyHalf));
  const isNan = (half: number) => (half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0;
  for (const half of everyHalf) {
    if (isNan(half)) expect(isNan(back[half]!)).toBe(true);
    else if (back[half] !== half) expect.fail(`0x${half.toString(16)} came back as 0x${back[half]!.toString(16)}`);
  }
});

it.each([
  [0, 0x0000],
  [-0, 0x8000],
  [1, 0x3c00],
  [-2, 0xc000],
  [65504, 0x7bff],
  [65520, 0x7c00],
  [Number.NEGATIVE_INFINITY, 0xfc00],
  [2 ** -14, 0x0400],
  [2 ** -24, 0x0001],
  [2 ** -25, 0x0000],
  [2 ** -25 * 1.5, 0x0001],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [1 + 2 ** -11 + 2 ** -20, 0x3c01],
  [2047.9999, 0x6800],
])("rounds %d to nearest, ties to even", (single, half) => {
  expect(toHalf(Float32Array.of(single))[0]).toBe(half);
});
