// An item's log on a real server: entries of any length, in order, and one writer at a time.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPoolConnection, type PoolConnection } from "../../../src/inference/pool/connection.ts";
import { createLogWriter, forgetLog, hasLog, Overtaken, readLog } from "../../../src/inference/pool/item-log.ts";
import type { LogEntry } from "../../../src/inference/pool/protocol.ts";
import { LARGEST_MESSAGE, makeStreams, POOL_LIMITS } from "../../../src/inference/pool/streams.ts";
import { never } from "../../contracts/transcriber.ts";
import { hasNats, startPlainServer } from "../../support/nats.ts";

describe.skipIf(!hasNats)("an item's log", () => {
  let server: Awaited<ReturnType<typeof startPlainServer>>;
  let connection: PoolConnection;
  beforeAll(async () => {
    server = await startPlainServer("jetstream { store_dir: STORE }");
    connection = createPoolConnection({
      settings: { servers: [server.url] },
      role: "gateway",
      name: "test",
      prepare: (link) => makeStreams(link, { ...POOL_LIMITS, audioBytes: 1_000_000 }),
      log: () => {},
    });
  });
  afterAll(async () => {
    await connection?.close(new Error("over"));
    await server?.close();
  });

  const writer = (id: string, last: number) => createLogWriter(connection, id, last, never());
  const asked: LogEntry = { kind: "asked" };

  it("keeps entries of any length, in the order in which they were given", async () => {
    // Quotes, which JSON makes longer, and characters of two halves and of three bytes.
    const text = '"日本😀\\'.repeat(LARGEST_MESSAGE);
    const long: LogEntry = { kind: "released", worker: "a", why: text, isUnharmed: true };
    const log = writer("long", 0);
    await Promise.all([log.append(asked), log.append(long), log.append({ kind: "lost", worker: "b" })]);
    const { entries, last } = await readLog(connection, "long", 0, never());
    expect(entries).toEqual([asked, long, { kind: "lost", worker: "b" }]);
    expect(await readLog(connection, "long", last, never())).toEqual({ entries: [], last });
  });

  it("takes nothing more from one who does not know its end", async () => {
    const one = writer("fenced", 0);
    await one.append(asked);
    const { last } = await readLog(connection, "fenced", 0, never());
    const [a, b] = [writer("fenced", last), writer("fenced", last)];
    await a.append({ kind: "began", worker: "a" });
    await expect(b.append({ kind: "began", worker: "b" })).rejects.toBeInstanceOf(Overtaken);
    await a.append({ kind: "heard", seconds: 0, duration: 1 });
    expect((await readLog(connection, "fenced", 0, never())).entries.map(({ kind }) => kind)).toEqual([
      "asked",
      "began",
      "heard",
    ]);
  });

  it("that was forgotten begins anew, and its old writer has lost it", async () => {
    const old = writer("again", 0);
    await old.append(asked);
    await forgetLog(connection, "again", never());
    expect(await hasLog(connection, "again", never())).toBe(false);
    await expect(old.append({ kind: "began", worker: "a" })).rejects.toBeInstanceOf(Overtaken);
    await writer("again", 0).append(asked);
    expect((await readLog(connection, "again", 0, never())).entries).toEqual([asked]);
  });
});
