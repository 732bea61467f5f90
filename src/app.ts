// The composition root: the one place that names concrete parts. Starts them, and stops them in reverse order.
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createPlayground } from "./adapters/playground/index.ts";
import { type Config, databasePath } from "./config.ts";
import { createCommands } from "./core/commands.ts";
import { createIntake } from "./core/intake.ts";
import { createListener } from "./core/listener.ts";
import { createPace } from "./core/pace.ts";
import type { Engine, GatewayEvent, Platform } from "./core/ports.ts";
import { createPress } from "./core/press.ts";
import type { PlatformName } from "./core/recording.ts";
import { discardMedia, runJob } from "./core/run-job.ts";
import { createStatusBoard } from "./core/status-board.ts";
import { createWorker } from "./core/worker.ts";
import { createLocalTranscriber } from "./inference/local-transcriber.ts";
import { createPromptTokens } from "./inference/prompt-tokens.ts";
import type { Log } from "./log.ts";

export interface App {
  /** Where the web page is. */
  readonly url: string;
  readonly platforms: readonly PlatformName[];
  readonly engine: Engine;
  /** The folder that holds the database and the recordings. */
  readonly data: string;
  /** Finishes or gives back what was claimed, within some seconds. */
  stop(): Promise<void>;
}

/** How long running jobs may go on after the word to stop. */
const GRACE_MS = 5000;
const LEASE_MS = 5000;
const EXPIRE_EVERY_MS = 3_600_000;
