// A database that is damaged under a running gateway: it stops with a sentence, and a backup brings everything back.
import { spawnSync } from "node:child_process";
import { mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished, vi } from "vitest";
import { openDatabase } from "../src/storage/database.ts";
import { createQueue } from "../src/storage/queue.ts";
import { recordingOf } from "./contracts/queue.ts";
import { post, startGateway } from "./support/gateway.ts";

vi.setConfig({ testTimeout: 180_000 });

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const JOBS = 2000;

it("stops the gateway with what to do, and the restored backup serves", async () => {
  const folder = await mkdtemp(join(tmpdir(), "earshot-damaged-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const data = join(folder, "data");
  const path = join(data, "earshot.db");
  const earshot = (...argv: string[]) =>
    spawnSync(process.execPath, [MAIN, ...argv], { encoding: "utf8", env: { ...process.env, EARSHOT_DATA: data } });

  // More than SQLite keeps in memory.
  const database = openDatabase(path);
  const queue = createQueue(database);
  const ids: string[] = [];
  database.write(() => {
    for (let index = 0; index < JOBS; index++) {
      void queue
        .add(recordingOf({ seconds: 30, source: { file: "x".repeat(3000) } }), {})
        .then(({ job }) => ids.push(job.id));
    }
  });
  await vi.waitFor(() => expect(ids).toHaveLength(JOBS));
  database.write(() => {
    for (const id of ids) void queue.cancel(id);
  });
  expect(await queue.counts()).toMatchObject({ cancelled: JOBS });
  database.close();
  const copy = join(folder, "copy.db");
  expect(earshot("backup", copy).status).toBe(0);

  let gateway = await startGateway(data);
  onTestFinished(async () => void (await gateway.kill("SIGKILL")));
  const { size } = await stat(path);
  const file = await open(path, "r+");
  // All but the beginning, where the schema is.
  for (let at = 400_000 - (400_000 % 4096); at < size; at += 4096)
    await file.write(Buffer.alloc(4096, 0xa5), 0, 4096, at);
  await file.close();

  const over = new AbortController();
  void gateway.ended.then(() => over.abort());
  for (const jobId of ids) {
    if (over.signal.aborted) break;
    // Somebody presses a button under an old message.
    await post(gateway.url, "/api/press", { action: "retry", jobId, message: "none" }).catch(() => undefined);
    await post(gateway.url, "/api/channels/direct/commands", { text: `/transcribe ${jobId}` }).catch(() => undefined);
  }
  expect(await gateway.ended).toBe(1);
  expect(gateway.output()).toMatch(
    /earshot\.db is damaged or no Earshot database\. Put a backup in its place \(earshot restore FILE\)/,
  );
  expect(earshot("start", "--port", "0").status).toBe(1);

  expect(earshot("restore", copy)).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("Start the gateway again"),
  });
  gateway = await startGateway(data);
  expect(await (await fetch(`${gateway.url}/healthz`)).json()).toMatchObject({ status: "ok" });
  expect(earshot("jobs", "list").stdout).toContain(`${JOBS} cancelled`);
});
