// The gateway's own parts around one chat platform, on a SQLite file: what the composition root does.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createCommands } from "../../src/core/commands.ts";
import { createIntake } from "../../src/core/intake.ts";
import { createListener } from "../../src/core/listener.ts";
import { createPace } from "../../src/core/pace.ts";
import type { GatewayEvent, Observe, Platform, PromptTokens, Transcriber } from "../../src/core/ports.ts";
import { createPress } from "../../src/core/press.ts";
import { discardMedia, runJob } from "../../src/core/run-job.ts";
import { createStatusBoard } from "../../src/core/status-board.ts";
import { createWorker } from "../../src/core/worker.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { createGlossaryStore } from "../../src/storage/glossary.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { createSettingsStore } from "../../src/storage/settings.ts";
import { createTranscriptStore } from "../../src/storage/transcripts.ts";

const LIMITS = { bytes: 100_000_000, durationSeconds: 3600 };

/** What a platform is made with, beside what is its own. */
export interface PlatformParts {
  readonly maxBytes: number;
  readonly models: readonly string[];
  readonly observe: Observe;
  readonly now: () => number;
}

export async function startPlatformGateway(
  connect: (parts: PlatformParts) => Platform,
  data: string,
  transcriber: Transcriber,
) {
  const now = Date.now;
  const folder = join(data, "recordings");
  await mkdir(folder, { recursive: true });
  const database = openDatabase(join(data, "earshot.db"), { now });
  const queue = createQueue(database);
  const settings = createSettingsStore(database);
  const glossary = createGlossaryStore(database);
  const transcripts = createTranscriptStore(database);
  const observed: GatewayEvent[] = [];
  const observe = (event: GatewayEvent) => void observed.push(event);
  const models = ["demo"];
  const connected = connect({ maxBytes: LIMITS.bytes, models, observe, now });
  const platform = () => connected;
  const tokens = (): PromptTokens => ({ count: async (text) => text.split(/\s+/).length, budget: 160 });
  const status = createStatusBoard({ queue, platform, now });
  const pace = createPace();
  const worker = createWorker({
    name: "test",
    queue,
    run: (job, signal) =>
      runJob(
        job,
        {
          queue,
          platform,
          transcriber,
          transcripts,
          settings,
          glossary,
          tokens,
          status,
          pace,
          model: "demo",
          folder,
          limits: LIMITS,
          now,
        },
        signal,
      ),
    status,
    discard: (jobId) => discardMedia(jobId, folder),
    lanes: ["short", "short", "short", "any"],
    leaseMs: 5000,
    observe,
    now,
    random: Math.random,
  });
  const intake = createIntake({ queue, settings, status, limits: LIMITS, wake: worker.wake, observe });
  const press = createPress({ queue, transcripts, settings, intake, status, wake: worker.wake });
  const commands = createCommands({
    queue,
    settings,
    glossary,
    transcripts,
    intake,
    tokens,
    models,
    cloudPricePerMinute: 0.006,
    now,
  });
  const listener = createListener({ intake, commands, press, queue, settings, glossary, transcripts, tokens });
  worker.start();
  const listening = new AbortController();
  await connected.listen(listener, listening.signal);
  return {
    queue,
    observed,
    async stop(graceMs: number) {
      await worker.stop(graceMs);
      await status.close();
      listening.abort();
      database.close();
    },
  };
}
