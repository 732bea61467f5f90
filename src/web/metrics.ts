// What Prometheus can read: jobs, waits and speed.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { JobQueue, Observe, PoolMember } from "../core/ports.ts";
import { addPoolMetrics } from "./pool-metrics.ts";

export interface Metrics {
  readonly observe: Observe;
  readonly contentType: string;
  text(): Promise<string>;
}

/** @param members of a pool, where there is one */
export function createMetrics(
  queue: Pick<JobQueue, "counts">,
  members: () => readonly PoolMember[] = () => [],
): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const jobs = new Counter({
    name: "earshot_jobs_total",
    help: "Jobs by what became of them",
    labelNames: ["platform", "outcome"],
    registers,
  });
  const failures = new Counter({
    name: "earshot_job_failures_total",
    help: "Failed attempts by code",
    labelNames: ["code"],
    registers,
  });
  const audio = new Counter({
    name: "earshot_audio_seconds_total",
    help: "Seconds of audio transcribed",
    labelNames: ["model", "device"],
    registers,
  });
  const work = new Counter({
    name: "earshot_work_seconds_total",
    help: "Seconds from claim to answer",
    labelNames: ["model", "device"],
    registers,
  });
  const buckets = [0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600];
  const wait = new Histogram({
    name: "earshot_wait_seconds",
    help: "From the event to the transcript",
    buckets,
    registers,
  });
  new Gauge({
    name: "earshot_queue_jobs",
    help: "Jobs in the database by state",
    labelNames: ["state"],
    registers,
    async collect() {
      for (const [state, count] of Object.entries(await queue.counts())) this.set({ state }, count);
    },
  });
  addPoolMetrics(registers, members);
  const unexpected = new Counter({
    name: "earshot_unexpected_errors_total",
    help: "Errors that should not be",
    labelNames: ["where"],
    registers,
  });
  const away = new Gauge({
    name: "earshot_platform_away",
    help: "1 while a platform cannot be reached and is tried again",
    labelNames: ["platform"],
    registers,
  });
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    observe(event) {
      if (event.kind === "unexpected") return unexpected.inc({ where: event.where });
      if (event.kind === "platform_away") return away.set({ platform: event.platform }, 1);
      if (event.kind === "platform_back") return away.set({ platform: event.platform }, 0);
      const { platform } = event.job.recording.place;
      switch (event.kind) {
        case "job_started":
          return;
        case "job_added":
          return jobs.inc({ platform, outcome: "added" });
        case "job_cancelled":
          return jobs.inc({ platform, outcome: "cancelled" });
        case "job_done":
          jobs.inc({ platform, outcome: "done" });
          audio.inc({ model: event.model, device: event.device }, event.audioSeconds);
          work.inc({ model: event.model, device: event.device }, event.workMs / 1000);
          return wait.observe(event.waitMs / 1000);
        case "job_retried":
          return failures.inc({ code: event.code });
        case "job_failed":
          failures.inc({ code: event.code });
          return jobs.inc({ platform, outcome: "failed" });
        default:
          return event satisfies never;
      }
    },
  };
}
