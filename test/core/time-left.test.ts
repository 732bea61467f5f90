import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTimeLeft } from "../../src/core/time-left.ts";

function clocked() {
  const clock = { ms: 0 };
  return { clock, left: createTimeLeft(() => clock.ms) };
}

describe("the time left", () => {
  it("is not known before anything was done", () => {
    const { clock, left } = clocked();
    expect(left.update(0, 100)).toBeUndefined();
    clock.ms = 5000;
    expect(left.update(0, 100)).toBeUndefined();
  });

  it("is exact at an even speed, also for a transcription that goes on", () => {
    const { clock, left } = clocked();
    left.update(40, 100);
    for (let done = 50; done <= 100; done += 10) {
      clock.ms += 2000;
      expect(left.update(done, 100)).toBeCloseTo((100 - done) / 5);
    }
  });

  it("counts down while a batch is under way", () => {
    const { clock, left } = clocked();
    left.update(0, 100);
    clock.ms = 10_000;
    expect(left.update(50, 100)).toBeCloseTo(10);
    clock.ms = 14_000;
    expect(left.update(50, 100)).toBeCloseTo(6);
    clock.ms = 40_000;
    expect(left.update(50, 100)).toBe(0);
  });

  it("stays steady when windows take now half, now twice as long", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0.5, 1, 2), { minLength: 60, maxLength: 60 }), (factors) => {
        const { clock, left } = clocked();
        left.update(0, 60);
        let before: number | undefined;
        for (const [i, factor] of factors.entries()) {
          clock.ms += factor * 1000;
          const now = left.update(i + 1, 60)!;
          // From one window to the next it moves by less than a third, but for the first ones and the last seconds.
          if (before !== undefined && i > 5 && before > 10) expect(Math.abs(now - before) / before).toBeLessThan(1 / 3);
          before = now;
        }
      }),
    );
  });

  it("follows when the machine gets slower", () => {
    const { clock, left } = clocked();
    left.update(0, 1000);
    for (let done = 10; done <= 500; done += 10) {
      clock.ms += 1000;
      left.update(done, 1000);
    }
    for (let done = 510; done <= 800; done += 10) {
      clock.ms += 3000;
      left.update(done, 1000);
    }
    const truth = 60;
    expect(left.update(800, 1000)! / truth).toBeGreaterThan(0.85);
  });
});
