import { describe, expect, it } from "vitest";
import { skipHallucinations } from "../../src/inference/hallucination.ts";
import { type Draft, splitSegments } from "../../src/inference/segments.ts";

const EOT = 100;
const TIMESTAMP = 200;
const tokenizer = { eot: EOT, timestampBegin: TIMESTAMP, decode: (tokens: readonly number[]) => tokens.join(" ") };
const at = (seconds: number) => TIMESTAMP + Math.round(seconds * 50);
const split = (tokens: number[], seek = 1000, size = 3000) => splitSegments({ tokens }, { seek, size }, tokenizer);
const times = (drafts: readonly Draft[]) => drafts.map(({ start, end, text }) => [start, end, text]);

describe("a window's segments", () => {
  it("are cut at pairs of timestamps; what is unfinished is heard again", () => {
    const found = split([at(0), 1, 2, at(3), at(3.5), 3, at(6), at(6), 4, 5]);
    expect(times(found.segments)).toEqual([
      [10, 13, "1 2"],
      [13.5, 16, "3"],
    ]);
    expect(found.nextSeek).toBe(1000 + 600);
  });

  it("include the last one when its closing timestamp stands alone, and the window is done", () => {
    const found = split([at(0), 1, at(3), at(3), 2, at(8)]);
    expect(times(found.segments)).toEqual([
      [10, 13, "1"],
      [13, 18, "2"],
    ]);
    expect(found.nextSeek).toBe(4000);
    expect(found.singleTimestampEnding).toBe(true);
  });

  it("are one when there is no pair: up to the last timestamp, or to the end of the audio", () => {
    expect(times(split([at(0.5), 1, at(4)]).segments)).toEqual([[10, 14, "1"]]);
    expect(times(split([1, 2], 0, 420).segments)).toEqual([[0, 4.2, "1 2"]]);
    expect(split([at(0), 1, 2], 0, 420).nextSeek).toBe(420);
  });
});

describe("invented text in silence", () => {
  const word = (text: string, start: number, end: number, probability = 0.9) => ({
    word: text,
    start,
    end,
    probability,
  });
  const draft = (words: ReturnType<typeof word>[]): Draft => ({
    start: words[0]!.start,
    end: words.at(-1)!.end,
    text: words.map((w) => w.word).join(""),
    tokens: [1],
    words,
  });
  const spoken = (start: number) => draft([word(" we", start, start + 0.3), word(" agree", start + 0.3, start + 0.8)]);
  const invented = (start: number) =>
    draft([word(" Thank", start, start + 0.02, 0.05), word(" you", start + 0.02, start + 0.04, 0.05)]);
  const skip = (segments: Draft[], { seek = 0, next = 3000, last = 0, content = 9000 } = {}) =>
    skipHallucinations(segments, { seek, size: 3000 }, next, true, 2, last, content);

  it("is left alone when it looks like speech", () => {
    const segments = [spoken(1), spoken(20)];
    expect(skip(segments)).toEqual({ segments, nextSeek: 3000, skippedLeadingSilence: false });
  });

  it("at the start is dropped together with the silence before it", () => {
    expect(skip([invented(5), spoken(8)])).toEqual({ segments: [], nextSeek: 500, skippedLeadingSilence: true });
  });

  it("between silences is dropped and the audio heard again from there", () => {
    const found = skip([spoken(1), invented(10), spoken(20)]);
    expect(found.segments).toHaveLength(1);
    expect(found.nextSeek).toBe(1000);
  });

  it("near the recording's end ends it", () => {
    expect(skip([spoken(1), invented(10)], { content: 1100 }).nextSeek).toBe(1100);
  });

  it("in the middle of speech is kept", () => {
    const segments = [spoken(9), invented(9.9), spoken(10)];
    expect(skip(segments).segments).toEqual(segments);
  });
});
