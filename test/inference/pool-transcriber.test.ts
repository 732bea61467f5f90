// The transcriber on many machines: real nats-servers, real worker processes, the demo model.
import { afterAll, beforeAll, describe, vi } from "vitest";
import { createPoolTranscriber } from "../../src/inference/pool-transcriber.ts";
import { transcriberContract } from "../contracts/transcriber.ts";
import { hasNats, type PoolServers, startPoolServers, startWorker, type WorkerProcess } from "../support/nats.ts";
import { transcriberRecordings } from "../support/transcriber-recordings.ts";

vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(!hasNats)("with one nats-server, set up as deploy/nats has it, and one worker", () => {
  let servers: PoolServers;
  let worker: WorkerProcess;
  beforeAll(async () => {
    servers = await startPoolServers();
    worker = startWorker("one", servers.worker);
  });
  afterAll(async () => {
    await worker?.kill("SIGTERM");
    await servers?.close();
  });

  transcriberContract("the pool", async () => {
    const made = await transcriberRecordings(2);
    const log: string[] = [];
    const pool = createPoolTranscriber({ nats: servers.gateway, log: (line) => log.push(line) });
    // The gateway makes what the worker waits for.
    await vi.waitUntil(() => pool.members().length > 0, { timeout: 30_000 });
    return {
      ...made,
      transcriber: pool,
      async close() {
        await pool.close();
        await made.close();
      },
    };
  });
});
