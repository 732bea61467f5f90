// What is left out of a recording, and that every time of what is heard leads back to where it was spoken.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { N_FRAMES } from "../../src/inference/audio.ts";
import { heardTime, intersection, spansOf } from "../../src/inference/heard-time.ts";
import type { Span } from "../../src/inference/speech-regions.ts";
import { speechWindows } from "../../src/inference/speech-windows.ts";

/** Alternating silence and speech, as regions within a recording. */
const regionsArbitrary = (most: { pause: number; speech: number }) =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.integer({ min: 0, max: most.pause }), fc.integer({ min: 1, max: most.speech })), {
        maxLength: 40,
      }),
      fc.integer({ min: 0, max: most.pause }),
    )
    .map(([parts, tail]) => {
      const speech: Span[] = [];
      let at = 0;
      for (const [pause, length] of parts) {
        speech.push({ start: at + pause, end: at + pause + length });
        at += pause + length;
      }
      return { speech, contentFrames: at + tail };
    });
const recordings = regionsArbitrary({ pause: 900, speech: 2800 });
const whole = (contentFrames: number) => [{ start: 0, end: contentFrames }];

describe("what is heard", () => {
  it("is speech with its margins and short pauses, and no longer silence", () => {
    const speech = [
      { start: 100, end: 200 },
      { start: 350, end: 400 },
      { start: 1000, end: 1100 },
    ];
    expect(spansOf(speech, whole(1110))).toEqual([
      { start: 60, end: 440 },
      { start: 960, end: 1110 },
    ]);
  });

  it("holds every frame of speech, in order, and leads back to it exactly", () => {
    fc.assert(
      fc.property(recordings, ({ speech, contentFrames }) => {
        const spans = spansOf(speech, whole(contentFrames));
        const time = heardTime(spans);
        expect(time.frames).toBeLessThanOrEqual(contentFrames);
        for (const { start, end } of speech) {
          for (const frame of [start, (start + end) >> 1, end - 1]) {
            expect(time.recorded(time.heard(frame))).toBe(frame);
            expect(time.startOf(time.heard(frame) / 100)).toBeCloseTo(frame / 100, 6);
          }
          expect(time.heard(end) - time.heard(start)).toBe(end - start);
          expect(time.endOf(time.heard(end) / 100)).toBeCloseTo(end / 100, 6);
        }
      }),
    );
  });

  it("never turns back, and never begins after it ends", () => {
    fc.assert(
      fc.property(recordings, fc.array(fc.double({ min: 0, max: 1, noNaN: true })), ({ speech, contentFrames }, at) => {
        const time = heardTime(spansOf(speech, whole(contentFrames)));
        if (time.frames === 0) return;
        const times = at.map((share) => Math.round(share * time.frames) / 100).sort((a, b) => a - b);
        for (const [i, seconds] of times.entries()) {
          expect(time.endOf(seconds)).toBeLessThanOrEqual(time.startOf(seconds));
          if (i > 0) expect(time.startOf(seconds)).toBeGreaterThanOrEqual(time.startOf(times[i - 1]!));
          if (i > 0 && seconds > times[i - 1]!) {
            expect(time.endOf(seconds)).toBeGreaterThanOrEqual(time.startOf(times[i - 1]!));
          }
        }
      }),
    );
  });

  it("is the recording itself, to the last bit, where nothing is left out", () => {
    const time = heardTime(whole(123_456));
    for (const seconds of [0, 3.3000000000000003, 1234.56]) {
      expect(time.startOf(seconds)).toBe(seconds);
      expect(time.endOf(seconds)).toBe(seconds);
    }
    expect(time.recorded(777)).toBe(777);
  });

  it("gives windows whose frames are those of the recording that the times lead back to", async () => {
    await fc.assert(
      fc.asyncProperty(
        recordings,
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        async ({ speech, contentFrames }, at) => {
          const time = heardTime(spansOf(speech, whole(contentFrames)));
          if (time.frames === 0) return;
          const seek = Math.floor(at * time.frames);
          const size = Math.min(N_FRAMES, time.frames - seek);
          const seen = new Float32Array(N_FRAMES);
          await time.window(
            { window: (first, count, into, column = 0) => numbered(first, count, into, column, seen) },
            seek,
            size,
          );
          for (let i = 0; i < size; i++) expect(seen[i]).toBe(time.recorded(seek + i));
          expect(seen.subarray(size).every((value) => value === 0)).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("lies within the clips that were asked for", () => {
    const clips = [
      { start: 0, end: 50 },
      { start: 80, end: 90 },
    ];
    expect(intersection([{ start: 40, end: 85 }], clips)).toEqual([
      { start: 40, end: 50 },
      { start: 80, end: 85 },
    ]);
  });
});

/** A spectrogram of one band in which each frame holds its own number. */
async function numbered(first: number, count: number, _: unknown, column: number, seen: Float32Array) {
  for (let i = 0; i < count; i++) seen[column + i] = first + i;
  return seen;
}

describe("windows", () => {
  it("hold every region, once, in order, are cut in silence, and are at most 30 s long", () => {
    fc.assert(
      fc.property(recordings, ({ speech, contentFrames }) => {
        const time = heardTime(spansOf(speech, whole(contentFrames)));
        const regions = speech.map(({ start, end }) => ({ start: time.heard(start), end: time.heard(end) }));
        const pauses = speech.map(({ end }, i) => (speech[i + 1]?.start ?? contentFrames) - end);
        const windows = speechWindows(regions, pauses, time.frames);
        let region = 0;
        let end = 0;
        for (const window of windows) {
          expect(window.start).toBeGreaterThanOrEqual(end);
          expect(window.end - window.start).toBeLessThanOrEqual(N_FRAMES);
          expect(regions[region]!.start).toBeGreaterThanOrEqual(window.start);
          while (region < regions.length && regions[region]!.end <= window.end) region++;
          // The next region is wholly outside.
          expect(regions[region]?.start ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(window.end);
          end = window.end;
        }
        expect(region).toBe(regions.length);
        expect(end).toBeLessThanOrEqual(time.frames);
      }),
    );
  });

  it("end at the longest pause of their last third", () => {
    const regions = [
      { start: 40, end: 1000 },
      { start: 1100, end: 2100 },
      { start: 2250, end: 2500 },
      { start: 2520, end: 2900 },
      { start: 2950, end: 3500 },
    ];
    const windows = speechWindows(regions, [100, 150, 20, 50, 0], 3500);
    expect(windows).toEqual([
      { start: 0, end: 2140 },
      { start: 2210, end: 3500 },
    ]);
  });
});
