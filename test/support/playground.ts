// The playground with its page, over HTTP and a database of its own, without the rest of the gateway.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChatBody } from "../../src/adapters/playground/chat-log.ts";
import { createPlayground } from "../../src/adapters/playground/index.ts";
import type { Platform } from "../../src/core/ports.ts";
import { createChatLog } from "../../src/storage/chat-log.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { createMetrics } from "../../src/web/metrics.ts";
import { startServer } from "../../src/web/server.ts";
import { createTally } from "../../src/web/tally.ts";

const SAMPLES = fileURLToPath(new URL("../../models/demo/sample/", import.meta.url));

export interface RunningPlayground {
  readonly platform: Platform;
  readonly url: string;
  close(): Promise<void>;
}

export async function startPlayground(limits = { bytes: 10_000_000 }): Promise<RunningPlayground> {
  const data = await mkdtemp(join(tmpdir(), "earshot-playground-"));
  await mkdir(join(data, "media"));
  const database = openDatabase(join(data, "earshot.db"));
  const queue = createQueue(database);
  const { platform, plugin } = createPlayground({
    chatLog: createChatLog<ChatBody>(database),
    folder: join(data, "media"),
    limits,
    samples: { folder: SAMPLES, files: ["standup.flac"] },
    now: Date.now,
  });
  const engine = { model: "demo", device: "cpu", notes: [] };
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    metrics: createMetrics(queue),
    status: async () => ({
      engine,
      platforms: ["playground"],
      counts: await queue.counts(),
      ...createTally(Date.now).read(),
    }),
    plugins: [plugin],
    signedPlugins: [],
    observe: () => {},
  });
  return {
    platform,
    url: server.url,
    async close() {
      await server.close();
      database.close();
      await rm(data, { recursive: true, force: true });
    },
  };
}
