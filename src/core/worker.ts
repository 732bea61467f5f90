// Claims jobs, keeps their leases, and settles them: done, again later, or failed and said so.
import { setTimeout as sleep } from "node:timers/promises";
import type { ClockWatch } from "./clock-watch.ts";
import { dispositionOf, InferenceError, PlatformError, Stopping, UserError } from "./errors.ts";
import type { ClaimedJob, Failure, Outcome, Verdict } from "./job.ts";
import * as messages from "./messages.ts";
import type { JobQueue, Lane, Observe, StoredTranscript } from "./ports.ts";
import { LeaseLost } from "./run-job.ts";
import type { StatusBoard } from "./status-board.ts";

export interface Worker {
  start(): void;
  /** A job was added: do not wait for the next look. */
  wake(): void;
  /** Claims nothing more, gives what runs until the grace is over, and releases the rest unharmed. */
  stop(graceMs: number): Promise<void>;
}

export interface WorkerParts {
  readonly name: string;
  readonly queue: JobQueue;
  readonly run: (job: ClaimedJob, signal: AbortSignal) => Promise<StoredTranscript>;
  readonly status: StatusBoard;
  /** Called when a job has ended for good without an answer. */
  readonly discard: (jobId: string) => Promise<void>;
  /** One loop for each; the short ones never wait behind a long one. */
  readonly lanes: readonly Lane[];
  readonly leaseMs: number;
  readonly observe: Observe;
  readonly clock: ClockWatch;
  readonly now: () => number;
  /** How often to look for jobs that have become due, or that another process queued again. */
  readonly lookEveryMs?: number;
  /** In [0, 1), for the jitter. */
  readonly random: () => number;
}

const LOOK_EVERY_MS = 1000;
const LONGEST_END_MS = 4000;
const BACKOFF_MS = { first: 2000, longest: 600_000 };
/** Attempts before a job is set aside, by what went wrong. */
const ATTEMPTS = { outside: 20, bug: 3 };
/** A recording that kills the engine twice will do so again. An attempt that died with the gateway does not count. */
const MOST_DEATHS = 2;
const HOUR_MS = 3_600_000;
/**
 * What only needs a platform to come back, or room on the disk, is tried for so long, however often: a transcript that is
 * stored is worth more than the recording that can be asked for again.
 */
const PATIENCE_MS = { recording: 24 * HOUR_MS, answer: 72 * HOUR_MS };

export function createWorker(parts: WorkerParts): Worker {
  const { queue, leaseMs, observe, now, lookEveryMs = LOOK_EVERY_MS } = parts;
  const stopping = new AbortController();
  const cut = new AbortController();
  let rings = 0;
  const waiting = new Set<() => void>();
  let loops: readonly Promise<void>[] = [];

  async function loop(lane: Lane): Promise<void> {
    while (!stopping.signal.aborted) {
      const ringsBefore = rings;
      let job: ClaimedJob | undefined;
      try {
        await parts.clock.look();
        job = await queue.claim(`${parts.name}/${lane}`, leaseMs, lane);
        if (job !== undefined) await attempt(job);
      } catch (error) {
        observe({ kind: "unexpected", where: "worker", error });
      }
      if (job === undefined && rings === ringsBefore) await pause();
    }
  }

  function pause(): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        waiting.delete(go);
        resolve();
      };
      const timer = setTimeout(go, lookEveryMs);
      waiting.add(go);
    });
  }

  function ring(): void {
    rings++;
    for (const go of waiting) go();
  }

  async function attempt(job: ClaimedJob): Promise<void> {
    const lost = new AbortController();
    const heart = setInterval(async () => {
      const held = await queue.extend(job, leaseMs).catch(() => true);
      if (!held) lost.abort(new LeaseLost(job.id));
    }, leaseMs / 5);
    const startedAtMs = now();
    observe({ kind: "job_started", job, waitMs: startedAtMs - job.addedAtMs });
    try {
      if (job.steps.verdict !== undefined) return await end(job, job.steps.verdict);
      const transcript = await parts.run(job, AbortSignal.any([lost.signal, cut.signal]));
      if (!(await queue.settle(job, { kind: "done" }))) return;
      const { duration: audioSeconds, waitMs, model, device } = transcript;
      observe({ kind: "job_done", job, audioSeconds, workMs: now() - startedAtMs, waitMs, model, device });
    } catch (error) {
      if (error instanceof LeaseLost || lost.signal.aborted) await afterLoss(job);
      else if (cut.signal.aborted) await queue.settle(job, { kind: "released" });
      else if (error instanceof InferenceError && error.code === "child_shared") {
        observe({ kind: "job_retried", job, code: error.code, error });
        await queue.settle(job, { kind: "released" });
      } else await settleFailure(job, error);
    } finally {
      clearInterval(heart);
    }
  }

  async function afterLoss(job: ClaimedJob): Promise<void> {
    const state = (await queue.get(job.id))?.state;
    // Where another worker has it, the recording is that one's.
    if (state === undefined || state === "cancelled") await parts.discard(job.id);
    if (state !== "cancelled") return;
    await conclude(job, { kind: "failure", text: messages.cancelled({ name: job.recording.name }), actions: [] });
    observe({ kind: "job_cancelled", job });
  }

  async function settleFailure(job: ClaimedJob, error: unknown): Promise<void> {
    const outcome = outcomeOf(error, job, now(), parts.random());
    if (outcome.kind === "retry") {
      if (error instanceof InferenceError && !isOutside(error)) await queue.note(job, { deaths: deathsOf(job) + 1 });
      await queue.settle(job, outcome);
      observe({ kind: "job_retried", job, code: outcome.failure.code, error });
      const text = messages.retrying({ name: job.recording.name, secondsUntil: outcome.afterMs / 1000 });
      parts.status.update(job, { kind: "status", text, actions: [{ name: "cancel", label: "Cancel", jobId: job.id }] });
      return;
    }
    const canRetry = !(error instanceof UserError) || error.code === "over_quota";
    await parts.discard(job.id);
    await end(job, { failure: outcome.failure, canRetry }, error);
  }

  /** Told before it is settled: a crash in between tells it again in the same message. */
  async function end(job: ClaimedJob, verdict: Verdict, error?: unknown): Promise<void> {
    const { failure, canRetry } = verdict;
    const untold = await conclude(job, {
      kind: "failure",
      text: failure.message,
      actions: canRetry ? [{ name: "retry", label: "Try again", jobId: job.id }] : [],
    });
    // While the platform is away the recording is not worked on again, only its end is still to be told.
    const again = untold === undefined ? undefined : outcomeOf(untold, job, now(), parts.random());
    if (again?.kind === "retry" && (await queue.note(job, { verdict }))) {
      await queue.settle(job, { ...again, failure });
      return;
    }
    await queue.settle(job, { kind: "failed", failure });
    observe({ kind: "job_failed", job, code: failure.code, error });
  }

  /** @returns why it did not get through */
  async function conclude(job: ClaimedJob, reply: Parameters<StatusBoard["conclude"]>[1]): Promise<unknown> {
    try {
      await parts.status.conclude(job, reply);
      return undefined;
    } catch (error) {
      observe({ kind: "unexpected", where: "telling a failure", error });
      return error;
    }
  }

  return {
    start() {
      loops = parts.lanes.map(loop);
    },
    wake: ring,
    async stop(graceMs) {
      stopping.abort();
      ring();
      const grace = new AbortController();
      const ended = Promise.all(loops).then(() => grace.abort());
      await sleep(graceMs, undefined, { signal: grace.signal }).catch(() => undefined);
      cut.abort(new Stopping("The gateway stops."));
      // A platform that has fallen silent in the middle of a call does not hold up the end: the next gateway takes over.
      await Promise.race([ended, sleep(LONGEST_END_MS, undefined, { ref: false })]);
    },
  };
}

/** Again later, or failed: by the error's class and code, and how often and how long it was tried. */
function outcomeOf(
  error: unknown,
  job: ClaimedJob,
  nowMs: number,
  random: number,
): Extract<Outcome, { readonly kind: "retry" | "failed" }> {
  const disposition = dispositionOf(error);
  const failure = failureOf(error, job);
  if (disposition.kind === "final" || isSpent(error, job, nowMs)) return { kind: "failed", failure };
  const backoffMs = Math.min(BACKOFF_MS.longest, BACKOFF_MS.first * 2 ** (job.attempt - 1));
  // Half of it is chance, so that many jobs which failed together do not come back together.
  const afterMs = disposition.afterMs ?? Math.round(backoffMs * (0.5 + random / 2));
  return { kind: "retry", afterMs, failure };
}

/** The recording has no part in it; a full disk and a lock are mended by people. */
function isOutside(error: unknown): boolean {
  if (error instanceof InferenceError) return error.code === "disk_full" || error.code === "database_locked";
  return error instanceof PlatformError;
}

function isSpent(error: unknown, job: ClaimedJob, nowMs: number): boolean {
  if (!isOutside(error)) {
    return error instanceof InferenceError ? deathsOf(job) + 1 >= MOST_DEATHS : job.attempt >= ATTEMPTS.bug;
  }
  const patienceMs = job.steps.isTranscribed ? PATIENCE_MS.answer : PATIENCE_MS.recording;
  return job.attempt >= ATTEMPTS.outside && nowMs - job.addedAtMs >= patienceMs;
}

function deathsOf({ steps }: ClaimedJob): number {
  return steps.deaths ?? 0;
}

function failureOf(error: unknown, { id, recording }: ClaimedJob): Omit<Failure, "atMs"> {
  const name = recording.name;
  if (error instanceof UserError) {
    return { code: error.code, message: messages.failed({ name, jobId: id, reason: error.message }) };
  }
  if (error instanceof PlatformError) {
    return { code: error.code, message: messages.failed({ name, jobId: id, platformCode: error.code }) };
  }
  const code = error instanceof InferenceError ? error.code : "bug";
  return { code, message: messages.failed({ name, jobId: id }) };
}
