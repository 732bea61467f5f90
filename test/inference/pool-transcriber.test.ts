// The transcriber on many machines: real nats-servers, real worker processes, the demo model.
import { afterAll, beforeAll, describe, vi } from "vitest";
import { createPoolTranscriber } from "../../src/inference/pool-transcriber.ts";
import { transcriberContract } from "../contracts/transcriber.ts";
import { hasNats, type NatsServer, startNats, startWorker, type WorkerProcess } from "../support/nats.ts";
import { transcriberRecordings } from "../support/transcriber-recordings.ts";

vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(!hasNats)("with one nats-server and one worker", () => {
  let server: NatsServer;
  let worker: WorkerProcess;
  beforeAll(async () => {
    server = await startNats();
    worker = startWorker("one", ["--nats", server.url]);
  });
  afterAll(async () => {
    await worker?.kill("SIGTERM");
    await server?.close();
  });

  transcriberContract("the pool", async () => {
    const made = await transcriberRecordings(3);
    const log: string[] = [];
    const pool = createPoolTranscriber({ nats: { servers: [server.url] }, log: (line) => log.push(line) });
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
