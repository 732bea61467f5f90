// The durable job queue: adding, looking, and what people do with jobs. Claimed work is in storage/claims.ts.
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import type { Job, JobRequest, JobState } from "../core/job.ts";
import type { JobQueue } from "../core/ports.ts";
import type { Recording, Scope } from "../core/recording.ts";
import { createClaims } from "./claims.ts";
import type { Database } from "./database.ts";
import { claimOrder, lengthOf, nextTurn } from "./fairness.ts";
import { type JobRow, jobOf, requestKey, scopeOf } from "./job-rows.ts";
import { createTimeShift } from "./time-shift.ts";
import { createUsage } from "./usage.ts";

/** Recordings kept for each channel, so that there is a latest one when the latest is deleted. */
const SEEN_PER_CHANNEL = 10;

/**
 * Every call is one transaction that is on the disk when the promise resolves. @throws InferenceError disk_full
 *
 * `nextDueMs` also tells when a lease ends that nobody extends.
 */
export function createQueue(database: Database): JobQueue {
  const { now } = database;
  const usage = createUsage(database);
  const sameJob = database.prepare<[string, string], JobRow>(
    "SELECT * FROM jobs WHERE recording_key = ? AND request_key = ? AND state IN ('queued', 'running', 'done')",
  );
  const byId = database.prepare<[string], JobRow>("SELECT * FROM jobs WHERE id = ?");
  const idTaken = database.prepare<{ id: string }, { taken: number }>(
    `SELECT EXISTS (SELECT 1 FROM jobs WHERE id = @id) OR EXISTS (SELECT 1 FROM transcripts WHERE job_id = @id) AS taken`,
  );
  const lastTurn = database.prepare<[string, string, string, number], { until: number | null }>(
    `SELECT max(turn_until) AS until FROM jobs
     WHERE platform = ? AND workspace = ? AND channel = ? AND size_class = ? AND state <> 'cancelled'`,
  );
  const insert = database.prepare<Record<string, string | number | null>>(
    `INSERT INTO jobs (id, platform, workspace, channel, message, recording_key, request_key, recording, request, state,
       added_at, due_at, size_class, turn_at, turn_until, claim_order, is_short)
     VALUES (@id, @platform, @workspace, @channel, @message, @recordingKey, @requestKey, @recording, @request, 'queued',
       @now, @now, @sizeClass, @turnAt, @turnUntil, @claimOrder, @isShort)`,
  );
  const insertSeen = database.prepare<Record<string, string | number | null>>(
    `INSERT OR REPLACE INTO seen_recordings (recording_key, platform, workspace, channel, message, seen_at, recording)
     VALUES (@recordingKey, @platform, @workspace, @channel, @message, @now, @recording)`,
  );
  const trimSeen = database.prepare<[string, string, string, string, string, string]>(
    `DELETE FROM seen_recordings WHERE platform = ? AND workspace = ? AND channel = ? AND number <= (
       SELECT number FROM seen_recordings WHERE platform = ? AND workspace = ? AND channel = ?
       ORDER BY number DESC LIMIT 1 OFFSET ${SEEN_PER_CHANNEL})`,
  );
  const latestSeen = database.prepare<[string, string, string], { recording: string }>(
    `SELECT recording FROM seen_recordings WHERE platform = ? AND workspace = ? AND channel = ?
     ORDER BY number DESC LIMIT 1`,
  );
  const setSteps = database.prepare<[string, string]>("UPDATE jobs SET steps = ? WHERE id = ?");
  const countAhead = database.prepare<{ order: number; number: number; now: number }, { ahead: number }>(
    `SELECT (SELECT count(*) FROM jobs INDEXED BY jobs_queued WHERE state = 'queued' AND due_at <= @now
               AND (claim_order, number) < (@order, @number))
          + (SELECT count(*) FROM jobs WHERE state = 'running' AND lease_until <= @now
               AND (claim_order, number) < (@order, @number)) AS ahead`,
  );
  const countStates = database.prepare<[], { state: JobState; jobs: number }>(
    "SELECT state, count(*) AS jobs FROM jobs GROUP BY state",
  );
  const requeue = database.prepare<[number, string]>(
    `UPDATE jobs SET state = 'queued', attempt = 0, due_at = ?, ended_at = NULL, failure = NULL,
       steps = json_remove(steps, '$.verdict', '$.deaths')
     WHERE id = ? AND state IN ('failed', 'cancelled')`,
  );
  const cancelled = database.prepare<[number, string]>(
    `UPDATE jobs SET state = 'cancelled', ended_at = ?, lease_token = NULL, lease_worker = NULL, lease_until = NULL
     WHERE id = ? AND state IN ('queued', 'running')`,
  );
  const nextDue = database.prepare<[], { due: number | null }>(
    `SELECT min(due) AS due FROM (
       SELECT min(due_at) AS due FROM jobs WHERE state = 'queued'
       UNION ALL SELECT min(lease_until) FROM jobs WHERE state = 'running')`,
  );

  function newId(): string {
    for (;;) {
      const id = randomBytes(3).toString("hex");
      if (idTaken.get({ id })?.taken === 0) return id;
    }
  }

  function see(recording: Recording): void {
    const scope = scopeOf(recording.place);
    const [platform, workspace, channel] = scope;
    insertSeen.run({
      platform,
      workspace,
      channel,
      message: recording.place.message ?? null,
      recordingKey: recording.key,
      recording: JSON.stringify(recording),
      now: now(),
    });
    trimSeen.run(...scope, ...scope);
  }

  function insertJob(recording: Recording, request: JobRequest): string {
    const scope = scopeOf(recording.place);
    const [platform, workspace, channel] = scope;
    const length = lengthOf(recording);
    const turn = nextTurn(length, now(), lastTurn.get(...scope, length.sizeClass)?.until ?? undefined);
    const id = newId();
    insert.run({
      id,
      platform,
      workspace,
      channel,
      message: recording.place.message ?? null,
      recordingKey: recording.key,
      requestKey: requestKey(request),
      recording: JSON.stringify(recording),
      request: JSON.stringify(request),
      now: now(),
      sizeClass: length.sizeClass,
      turnAt: turn.turnAtMs,
      turnUntil: turn.turnUntilMs,
      claimOrder: claimOrder(length, turn.turnAtMs),
      isShort: length.isShort ? 1 : 0,
    });
    return id;
  }

  function add(recording: Recording, request: JobRequest) {
    const same = sameJob.get(recording.key, requestKey(request));
    if (same !== undefined) return { kind: "duplicate" as const, job: jobOf(same) };
    const id = insertJob(recording, request);
    usage.announce(id, recording.place, recording.durationSeconds ?? 0);
    see(recording);
    return { kind: "added" as const, job: required(id) };
  }

  function required(id: string): Job {
    const row = byId.get(id);
    if (row === undefined) throw new Error(`job ${id} is gone within its own transaction`);
    return jobOf(row);
  }

  return {
    ...createClaims(database),
    ...createTimeShift(database),

    async add(recording, request) {
      return database.write(() => add(recording, request));
    },

    async addWithin(allowance, recording, request) {
      return database.write(() => {
        const isNew = sameJob.get(recording.key, requestKey(request)) === undefined;
        const over = isNew ? usage.over(recording.place, recording.durationSeconds ?? 0, allowance) : undefined;
        return over === undefined ? add(recording, request) : { kind: "over" as const, over };
      });
    },

    async usedToday(place) {
      return database.read(() => usage.today(place));
    },

    async noteStatus(jobId, statusId) {
      return database.write(() => {
        const row = byId.get(jobId);
        if (row === undefined) return statusId;
        const { steps } = jobOf({ ...row, checkpoint: null });
        if (steps.statusId !== undefined) return steps.statusId;
        setSteps.run(JSON.stringify({ ...steps, statusId }), jobId);
        return statusId;
      });
    },

    async get(jobId) {
      const row = database.read(() => byId.get(jobId));
      return row === undefined ? undefined : jobOf(row);
    },

    async list(filter) {
      return database.read(() => listed(database, filter)).map(jobOf);
    },

    async ahead(jobId) {
      return database.read(() => {
        const row = byId.get(jobId);
        const at = now();
        const waits = row?.state === "queued" || (row?.state === "running" && (row.lease_until ?? 0) <= at);
        if (row === undefined || !waits) return 0;
        return countAhead.get({ order: row.claim_order, number: row.number, now: at })?.ahead ?? 0;
      });
    },

    async counts() {
      const counts = { queued: 0, running: 0, done: 0, failed: 0, cancelled: 0 };
      for (const { state, jobs } of database.read(() => countStates.all())) counts[state] = jobs;
      return counts;
    },

    async retry(jobId) {
      return database.write(() => {
        const row = byId.get(jobId);
        if (row === undefined) return false;
        const { recording, request } = jobOf({ ...row, checkpoint: null });
        // It was asked for again since, and that one stands.
        if (sameJob.get(recording.key, requestKey(request)) !== undefined) return false;
        return requeue.run(now(), jobId).changes === 1;
      });
    },

    async cancel(jobId) {
      const [before, isCancelled] = database.write(() => {
        const row = byId.get(jobId);
        const { changes } = cancelled.run(now(), jobId);
        if (changes === 1) usage.release(jobId, true);
        return [row, changes === 1] as const;
      });
      // The worker of a running job deletes what it downloaded itself, when it has let go of it.
      if (isCancelled && before?.state === "queued") {
        const { mediaPath } = jobOf({ ...before, checkpoint: null }).steps;
        if (mediaPath !== undefined) rmSync(mediaPath, { force: true });
      }
      return isCancelled;
    },

    async nextDueMs() {
      return database.read(() => nextDue.get()?.due ?? undefined);
    },

    async saw(recording) {
      database.write(() => see(recording));
    },

    async latest(scope) {
      const row = database.read(() => latestSeen.get(...scopeOf(scope)));
      return row === undefined ? undefined : JSON.parse(row.recording);
    },
  };
}

/** Newest first. */
function listed(
  database: Database,
  { state, scope, limit }: { readonly state?: JobState; readonly scope?: Scope; readonly limit: number },
): readonly JobRow[] {
  const conditions = [
    ...(state === undefined ? [] : ["state = ?"]),
    ...(scope === undefined ? [] : ["platform = ? AND workspace = ? AND channel = ?"]),
  ];
  const values = [...(state === undefined ? [] : [state]), ...(scope === undefined ? [] : scopeOf(scope))];
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  return database
    .prepare<(string | number)[], JobRow>(`SELECT * FROM jobs ${where} ORDER BY number DESC LIMIT ?`)
    .all(...values, limit);
}
