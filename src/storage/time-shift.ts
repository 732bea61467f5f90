// What the queue does when the machine's clock was set: every time in it that is still to come moves along.
import type { JobQueue } from "../core/ports.ts";
import type { Database } from "./database.ts";

/** Waits, leases and turns keep their length; what is written down of the past stays. */
export const SHIFT_JOBS = `UPDATE jobs SET due_at = due_at + @byMs, lease_until = lease_until + @byMs,
    turn_at = turn_at + @byMs, turn_until = turn_until + @byMs, claim_order = claim_order + @byMs
  WHERE state IN ('queued', 'running') OR turn_until + @byMs > @nowMs`;

/** How far the newest of the jobs that wait lies in the future, when the clock was set back while nobody was there. */
export const JOBS_AHEAD = "SELECT max(added_at) - @nowMs AS ahead FROM jobs WHERE state IN ('queued', 'running')";

export function createTimeShift(database: Database): Pick<JobQueue, "shift"> {
  const shift = database.prepare<{ byMs: number; nowMs: number }>(SHIFT_JOBS);
  return {
    async shift(byMs) {
      database.write(() => shift.run({ byMs: Math.round(byMs), nowMs: database.now() }));
    },
  };
}
