// The durable job queue: who is next, who holds what, and what was done.
import { randomBytes, randomUUID } from "node:crypto";
import { z } from "zod";
import type { ClaimedJob, Failure, Job, JobRequest, JobState, JobSteps } from "../core/job.ts";
import type { JobQueue } from "../core/ports.ts";
import type { Recording } from "../core/recording.ts";
import { SHORT_SECONDS } from "../core/run-job.ts";
import type { Segment } from "../core/transcript.ts";
import type { Database } from "./database.ts";
import { statements } from "./statements.ts";

/** What a recording of unknown length is taken for, in seconds: longer than short, shorter than a meeting. */
const UNKNOWN_SECONDS = 600;
/** Bytes of a second of compressed speech, to guess a length from a size. */
const BYTES_PER_SECOND = 16_000;
/** Jobs that have ended stay listed, up to this many. */
const KEPT_ENDED = 10_000;
/** Recordings of a channel that "latest" can still find. */
const KEPT_SEEN = 50;

interface JobRow {
  readonly id: string;
  readonly recording: string;
  readonly request: string;
  readonly state: JobState;
  readonly attempt: number;
  readonly added_at_ms: number;
  readonly lease_token: string | null;
  readonly lease_worker: string | null;
  readonly lease_until_ms: number | null;
  readonly status_id: string | null;
  readonly steps: string;
  readonly checkpoint: string | null;
  readonly failure: string | null;
}

/**
 * Jobs that may be claimed, the next one first.
 *
 * A job's rank is the seconds of work it costs less the seconds it has waited, so a short one overtakes a long one that
 * came up to that much earlier, and nothing starves. Each job of its own channel that is running or stands before it
 * adds `crowding` seconds, and so takes turns with the others'.
 */
const WAITING = `
  SELECT id, rank FROM (
    SELECT jobs.id, jobs.cost_seconds, jobs.added_at_ms,
      jobs.cost_seconds - (:now - jobs.added_at_ms) / 1000.0
        + :crowding * (ROW_NUMBER() OVER (PARTITION BY platform, workspace, channel ORDER BY cost_seconds, added_at_ms) - 1
        + (SELECT COUNT(*) FROM jobs AS busy WHERE busy.state = 'running' AND busy.lease_until_ms > :now
            AND busy.platform = jobs.platform AND busy.workspace = jobs.workspace AND busy.channel = jobs.channel)) AS rank
    FROM jobs
    WHERE (state = 'queued' AND due_at_ms <= :now) OR (state = 'running' AND lease_until_ms <= :now)
  )
  WHERE cost_seconds <= :longest
  ORDER BY rank, added_at_ms, id`;
const CROWDING_SECONDS = 60;

export function createQueue(database: Database, now: () => number): JobQueue {
  const prepare = statements(database);

  function find(id: string): JobRow | undefined {
    return prepare<JobRow>("SELECT * FROM jobs WHERE id = ?").get(id);
  }

  /** Runs an update of a claimed job, and says whether it still was this claim's. */
  function fenced(job: ClaimedJob, set: string, values: Readonly<Record<string, unknown>>): boolean {
    const { changes } = prepare(
      `UPDATE jobs SET ${set} WHERE id = :id AND lease_token = :token AND state = 'running'`,
    ).run({
      ...values,
      id: job.id,
      token: job.lease.token,
    });
    return changes === 1;
  }

  const add = database.transaction((recording: Recording, request: JobRequest) => {
    const dedupeKey = JSON.stringify([recording.key, sorted(request)]);
    const known = prepare<JobRow>(
      "SELECT * FROM jobs WHERE dedupe_key = ? AND state IN ('queued', 'running', 'done')",
    ).get(dedupeKey);
    if (known !== undefined) return { kind: "duplicate" as const, job: toJob(known) };
    const { platform, workspace, channel, message = null } = recording.place;
    const id = freshId((candidate) => find(candidate) !== undefined);
    prepare(
      `INSERT INTO jobs (id, dedupe_key, platform, workspace, channel, message, recording, request, state, added_at_ms, due_at_ms, cost_seconds)
       VALUES (:id, :dedupeKey, :platform, :workspace, :channel, :message, :recording, :request, 'queued', :now, :now, :cost)`,
    ).run({
      ...{ id, dedupeKey, platform, workspace, channel, message },
      recording: JSON.stringify(recording),
      request: JSON.stringify(request),
      now: now(),
      cost: costOf(recording),
    });
    return { kind: "added" as const, job: toJob(find(id)) };
  });

  const claim = database.transaction((worker: string, leaseMs: number, longest: number) => {
    const at = now();
    const next = prepare<{ id: string }>(`${WAITING} LIMIT 1`).get({ now: at, crowding: CROWDING_SECONDS, longest });
    if (next === undefined) return undefined;
    const token = randomUUID();
    prepare(
      `UPDATE jobs SET state = 'running', attempt = attempt + 1, lease_token = :token, lease_worker = :worker,
         lease_until_ms = :until WHERE id = :id`,
    ).run({ token, worker, until: at + leaseMs, id: next.id });
    return claimed(find(next.id), segmentsOf(next.id));
  });

  function segmentsOf(id: string): Segment[] {
    const rows = prepare<{ segment: string }>(
      "SELECT segment FROM job_segments WHERE job_id = ? ORDER BY position",
    ).all(id);
    return rows.map((row) => JSON.parse(row.segment) as Segment);
  }

  const note = database.transaction((job: ClaimedJob, { statusId, checkpoint, ...steps }: JobSteps) => {
    const row = find(job.id);
    if (row === undefined) return false;
    const merged = JSON.stringify({ ...JSON.parse(row.steps), ...steps });
    const cost = steps.durationSeconds ?? null;
    return fenced(
      job,
      `steps = :merged, cost_seconds = COALESCE(:cost, cost_seconds), status_id = COALESCE(:statusId, status_id),
       checkpoint = COALESCE(:checkpoint, checkpoint)`,
      {
        merged,
        cost,
        statusId: statusId ?? null,
        checkpoint: checkpoint === undefined ? null : JSON.stringify(checkpoint),
      },
    );
  });

  const append = database.transaction((job: ClaimedJob, segments: readonly Segment[], checkpoint: unknown) => {
    if (!fenced(job, "checkpoint = :checkpoint", { checkpoint: JSON.stringify(checkpoint) })) return false;
    const insert = prepare("INSERT INTO job_segments (job_id, position, segment) VALUES (?, ?, ?)");
    const { count = 0 } =
      prepare<{ count: number }>("SELECT COUNT(*) AS count FROM job_segments WHERE job_id = ?").get(job.id) ?? {};
    for (const [index, segment] of segments.entries()) insert.run(job.id, count + index, JSON.stringify(segment));
    return true;
  });

  const settle = database.transaction((job: ClaimedJob, outcome: Parameters<JobQueue["settle"]>[1]): boolean => {
    const free = "lease_token = NULL, lease_worker = NULL, lease_until_ms = NULL";
    switch (outcome.kind) {
      case "done":
        if (
          !fenced(job, `state = 'done', ended_at_ms = :now, checkpoint = NULL, failure = NULL, ${free}`, { now: now() })
        ) {
          return false;
        }
        prepare("DELETE FROM job_segments WHERE job_id = ?").run(job.id);
        tidy();
        return true;
      case "failed": {
        const failure = JSON.stringify({ ...outcome.failure, atMs: now() });
        return fenced(job, `state = 'failed', ended_at_ms = :now, failure = :failure, ${free}`, {
          now: now(),
          failure,
        });
      }
      case "retry": {
        const failure = JSON.stringify({ ...outcome.failure, atMs: now() });
        const due = now() + outcome.afterMs;
        return fenced(job, `state = 'queued', due_at_ms = :due, failure = :failure, ${free}`, { due, failure });
      }
      case "released":
        return fenced(job, `state = 'queued', due_at_ms = :now, attempt = attempt - 1, ${free}`, { now: now() });
      default:
        return outcome satisfies never;
    }
  });

  function tidy(): void {
    prepare(
      "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE ended_at_ms IS NOT NULL ORDER BY ended_at_ms DESC LIMIT -1 OFFSET ?)",
    ).run(KEPT_ENDED);
  }

  const retry = database.transaction((id: string) => {
    const row = find(id);
    if (row === undefined || (row.state !== "failed" && row.state !== "cancelled")) return false;
    const other = prepare(
      `SELECT 1 FROM jobs WHERE dedupe_key = (SELECT dedupe_key FROM jobs WHERE id = ?) AND state IN ('queued', 'running', 'done')`,
    ).get(id);
    if (other !== undefined) return false;
    prepare(
      "UPDATE jobs SET state = 'queued', attempt = 0, due_at_ms = :now, added_at_ms = :now, ended_at_ms = NULL WHERE id = :id",
    ).run({ id, now: now() });
    return true;
  });

  const saw = database.transaction((recording: Recording) => {
    const { platform, workspace, channel } = recording.place;
    prepare(
      `INSERT INTO seen_recordings (key, platform, workspace, channel, seen_at_ms, recording)
       VALUES (:key, :platform, :workspace, :channel, :now, :recording)
       ON CONFLICT (key) DO UPDATE SET seen_at_ms = excluded.seen_at_ms, recording = excluded.recording`,
    ).run({ key: recording.key, platform, workspace, channel, now: now(), recording: JSON.stringify(recording) });
    prepare(
      `DELETE FROM seen_recordings WHERE key IN (SELECT key FROM seen_recordings
         WHERE platform = ? AND workspace = ? AND channel = ? ORDER BY seen_at_ms DESC, rowid DESC LIMIT -1 OFFSET ?)`,
    ).run(platform, workspace, channel, KEPT_SEEN);
  });

  return {
    add: async (recording, request) => add.immediate(recording, request),
    claim: async (worker, leaseMs, lane) =>
      claim.immediate(worker, leaseMs, lane === "short" ? SHORT_SECONDS : Number.MAX_VALUE),
    extend: async (job, leaseMs) => fenced(job, "lease_until_ms = :until", { until: now() + leaseMs }),
    note: async (job, steps) => note.immediate(job, steps),
    append: async (job, segments, checkpoint) => append.immediate(job, segments, checkpoint),
    settle: async (job, outcome) => settle.immediate(job, outcome),

    async noteStatus(jobId, statusId) {
      prepare("UPDATE jobs SET status_id = COALESCE(status_id, ?) WHERE id = ?").run(statusId, jobId);
      return find(jobId)?.status_id ?? statusId;
    },

    async get(jobId) {
      const row = find(jobId);
      return row === undefined ? undefined : toJob(row);
    },

    async list({ state, scope, limit }) {
      const rows = prepare<JobRow>(
        `SELECT * FROM jobs WHERE (:state IS NULL OR state = :state)
           AND (:platform IS NULL OR (platform = :platform AND workspace = :workspace AND channel = :channel))
         ORDER BY added_at_ms DESC, rowid DESC LIMIT :limit`,
      ).all({
        state: state ?? null,
        platform: scope?.platform ?? null,
        workspace: scope?.workspace ?? null,
        channel: scope?.channel ?? null,
        limit,
      });
      return rows.map(toJob);
    },

    async ahead(jobId) {
      const waiting = prepare<{ id: string }>(WAITING).all({
        now: now(),
        crowding: CROWDING_SECONDS,
        longest: Number.MAX_VALUE,
      });
      return Math.max(
        0,
        waiting.findIndex(({ id }) => id === jobId),
      );
    },

    async counts() {
      const counts: Record<JobState, number> = { queued: 0, running: 0, done: 0, failed: 0, cancelled: 0 };
      const rows = prepare<{ state: JobState; count: number }>(
        "SELECT state, COUNT(*) AS count FROM jobs GROUP BY state",
      ).all();
      for (const { state, count } of rows) counts[state] = count;
      return counts;
    },

    retry: async (jobId) => retry.immediate(jobId),

    async cancel(jobId) {
      const { changes } = prepare(
        `UPDATE jobs SET state = 'cancelled', ended_at_ms = ?, lease_token = NULL, lease_worker = NULL, lease_until_ms = NULL
         WHERE id = ? AND state IN ('queued', 'running')`,
      ).run(now(), jobId);
      return changes === 1;
    },

    async nextDueMs() {
      return (
        prepare<{ due: number | null }>(
          `SELECT MIN(CASE state WHEN 'queued' THEN due_at_ms ELSE lease_until_ms END) AS due FROM jobs
           WHERE state IN ('queued', 'running')`,
        ).get()?.due ?? undefined
      );
    },

    saw: async (recording) => saw.immediate(recording),

    async latest({ platform, workspace, channel }) {
      const row = prepare<{ recording: string }>(
        `SELECT recording FROM seen_recordings WHERE platform = ? AND workspace = ? AND channel = ?
         ORDER BY seen_at_ms DESC, rowid DESC LIMIT 1`,
      ).get(platform, workspace, channel);
      return row === undefined ? undefined : (JSON.parse(row.recording) as Recording);
    },
  };
}

function costOf({ durationSeconds, bytes }: Recording): number {
  if (durationSeconds !== undefined) return durationSeconds;
  // Never taken for short on a guess: the short lane is for those known to be.
  return Math.max(SHORT_SECONDS + 1, bytes === undefined ? UNKNOWN_SECONDS : bytes / BYTES_PER_SECOND);
}

function freshId(isTaken: (id: string) => boolean): string {
  let id: string;
  do id = randomBytes(3).toString("hex");
  while (isTaken(id));
  return id;
}

/** The same text for the same request, whatever the order of its fields. */
function sorted(request: JobRequest): [string, unknown][] {
  return Object.entries(request)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

const failureSchema = z.object({ code: z.string(), message: z.string(), atMs: z.number() });

function toJob(row: JobRow | undefined): Job {
  if (row === undefined) throw new Error("A job that was just written is not there.");
  const steps = JSON.parse(row.steps) as JobSteps;
  const failure: Failure | undefined = row.failure === null ? undefined : failureSchema.parse(JSON.parse(row.failure));
  return {
    id: row.id,
    recording: JSON.parse(row.recording) as Recording,
    request: JSON.parse(row.request) as JobRequest,
    state: row.state,
    attempt: row.attempt,
    addedAtMs: row.added_at_ms,
    steps: {
      ...steps,
      ...(row.status_id === null ? {} : { statusId: row.status_id }),
      ...(row.checkpoint === null ? {} : { checkpoint: JSON.parse(row.checkpoint) as unknown }),
    },
    ...(row.lease_token === null
      ? {}
      : { lease: { token: row.lease_token, worker: row.lease_worker ?? "", untilMs: row.lease_until_ms ?? 0 } }),
    ...(failure === undefined ? {} : { failure }),
  };
}

function claimed(row: JobRow | undefined, segments: readonly Segment[]): ClaimedJob {
  const job = toJob(row);
  if (job.lease === undefined) throw new Error("A claimed job has no lease.");
  return { ...job, lease: job.lease, segments };
}
