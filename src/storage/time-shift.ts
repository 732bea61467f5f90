// What the queue does when the machine's clock was set: every time in it that is still to come moves along.
import type { JobQueue } from "../core/ports.ts";
import type { Database } from "./database.ts";

/** The clock was set back: waits, leases and turns keep their length; what is written down of the past stays. */
export const SHIFT_BACK = `UPDATE jobs SET due_at = due_at + @byMs, lease_until = lease_until + @byMs,
    turn_at = turn_at + @byMs, turn_until = turn_until + @byMs, claim_order = claim_order + @byMs
  WHERE state IN ('queued', 'running') OR turn_until + @byMs > @nowMs`;

/** How far the newest of the jobs that wait lies in the future, when the clock was set back while nobody was there. */
export const JOBS_AHEAD = "SELECT max(added_at) - @nowMs AS ahead FROM jobs WHERE state IN ('queued', 'running')";

/** The clock was set forward: what waits may be tried early, but nobody may lose a job that is worked on. */
const SHIFT_LEASES = "UPDATE jobs SET lease_until = lease_until + @byMs WHERE state = 'running'";

export function createTimeShift(database: Database): Pick<JobQueue, "shift"> {
  const back = database.prepare<{ byMs: number; nowMs: number }>(SHIFT_BACK);
  const forward = database.prepare<{ byMs: number }>(SHIFT_LEASES);
  return {
    async shift(exactMs) {
      const byMs = Math.round(exactMs);
      database.write(() => (byMs < 0 ? back.run({ byMs, nowMs: database.now() }) : forward.run({ byMs })));
    },
  };
}
