// The gateway's own parts around one chat platform, on a SQLite file: what the composition root does.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createGateway, type GatewayParts } from "../../src/core/gateway.ts";
import type {
  GatewayEvent,
  Observe,
  Platform,
  PlatformNotes,
  PromptTokens,
  Transcriber,
} from "../../src/core/ports.ts";
import type { PlatformName } from "../../src/core/recording.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { createGlossaryStore } from "../../src/storage/glossary.ts";
import { createPlatformNotes } from "../../src/storage/platform-notes.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { createSettingsStore } from "../../src/storage/settings.ts";
import { createTranscriptStore } from "../../src/storage/transcripts.ts";

const LIMITS = { bytes: 100_000_000, durationSeconds: 3600 };

/** What a platform is made with, beside what is its own. */
export interface PlatformParts {
  readonly maxBytes: number;
  readonly models: readonly string[];
  readonly notes: (platform: PlatformName) => PlatformNotes;
  readonly observe: Observe;
  readonly now: () => number;
}

export async function startPlatformGateway(
  connect: (parts: PlatformParts) => Platform,
  data: string,
  transcriber: Transcriber,
  differs: Partial<
    Pick<GatewayParts, "limits" | "lanes" | "leaseMs" | "random" | "steady" | "now" | "lookEveryMs">
  > = {},
) {
  const now = differs.now ?? Date.now;
  const folder = join(data, "recordings");
  await mkdir(folder, { recursive: true });
  const database = openDatabase(join(data, "earshot.db"), { now });
  const queue = createQueue(database);
  const settings = createSettingsStore(database);
  const transcripts = createTranscriptStore(database);
  const observed: GatewayEvent[] = [];
  const observe = (event: GatewayEvent) => void observed.push(event);
  const models = ["demo"];
  const notes = (platform: PlatformName) => createPlatformNotes(database, platform);
  const connected = connect({ maxBytes: LIMITS.bytes, models, notes, observe, now });
  const gateway = createGateway({
    name: "test",
    queue,
    settings,
    glossary: createGlossaryStore(database),
    transcripts,
    transcriber,
    tokens: (): PromptTokens => ({ count: async (text) => text.split(/\s+/).length, budget: 160 }),
    platform: () => connected,
    models,
    model: "demo",
    cloudPricePerMinute: 0.006,
    folder,
    limits: LIMITS,
    lanes: ["short", "short", "short", "any"],
    leaseMs: 5000,
    observe,
    now,
    random: Math.random,
    ...differs,
  });
  gateway.start();
  const listening = new AbortController();
  await connected.listen(gateway.listener, listening.signal);
  return {
    queue,
    settings,
    transcripts,
    database,
    folder,
    observed,
    async stop(graceMs: number) {
      await gateway.stop(graceMs);
      listening.abort();
      database.close();
    },
  };
}
