// The minutes that jobs have taken of a day: one row for each job, so that nothing is counted twice.
import { type Allowance, type Counted, dayEndsAtMs, dayOf, type Over } from "../core/limits.ts";
import type { Place } from "../core/recording.ts";
import type { Database } from "./database.ts";
import { scopeOf } from "./job-rows.ts";

/** Days that rows are kept, besides today's. */
const KEPT_DAYS = 2;
/** Lengths that add up to a limit exactly must not be over it by the last bit of a sum. */
const ROUNDING_SECONDS = 0.001;

/** Each call runs within the transaction of what is done to the job. */
export interface Usage {
  /** Why a recording of this length cannot be taken; one of unknown length (0) only when nothing is left at all. */
  over(place: Place, seconds: number, allowance: Allowance, jobId?: string): Over | undefined;
  /** Counted as announced, until it is measured. */
  announce(jobId: string, place: Place, seconds: number): void;
  isMeasured(jobId: string): boolean;
  /** Counted as it is, on the day on which it was announced. */
  measure(jobId: string, place: Place, seconds: number): void;
  /** Not counted after all. */
  release(jobId: string, onlyUnmeasured?: boolean): void;
  /** Seconds counted today. */
  today(place: Place): Readonly<Record<Counted, number>>;
}

export function createUsage(database: Database): Usage {
  const { now } = database;
  const sums = database.prepare<Record<string, string | number>, Record<Counted, number>>(
    `SELECT coalesce(sum(seconds), 0) AS workspace,
       coalesce(sum(seconds) FILTER (WHERE channel = @channel), 0) AS channel,
       coalesce(sum(seconds) FILTER (WHERE user = @user), 0) AS person,
       coalesce(sum(seconds) FILTER (WHERE channel = @channel AND user = @user), 0) AS "person here"
     FROM usage WHERE platform = @platform AND workspace = @workspace AND day = @day AND job_id <> @except`,
  );
  const active = database.prepare<[string, string, string], { jobs: number }>(
    `SELECT count(*) AS jobs FROM usage JOIN jobs ON jobs.id = usage.job_id
     WHERE usage.platform = ? AND usage.workspace = ? AND usage.user = ? AND jobs.state IN ('queued', 'running')`,
  );
  const put = database.prepare<Record<string, string | number>>(
    `INSERT INTO usage (job_id, day, platform, workspace, channel, user, seconds, is_measured)
     VALUES (@jobId, @day, @platform, @workspace, @channel, @user, @seconds, @isMeasured)
     ON CONFLICT (job_id) DO UPDATE SET seconds = @seconds, is_measured = @isMeasured`,
  );
  const measured = database.prepare<[string], { is_measured: number }>(
    "SELECT is_measured FROM usage WHERE job_id = ?",
  );
  const remove = database.prepare<[string, number]>("DELETE FROM usage WHERE job_id = ? AND is_measured <= ?");
  const removeOld = database.prepare<[number]>("DELETE FROM usage WHERE day < ?");

  function counted(place: Place, except = ""): Record<Counted, number> {
    const [platform, workspace, channel] = scopeOf(place);
    const found = sums.get({ platform, workspace, channel, user: place.user, day: dayOf(now()), except });
    return found ?? { workspace: 0, channel: 0, person: 0, "person here": 0 };
  }

  function write(jobId: string, place: Place, seconds: number, isMeasured: 0 | 1): void {
    const [platform, workspace, channel] = scopeOf(place);
    put.run({ jobId, day: dayOf(now()), platform, workspace, channel, user: place.user, seconds, isMeasured });
  }

  return {
    over(place, seconds, { days, jobsPerUser }, jobId) {
      if (jobsPerUser !== undefined && jobId === undefined) {
        const waiting = active.get(place.platform, place.workspace, place.user)?.jobs ?? 0;
        if (waiting >= jobsPerUser) return { kind: "jobs", waiting };
      }
      if (days.length === 0) return undefined;
      const used = counted(place, jobId);
      const hit = days.find(
        (limit) => used[limit.of] + seconds > limit.seconds + ROUNDING_SECONDS || used[limit.of] >= limit.seconds,
      );
      if (hit === undefined) return undefined;
      return { kind: "minutes", limit: hit, usedSeconds: used[hit.of], freeAtMs: dayEndsAtMs(dayOf(now())) };
    },
    announce(jobId, place, seconds) {
      removeOld.run(dayOf(now()) - KEPT_DAYS);
      write(jobId, place, seconds, 0);
    },
    isMeasured: (jobId) => measured.get(jobId)?.is_measured === 1,
    measure: (jobId, place, seconds) => write(jobId, place, seconds, 1),
    release(jobId, onlyUnmeasured = false) {
      remove.run(jobId, onlyUnmeasured ? 0 : 1);
    },
    today: (place) => counted(place),
  };
}
