// The core's parts put together: all that lies between what a platform tells and what it is told.
import { readdir } from "node:fs/promises";
import { createClockWatch } from "./clock-watch.ts";
import { createCommands } from "./commands.ts";
import { createIntake } from "./intake.ts";
import type { GatewayLimits } from "./limits.ts";
import { createListener } from "./listener.ts";
import { createPace } from "./pace.ts";
import type {
  GlossaryStore,
  JobQueue,
  Lane,
  Listener,
  Observe,
  Platform,
  PromptTokens,
  SettingsStore,
  Transcriber,
  TranscriptStore,
} from "./ports.ts";
import { createPress } from "./press.ts";
import type { PlatformName } from "./recording.ts";
import { discardMedia, runJob } from "./run-job.ts";
import { createStatusBoard } from "./status-board.ts";
import type { Way } from "./transcript.ts";
import { createWorker } from "./worker.ts";

export interface GatewayParts {
  /** As other claims of the same database see it. */
  readonly name: string;
  readonly queue: JobQueue;
  readonly settings: SettingsStore;
  readonly glossary: GlossaryStore;
  readonly transcripts: TranscriptStore;
  readonly transcriber: Transcriber;
  readonly tokens: (model: string) => PromptTokens;
  readonly platform: (name: PlatformName) => Platform;
  /** What channels may choose. */
  readonly models: readonly string[];
  /** What serves channels that chose none. */
  readonly model: string;
  /** How every recording is gone through; the engine chooses when this is left out. */
  readonly way?: Way;
  readonly cloudPricePerMinute: number;
  /** Where recordings lie while they are worked on. */
  readonly folder: string;
  readonly limits: GatewayLimits;
  /** One job at a time for each; the short ones never wait behind a long one. */
  readonly lanes: readonly Lane[];
  readonly leaseMs: number;
  readonly observe: Observe;
  readonly now: () => number;
  /** Milliseconds that only ever grow, whatever is done to the clock. */
  readonly steady?: () => number;
  /** How often to look for jobs that have become due. */
  readonly lookEveryMs?: number;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface Gateway {
  readonly listener: Listener;
  /** Claims jobs from here on. */
  start(): void;
  /** Gives what runs until the grace is over, releases the rest unharmed, and ends every edit under way. */
  stop(graceMs: number): Promise<void>;
}

export function createGateway(parts: GatewayParts): Gateway {
  const { queue, folder, now, steady = () => performance.now() } = parts;
  const status = createStatusBoard(parts);
  const clock = createClockWatch(queue, now, steady);
  const running = { ...parts, status, pace: createPace() };
  const worker = createWorker({
    ...parts,
    status,
    clock,
    run: (job, signal) => runJob(job, running, signal),
    discard: (jobId) => discardMedia(jobId, folder),
  });
  const intake = createIntake({ ...parts, status, clock, wake: worker.wake });
  const press = createPress({ ...parts, intake, status, wake: worker.wake });
  const commands = createCommands({ ...parts, intake });
  return {
    listener: createListener({ ...parts, intake, commands, press, queue }),
    start: worker.start,
    async stop(graceMs) {
      await worker.stop(graceMs);
      await status.close();
    },
  };
}

/** Deletes recordings of jobs that are no more, such as after a crash between the answer and the deletion. */
export async function discardLeftovers(folder: string, queue: JobQueue): Promise<void> {
  for (const file of await readdir(folder)) {
    const jobId = file.split(".")[0] ?? "";
    const state = (await queue.get(jobId))?.state;
    if (state !== "queued" && state !== "running") await discardMedia(jobId, folder);
  }
}
