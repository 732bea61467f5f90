// What this process has done since its start, for the status page.
import type { Observe } from "../core/ports.ts";
import type { Status } from "./status-page.ts";

export interface Tally {
  readonly observe: Observe;
  read(): Pick<Status, "audioSeconds" | "workSeconds" | "upSeconds" | "failures">;
}

const KEPT_FAILURES = 20;

export function createTally(now: () => number): Tally {
  const startedAtMs = now();
  let audioSeconds = 0;
  let workSeconds = 0;
  let failures: Status["failures"] = [];
  return {
    observe(event) {
      if (event.kind === "job_done") {
        audioSeconds += event.audioSeconds;
        workSeconds += event.workMs / 1000;
      } else if (event.kind === "job_failed") {
        failures = [{ jobId: event.job.id, code: event.code, atMs: now() }, ...failures].slice(0, KEPT_FAILURES);
      }
    },
    read: () => ({ audioSeconds, workSeconds, upSeconds: (now() - startedAtMs) / 1000, failures }),
  };
}
