import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Span, type SpeechRegionOptions, speechRegions, VAD_SAMPLES } from "../../src/inference/speech-regions.ts";

/** Regions in seconds, from a probability for each 32 ms. */
function regionsOf(probabilities: readonly number[], options?: SpeechRegionOptions, energies?: readonly number[]) {
  const found = speechRegions(options);
  for (const [i, probability] of probabilities.entries()) found.push(probability, energies?.[i] ?? 1);
  return found.end(probabilities.length * VAD_SAMPLES);
}
const run = (probability: number, count: number) => new Array<number>(count).fill(probability);
const frames = (chunks: number) => (chunks * VAD_SAMPLES) / 160;

describe("speech regions", () => {
  it("begin at the threshold and end where it has been quiet for a while", () => {
    const [region, ...others] = regionsOf([...run(0.1, 10), ...run(0.9, 20), ...run(0.1, 10)]);
    expect(others).toEqual([]);
    expect(region).toEqual({ start: frames(10), end: frames(30) });
  });

  it("go on through a short dip, and through what lies between the two thresholds", () => {
    expect(regionsOf([...run(0.9, 10), ...run(0.1, 3), ...run(0.9, 10), ...run(0.1, 10)])).toHaveLength(1);
    expect(regionsOf([...run(0.9, 10), ...run(0.4, 50), ...run(0.9, 10), ...run(0.1, 10)])).toHaveLength(1);
    expect(regionsOf([...run(0.9, 10), ...run(0.3, 50), ...run(0.9, 10), ...run(0.1, 10)])).toHaveLength(2);
    expect(regionsOf(run(0.4, 50))).toEqual([]);
  });

  it("are no clicks, but a word as short as yes is one", () => {
    expect(regionsOf([...run(0, 10), ...run(1, 3), ...run(0, 10)])).toEqual([]);
    expect(regionsOf([...run(0, 10), ...run(1, 6), ...run(0, 10)])).toHaveLength(1);
  });

  it("end with the recording", () => {
    const found = speechRegions();
    for (const probability of run(0.9, 20)) found.push(probability, 1);
    expect(found.end(19.5 * VAD_SAMPLES)).toEqual([{ start: 0, end: 62 }]);
  });

  it("that are too long are cut at the quietest point of their second half, and nothing is lost there", () => {
    const energies = run(1, 2000);
    energies[100] = 0;
    for (let i = 690; i < 693; i++) energies[i] = 0.01;
    const [first, second, third] = regionsOf(run(0.9, 2000), {}, energies);
    expect(first?.start).toBe(0);
    expect(first?.end).toBe(Math.round(frames(691)));
    expect(second?.start).toBe(first?.end);
    expect(third?.start).toBe(second?.end);
    expect(third?.end).toBe(frames(2000));
  });

  it("are in order, apart, within the recording, and short enough for a window, whatever was heard", () => {
    const stretch = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 2500 }));
    fc.assert(
      fc.property(
        fc.array(stretch, { maxLength: 12 }),
        fc.infiniteStream(fc.double({ min: 0, max: 1 })),
        (parts, noise) => {
          const probabilities = parts.flatMap(([probability, count]) => run(probability, count));
          const regions = regionsOf(
            probabilities,
            {},
            probabilities.map(() => noise.next().value as number),
          );
          let end = 0;
          for (const region of regions) {
            expect(region.start).toBeGreaterThanOrEqual(end);
            expect(region.end).toBeGreaterThan(region.start);
            expect(region.end - region.start).toBeLessThanOrEqual(2800);
            end = region.end;
          }
          expect(end).toBeLessThanOrEqual(frames(probabilities.length));
          // What was heard clearly for longer than a click is in one of them.
          let at = 0;
          for (const [probability, count] of parts) {
            if (probability >= 0.5 && count >= 5) expect(covered(regions, frames(at), frames(at + count))).toBe(true);
            at += count;
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

function covered(regions: readonly Span[], start: number, end: number): boolean {
  let at = Math.ceil(start);
  for (const region of regions) if (region.start <= at && region.end > at) at = region.end;
  return at >= Math.floor(end);
}
