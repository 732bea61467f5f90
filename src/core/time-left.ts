// How long a recording will still take, from how fast it went so far: steady, though windows differ and come in batches.

export interface TimeLeft {
  /**
   * @param done of the work, in any unit; it never becomes less
   * @returns seconds; undefined before anything was done
   */
  update(done: number, total: number): number | undefined;
}

/** The share of the work after which older speeds count for little. */
const MEMORY = 0.15;

/** @param now milliseconds that only ever grow */
export function createTimeLeft(now: () => number): TimeLeft {
  let first: number | undefined;
  let last = { done: 0, atMs: 0 };
  let msPerUnit: number | undefined;
  return {
    update(done, total) {
      const atMs = now();
      if (first === undefined) {
        first = done;
        last = { done, atMs };
      }
      const step = done - last.done;
      if (step > 0) {
        const latest = (atMs - last.atMs) / step;
        // The first window says all that is known; a later one counts by its size, and never for all.
        const weight = 1 - Math.exp(-step / (MEMORY * (total - first)));
        msPerUnit = msPerUnit === undefined ? latest : msPerUnit + weight * (latest - msPerUnit);
        last = { done, atMs };
      }
      if (msPerUnit === undefined) return undefined;
      const sinceLastMs = atMs - last.atMs;
      return Math.max(0, (msPerUnit * (total - last.done) - sinceLastMs) / 1000);
    },
  };
}
