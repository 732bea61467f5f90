// What a worker does with a job: claiming it, writing down its steps, settling it; each fenced by the lease token.
import { randomUUID } from "node:crypto";
import type { ClaimedJob, Failure, JobSteps, Outcome } from "../core/job.ts";
import type { JobQueue } from "../core/ports.ts";
import type { Segment } from "../core/transcript.ts";
import type { Database } from "./database.ts";
import { claimOrder, lengthOf } from "./fairness.ts";
import { type JobRow, jobOf } from "./job-rows.ts";
import { createUsage } from "./usage.ts";

/** Ended jobs stay listed for 30 days. */
const KEPT_MS = 30 * 24 * 3600 * 1000;
/** Deleted with each job that ends, so that nothing ever waits for a great cleaning. */
const DELETED_AT_ONCE = 20;

type Claims = Pick<JobQueue, "claim" | "extend" | "note" | "append" | "measure" | "settle">;

/** A lease that ran out still holds as long as nobody else has claimed the job. */
export function createClaims(database: Database): Claims {
  const { now } = database;
  const usage = createUsage(database);
  // An ordered walk that stops at the first job; left to itself SQLite reads all that are due and sorts them.
  const next = (index: string, condition: string) =>
    database.prepare<{ now: number }, JobRow>(
      `SELECT * FROM (SELECT * FROM jobs INDEXED BY ${index} WHERE state = 'queued' ${condition} AND due_at <= @now
                      ORDER BY claim_order, number LIMIT 1)
       UNION ALL
       SELECT * FROM (SELECT * FROM jobs WHERE state = 'running' ${condition} AND lease_until <= @now
                      ORDER BY claim_order, number LIMIT 1)
       ORDER BY claim_order, number LIMIT 1`,
    );
  const nextOf = { any: next("jobs_queued", ""), short: next("jobs_queued_short", "AND is_short = 1") };
  const take = database.prepare<[string, string, number, string]>(
    `UPDATE jobs SET state = 'running', attempt = attempt + 1, lease_token = ?, lease_worker = ?, lease_until = ?
     WHERE id = ?`,
  );
  const byId = database.prepare<[string], JobRow>("SELECT * FROM jobs WHERE id = ?");
  const segmentsOf = database.prepare<[string], { segment: string }>(
    "SELECT segment FROM job_segments WHERE job_id = ? ORDER BY ordinal",
  );
  const held = database.prepare<[string, string], JobRow>(
    "SELECT * FROM jobs WHERE id = ? AND state = 'running' AND lease_token = ?",
  );
  const setLease = database.prepare<[number, string]>("UPDATE jobs SET lease_until = ? WHERE id = ?");
  const setSteps = database.prepare<[string, string | null, number, number, string]>(
    "UPDATE jobs SET steps = ?, checkpoint = ?, claim_order = ?, is_short = ? WHERE id = ?",
  );
  const setCheckpoint = database.prepare<[string, string]>("UPDATE jobs SET checkpoint = ? WHERE id = ?");
  const addSegment = database.prepare<{ id: string; segment: string }>(
    `INSERT INTO job_segments (job_id, ordinal, segment)
     VALUES (@id, (SELECT coalesce(max(ordinal), 0) + 1 FROM job_segments WHERE job_id = @id), @segment)`,
  );
  const deleteSegments = database.prepare<[string]>("DELETE FROM job_segments WHERE job_id = ?");
  const settled = database.prepare<Record<string, string | number | null>>(
    `UPDATE jobs SET state = @state, attempt = attempt - @givenBack, due_at = @due, ended_at = @ended,
       failure = coalesce(@failure, failure), lease_token = NULL, lease_worker = NULL, lease_until = NULL WHERE id = @id`,
  );
  const tidy = database.prepare<[string, string]>("UPDATE jobs SET steps = ?, checkpoint = NULL WHERE id = ?");
  const forgetFailure = database.prepare<[string]>("UPDATE jobs SET failure = NULL WHERE id = ?");
  const deleteOld = database.prepare<[number]>(
    `DELETE FROM jobs WHERE number IN (
       SELECT number FROM jobs WHERE ended_at <= ? ORDER BY ended_at LIMIT ${DELETED_AT_ONCE})`,
  );

  /** Runs within a transaction when the token is the job's own. */
  function fenced(job: ClaimedJob, work: (row: JobRow) => void): boolean {
    return database.write(() => {
      const row = held.get(job.id, job.lease.token);
      if (row === undefined) return false;
      work(row);
      return true;
    });
  }

  return {
    async claim(worker, leaseMs, lane) {
      return database.write((): ClaimedJob | undefined => {
        const found = nextOf[lane].get({ now: now() });
        if (found === undefined) return undefined;
        const lease = { token: randomUUID(), worker, untilMs: now() + leaseMs };
        take.run(lease.token, worker, lease.untilMs, found.id);
        const row = byId.get(found.id) ?? found;
        const segments = segmentsOf.all(found.id).map(({ segment }): Segment => JSON.parse(segment));
        return { ...jobOf(row), lease, segments };
      });
    },

    async extend(job, leaseMs) {
      return fenced(job, () => setLease.run(now() + leaseMs, job.id));
    },

    /** Adds to the steps that are noted already. */
    async note(job, { checkpoint, ...steps }) {
      return fenced(job, (row) => {
        const all: JobSteps = { ...JSON.parse(row.steps), ...steps };
        const length = lengthOf(job.recording, all);
        setSteps.run(
          JSON.stringify(all),
          checkpoint === undefined ? row.checkpoint : JSON.stringify(checkpoint),
          claimOrder(length, row.turn_at),
          length.isShort ? 1 : 0,
          job.id,
        );
      });
    },

    async append(job, segments, checkpoint) {
      return fenced(job, () => {
        for (const segment of segments) addSegment.run({ id: job.id, segment: JSON.stringify(segment) });
        setCheckpoint.run(JSON.stringify(checkpoint ?? null), job.id);
      });
    },

    async measure(job, seconds, allowance) {
      return database.write(() => {
        if (held.get(job.id, job.lease.token) === undefined || usage.isMeasured(job.id)) return undefined;
        const over = usage.over(job.recording.place, seconds, allowance, job.id);
        if (over === undefined) usage.measure(job.id, job.recording.place, seconds);
        return over;
      });
    },

    async settle(job, outcome) {
      return fenced(job, (row) => {
        settled.run({ id: job.id, ...columnsOf(outcome, row, now()) });
        // What gave no text takes no minutes.
        if (outcome.kind === "failed" && !isTranscribed(row)) usage.release(job.id);
        if (outcome.kind !== "done") return;
        deleteSegments.run(job.id);
        const { mediaPath: _, plan: __, ...kept }: JobSteps = JSON.parse(row.steps);
        tidy.run(JSON.stringify(kept), job.id);
        forgetFailure.run(job.id);
        deleteOld.run(now() - KEPT_MS);
      });
    },
  };
}

function columnsOf(outcome: Outcome, row: JobRow, nowMs: number): Record<string, string | number | null> {
  switch (outcome.kind) {
    case "done":
      return { state: "done", givenBack: 0, due: row.due_at, ended: nowMs, failure: null };
    case "failed":
      return { state: "failed", givenBack: 0, due: row.due_at, ended: nowMs, failure: failureOf(outcome, nowMs) };
    case "retry":
      return {
        state: "queued",
        givenBack: 0,
        due: nowMs + Math.max(0, Math.round(outcome.afterMs)),
        ended: null,
        failure: failureOf(outcome, nowMs),
      };
    case "released":
      return { state: "queued", givenBack: 1, due: nowMs, ended: null, failure: null };
    default:
      return outcome satisfies never;
  }
}

function isTranscribed({ steps }: JobRow): boolean {
  return (JSON.parse(steps) as JobSteps).isTranscribed === true;
}

function failureOf({ failure }: { readonly failure: Omit<Failure, "atMs"> }, atMs: number): string {
  return JSON.stringify({ ...failure, atMs } satisfies Failure);
}
