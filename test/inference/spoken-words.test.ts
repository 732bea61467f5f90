import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Draft } from "../../src/inference/segments.ts";
import { fitWordsToSpeech } from "../../src/inference/spoken-words.ts";

function draftOf(...times: readonly (readonly [number, number])[]): Draft {
  const words = times.map(([start, end]) => ({ word: " a", start, end, probability: 1 }));
  return { start: times[0]?.[0] ?? 0, end: times.at(-1)?.[1] ?? 0, text: " a".repeat(times.length), tokens: [], words };
}
const timesOf = ({ words = [] }: Draft) => words.map(({ start, end }) => [start, end]);
const span = (start: number, end: number) => ({ start, end });

describe("words in the speech", () => {
  it("give back the pause before a sentence and the one after it, and the segment follows", () => {
    const draft = draftOf([1, 2.3], [2.3, 2.6], [2.6, 4]);
    fitWordsToSpeech([draft], [span(200, 320)]);
    expect(timesOf(draft)).toEqual([
      [2, 2.3],
      [2.3, 2.6],
      [2.6, 3.2],
    ]);
    expect([draft.start, draft.end]).toEqual([2, 3.2]);
  });

  it("belong to the stretch that they share most with, but short silences are within words", () => {
    const draft = draftOf([0.9, 2.4]);
    fitWordsToSpeech([draft], [span(0, 100), span(200, 300)]);
    expect(timesOf(draft)).toEqual([[2, 2.4]]);
    const number = draftOf([0.9, 2.4]);
    fitWordsToSpeech([number], [span(0, 150), span(170, 300)]);
    expect(timesOf(number)).toEqual([[0.9, 2.4]]);
  });

  it("stay where they are when nobody speaks near them, and where there are none", () => {
    const draft = draftOf([5, 6]);
    const wordless: Draft = { start: 1, end: 2, text: " a", tokens: [] };
    fitWordsToSpeech([draft, wordless], [span(0, 100)]);
    expect([timesOf(draft), wordless.start, wordless.end]).toEqual([[[5, 6]], 1, 2]);
  });

  it("only ever become shorter, keep their order, and a second time nothing changes", () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 0, max: 3000 }), { minLength: 2, maxLength: 20 });
    const inOrder = cuts.map((all) => all.sort((a, b) => a - b));
    fc.assert(
      fc.property(inOrder, inOrder, (words, speech) => {
        const regions = speech.slice(1).flatMap((end, i) => (i % 2 === 0 ? [span(speech[i] ?? 0, end)] : []));
        const times = words.slice(1).map((end, i) => [(words[i] ?? 0) / 100, end / 100] as const);
        const draft = draftOf(...times);
        fitWordsToSpeech([draft], regions);
        const once = timesOf(draft);
        once.forEach(([start = 0, end = 0], i) => {
          expect(start).toBeGreaterThanOrEqual(times[i]?.[0] ?? 0);
          expect(end).toBeLessThanOrEqual(times[i]?.[1] ?? 0);
          expect(start).toBeLessThan(end);
        });
        fitWordsToSpeech([draft], regions);
        expect(timesOf(draft)).toEqual(once);
      }),
    );
  });
});
