// The SQLite queue, on a real file, by the contract of every queue.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase } from "../../src/storage/database.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { type QueueUnderTest, queueContract } from "../contracts/queue.ts";

queueContract("SQLite", async (): Promise<QueueUnderTest> => {
  const folder = await mkdtemp(join(tmpdir(), "earshot-queue-"));
  let time = 1_800_000_000_000;
  const open = () => openDatabase(join(folder, "earshot.db"), { now: () => time });
  let database = open();
  return {
    queue: createQueue(database),
    advance: (ms) => {
      time += ms;
    },
    now: () => time,
    async restart() {
      database.close();
      database = open();
      return createQueue(database);
    },
    async close() {
      database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
