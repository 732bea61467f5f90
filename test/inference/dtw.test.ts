import { describe, expect, it } from "vitest";
import { dtw, medianFilter } from "../../src/inference/dtw.ts";
import { seededRandom } from "../../src/inference/random.ts";

/** The cheapest monotonic path's cost, by trying them all. */
function cheapest(cost: number[][], i: number, j: number): number {
  const here = cost[i]![j]!;
  if (i === 0 && j === 0) return here;
  const before: number[] = [];
  if (i > 0) before.push(cheapest(cost, i - 1, j));
  if (j > 0) before.push(cheapest(cost, i, j - 1));
  if (i > 0 && j > 0) before.push(cheapest(cost, i - 1, j - 1));
  return here + Math.min(...before);
}

describe("dynamic time warping", () => {
  it("finds a path as cheap as the best of all, from the first cell to the last", () => {
    const random = seededRandom(7);
    for (let round = 0; round < 50; round++) {
      const rows = 1 + Math.floor(random() * 5);
      const columns = 1 + Math.floor(random() * 6);
      const cost = Array.from({ length: rows }, () => Array.from({ length: columns }, () => random() - 0.5));
      const { textIndices, timeIndices } = dtw(Float64Array.from(cost.flat()), rows, columns);
      expect([textIndices[0], timeIndices[0]]).toEqual([0, 0]);
      expect([textIndices.at(-1), timeIndices.at(-1)]).toEqual([rows - 1, columns - 1]);
      const paid = textIndices.reduce((sum, row, k) => sum + cost[row]![timeIndices[k]!]!, 0);
      expect(paid).toBeCloseTo(cheapest(cost, rows - 1, columns - 1), 5);
      for (let k = 1; k < textIndices.length; k++) {
        const step = [textIndices[k]! - textIndices[k - 1]!, timeIndices[k]! - timeIndices[k - 1]!];
        expect([
          [1, 0],
          [0, 1],
          [1, 1],
        ]).toContainEqual(step);
      }
    }
  });

  it("adds up in float64, where float32 would not see the difference", () => {
    const { textIndices, timeIndices } = dtw(Float64Array.of(1e8, 1, 5, 2, 5, 0), 2, 3);
    expect([textIndices, timeIndices]).toEqual([
      [0, 0, 1],
      [0, 1, 2],
    ]);
  });
});

describe("the median filter", () => {
  it("takes the middle of the values around each, mirrored at the ends", () => {
    expect([...medianFilter(Float32Array.of(9, 1, 5, 3, 7), 3)]).toEqual([1, 5, 3, 5, 3]);
  });

  it("leaves rows alone that are too short to mirror", () => {
    expect([...medianFilter(Float32Array.of(3, 1, 2), 7)]).toEqual([3, 1, 2]);
  });
});
