// How a job lies in the table `jobs`, and how it is read back.
import type { Failure, Job, JobRequest, JobState, JobSteps } from "../core/job.ts";
import type { Recording, Scope } from "../core/recording.ts";

export interface JobRow {
  readonly number: number;
  readonly id: string;
  readonly recording: string;
  readonly request: string;
  readonly state: JobState;
  readonly attempt: number;
  readonly added_at: number;
  readonly due_at: number;
  readonly turn_at: number;
  readonly claim_order: number;
  readonly steps: string;
  readonly checkpoint: string | null;
  readonly lease_token: string | null;
  readonly lease_worker: string | null;
  readonly lease_until: number | null;
  readonly failure: string | null;
}

export function jobOf(row: JobRow): Job {
  const { lease_token: token, lease_worker: worker, lease_until: untilMs } = row;
  const steps: JobSteps = JSON.parse(row.steps);
  const recording: Recording = JSON.parse(row.recording);
  const request: JobRequest = JSON.parse(row.request);
  const failure: Failure | undefined = row.failure === null ? undefined : JSON.parse(row.failure);
  return {
    id: row.id,
    recording,
    request,
    state: row.state,
    attempt: row.attempt,
    addedAtMs: row.added_at,
    steps: row.checkpoint === null ? steps : { ...steps, checkpoint: JSON.parse(row.checkpoint) },
    ...(token !== null && worker !== null && untilMs !== null ? { lease: { token, worker, untilMs } } : {}),
    ...(failure === undefined ? {} : { failure }),
  };
}

/** The same for the same wishes, in whatever order they were written down. */
export function requestKey(request: JobRequest): string {
  const wishes = Object.entries(request).filter(([, value]) => value !== undefined);
  return JSON.stringify(wishes.sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function scopeOf({ platform, workspace, channel }: Scope): [string, string, string] {
  return [platform, workspace, channel];
}
