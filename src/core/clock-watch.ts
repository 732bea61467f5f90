// Notices that the machine's clock was set, or stood still while the machine slept, and moves the queue's times along.
import type { JobQueue } from "./ports.ts";

export interface ClockWatch {
  /** To be called before times are compared or written: before a job is added, and before one is claimed. */
  look(): Promise<void>;
}

/** What clocks that are steered into step may differ between two looks. */
const SET_MS = 2000;

/** @param steady milliseconds that only ever grow, whatever is done to the clock */
export function createClockWatch(queue: Pick<JobQueue, "shift">, now: () => number, steady: () => number): ClockWatch {
  let aheadMs = now() - steady();
  return {
    async look() {
      const before = aheadMs;
      const byMs = now() - steady() - before;
      if (Math.abs(byMs) < SET_MS) return;
      aheadMs += byMs;
      try {
        await queue.shift(byMs);
      } catch (error) {
        aheadMs = before;
        throw error;
      }
    },
  };
}
