// `earshot jobs` on a real database that a gateway holds.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { jobs } from "../../src/cli/jobs.ts";
import type { JobQueue } from "../../src/core/ports.ts";
import { type Database, openDatabase } from "../../src/storage/database.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { recordingOf, segmentOf } from "../contracts/queue.ts";
import { terminal } from "../support/terminal.ts";

const failure = { code: "too_long", message: `The recording is too long. ${"Send a shorter one. ".repeat(5)}` };

let folder: string;
let database: Database;
let queue: JobQueue;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-jobs-"));
  database = openDatabase(join(folder, "earshot.db"), { now: () => Date.UTC(2026, 10, 25, 6, 30) });
  queue = createQueue(database);
});
afterEach(async () => {
  database.close();
  await rm(folder, { recursive: true, force: true });
});

async function earshot(...argv: string[]) {
  const screen = terminal({ env: { EARSHOT_DATA: folder } });
  const exitCode = await jobs(argv, screen.io);
  return { exitCode, stdout: screen.stdout(), stderr: screen.stderr() };
}

async function failedJob(): Promise<string> {
  const { job } = await queue.add(
    recordingOf({ seconds: 750, name: `standup ${"very ".repeat(20)}long\u001b[2J.m4a` }),
    {},
  );
  const claimed = await queue.claim("w1", 1000, "any");
  if (claimed === undefined) throw new Error("nothing to claim");
  const plan = { model: "tiny", task: "transcribe" as const, initialPrompt: "secret jargon" };
  await queue.note(claimed, { mediaPath: "m", plan });
  await queue.append(claimed, [segmentOf(0, "secret text")], { text: "secret text" });
  await queue.settle(claimed, { kind: "failed", failure });
  return job.id;
}

describe("earshot jobs", () => {
  it("lists within 80 columns, with the reason under what failed", async () => {
    const id = await failedJob();
    const waiting = (await queue.add(recordingOf({ name: "note.ogg" }), {})).job.id;
    const { exitCode, stdout } = await earshot();
    expect(exitCode).toBe(0);
    const lines = stdout.split("\n");
    expect(lines[0]).toBe("ID      STATE   ADDED (UTC)  TRIES  LENGTH  CHANNEL  NAME");
    expect(lines[1]).toBe(`${waiting}  queued  11-25 06:30  0      -       C1       note.ogg`);
    expect(lines[2]).toContain(`${id}  failed  11-25 06:30  1      12:30   C1       standup very`);
    expect(lines[3]).toContain("The recording is too long.");
    expect(stdout).toContain("1 queued, 0 running, 0 done, 1 failed, 0 cancelled");
    expect(stdout).not.toContain("\u001b");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("lists by state, and says when there is none", async () => {
    const id = await failedJob();
    expect((await earshot("list", "--state", "failed", "--limit", "1")).stdout).toContain(id);
    expect((await earshot("list", "--state", "done")).stdout).toBe(
      "No jobs to list. In all: 0 queued, 0 running, 0 done, 1 failed, 0 cancelled.\n",
    );
  });

  it("shows one job, without its text, its jargon or its lease's token", async () => {
    const id = await failedJob();
    const { exitCode, stdout } = await earshot("show", id.toUpperCase());
    expect(exitCode).toBe(0);
    expect(stdout).toContain("length        12:30\n");
    expect(stdout).toContain("done so far   downloaded, partly transcribed\n");
    expect(stdout).toContain("failure       too_long, 2026-11-25 06:30:00 UTC\n");
    expect(stdout).not.toContain("secret");
    await queue.retry(id);
    const token = (await queue.claim("w1", 1000, "any"))?.lease.token ?? "";
    const json = (await earshot("show", id, "--json")).stdout;
    expect(JSON.parse(json)).toMatchObject({ id, state: "running", steps: { plan: { model: "tiny" } } });
    expect(json).not.toContain("secret");
    expect(json).not.toContain(token);
  });

  it("queues again and cancels beside the gateway, each once", async () => {
    const id = await failedJob();
    expect(await earshot("retry", id)).toEqual({ exitCode: 0, stdout: `Job ${id} is queued again.\n`, stderr: "" });
    expect((await queue.get(id))?.state).toBe("queued");
    expect(await earshot("retry", id)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("is queued; only"),
    });
    expect(JSON.parse((await earshot("cancel", id, "--json")).stdout)).toMatchObject({ id, state: "cancelled" });
    expect(await earshot("cancel", id)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("has ended already"),
    });
    const recording = (await queue.get(id))?.recording;
    if (recording !== undefined) await queue.add(recording, {});
    expect((await earshot("retry", id)).stderr).toContain("in a newer job");
  });

  it("says what is wrong with the command line, the id and the database", async () => {
    expect(await earshot("show")).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("say which job") });
    expect(await earshot("purge")).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('no "jobs purge"') });
    expect(await earshot("list", "x")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("does not take x"),
    });
    expect(await earshot("show", "000000")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("no job 000000"),
    });
    await expect(earshot("--database", join(folder, "none.db"))).rejects.toThrow(/There is no database at/);
    expect((await earshot("--help")).stdout).toContain("retry ID");
  });
});
