// Backups: taken beside a gateway that writes, read back whole, and put back so that a gateway serves from them.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { backUp, problemsOf, restore } from "../../src/storage/backup.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { createGlossaryStore } from "../../src/storage/glossary.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { createSettingsStore } from "../../src/storage/settings.ts";
import { createTranscriptStore } from "../../src/storage/transcripts.ts";
import { recordingOf } from "../contracts/queue.ts";
import { segmentOf, storedOf } from "../support/stored-transcript.ts";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

let folder: string;
let path: string;
let copy: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-backup-"));
  path = join(folder, "data", "earshot.db");
  copy = join(folder, "backups", "copy.db");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A database with a transcript, a setting and a waiting job. */
async function filled() {
  const database = openDatabase(path);
  const queue = createQueue(database);
  const recording = recordingOf();
  await queue.add(recording, {});
  const job = await queue.claim("w", 1000, "any");
  if (job === undefined) throw new Error("There is no job.");
  const segments = [segmentOf({ text: " The rollout went well." })];
  await createTranscriptStore(database).save(storedOf(segments, { jobId: job.id, recording }));
  await queue.settle(job, { kind: "done" });
  await createSettingsStore(database).change(recording.place, "channel", { languages: ["de"] }, "U1");
  const { job: waiting } = await queue.add(recordingOf(), {});
  return { database, queue, job, recording, waiting };
}

/** Overwrites the middle of a file, as a failing disk does. */
async function damage(file: string): Promise<void> {
  const { size } = await stat(file);
  const handle = await open(file, "r+");
  for (let at = 8192; at < size; at += 4096) await handle.write(Buffer.alloc(2048, 0xa5), 0, 2048, at);
  await handle.close();
}

function earshot(...argv: string[]) {
  const env = { ...process.env, EARSHOT_DATA: join(folder, "data") };
  return spawnSync(process.execPath, [MAIN, ...argv], { encoding: "utf8", env, cwd: folder });
}

describe("a backup", () => {
  it("is taken beside a gateway that holds the lock and writes, is whole, and is for its user only", async () => {
    const { database, queue, job } = await filled();
    const before = process.umask(0o000);
    expect(backUp(path, copy)).toBe((await stat(copy)).size);
    process.umask(before);
    expect((await stat(copy)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "backups"))).mode & 0o777).toBe(0o700);
    expect(problemsOf(copy)).toEqual([]);
    // What comes later is not in it, and the gateway was not disturbed.
    await queue.add(recordingOf(), {});
    expect(await queue.counts()).toMatchObject({ queued: 2 });
    database.close();
    const reopened = openDatabase(copy);
    expect(await createQueue(reopened).counts()).toMatchObject({ queued: 1, done: 1 });
    expect((await createTranscriptStore(reopened).get(job.id))?.segments[0]?.text).toBe(" The rollout went well.");
    reopened.close();
  });

  it("holds nothing of what was forgotten before", async () => {
    const { database, recording } = await filled();
    await createTranscriptStore(database).forget({ scope: recording.place }, "U1");
    backUp(path, copy);
    expect((await readFile(copy)).includes("rollout")).toBe(false);
    database.close();
  });

  it("writes over no file, and leaves none behind when it fails", async () => {
    const { database } = await filled();
    database.close();
    await writeFile(join(folder, "there"), "mine");
    expect(() => backUp(path, join(folder, "there"))).toThrow(/There is a file .* already/);
    expect(await readFile(join(folder, "there"), "utf8")).toBe("mine");
    expect(() => backUp(path, join(folder, "there", "below"))).toThrow(ConfigError);
    await damage(path);
    expect(() => backUp(path, copy)).toThrow(/damaged/);
    expect(await readdir(join(folder, "backups"))).toEqual([]);
    expect(() => backUp(join(folder, "none"), copy)).toThrow(/There is no file/);
  });
});

describe("a restored backup", () => {
  it("serves: what it holds is there, what waited is claimed, and the former database is kept", async () => {
    const { database, job, recording, waiting } = await filled();
    backUp(path, copy);
    await createSettingsStore(database).change(recording.place, "channel", { languages: ["fr"] }, "U1");
    expect(() => restore(path, copy, "now")).toThrow(/Another Earshot .* is working/);
    database.close();
    const aside = restore(path, copy, "now");
    expect(aside).toBe(`${path}.before-now`);
    const after = openDatabase(path);
    expect(await createSettingsStore(after).channel(recording.place)).toEqual({ languages: ["de"] });
    expect(await createTranscriptStore(after).search(recording.place, "rollout", 5)).toHaveLength(1);
    expect((await createTranscriptStore(after).get(job.id))?.jobId).toBe(job.id);
    expect((await createQueue(after).claim("w", 1000, "any"))?.id).toBe(waiting.id);
    await createGlossaryStore(after).change(recording.place, "channel", { kind: "prompt", text: "New." }, "U1");
    after.close();
    const former = openDatabase(aside ?? "");
    expect(await createSettingsStore(former).channel(recording.place)).toEqual({ languages: ["fr"] });
    former.close();
  });

  it("replaces a damaged database together with its log, and a damaged backup changes nothing", async () => {
    const { database } = await filled();
    backUp(path, copy);
    // As after a crash: the log is still there, and belongs to the file that is damaged.
    await copyFile(`${path}-wal`, join(folder, "wal"));
    database.close();
    await damage(path);
    expect(problemsOf(path).length).toBeGreaterThan(0);
    await copyFile(join(folder, "wal"), `${path}-wal`);
    const broken = join(folder, "broken.db");
    await copyFile(copy, broken);
    await damage(broken);
    const bytes = await readFile(path);
    expect(() => restore(path, broken, "now")).toThrow(/is damaged: .* Nothing was changed/);
    expect(await readFile(path)).toEqual(bytes);
    restore(path, copy, "now");
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(problemsOf(path)).toEqual([]);
    openDatabase(path).close();
  });

  it("starts a new machine, and is for its user only however it was copied", async () => {
    const { database } = await filled();
    backUp(path, copy);
    database.close();
    await chmod(copy, 0o644);
    const elsewhere = join(folder, "new", "earshot.db");
    expect(restore(elsewhere, copy, "now")).toBeUndefined();
    expect((await stat(elsewhere)).mode & 0o777).toBe(0o600);
    expect((await readdir(join(folder, "new"))).sort()).toEqual(["earshot.db", "earshot.db.lock"]);
    // Copied back by hand: the gateway closes it to others.
    await chmod(elsewhere, 0o644);
    openDatabase(elsewhere).close();
    expect((await stat(elsewhere)).mode & 0o777).toBe(0o600);
  });
});

describe("on the command line", () => {
  it("backup, check, restore and audit say what they did", async () => {
    const { database } = await filled();
    const made = earshot("backup");
    expect([made.status, made.stderr]).toEqual([0, ""]);
    const [, file = ""] = /^(earshot-\S+\.db) holds all of .* was read back whole/.exec(made.stdout) ?? [];
    expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
    expect(earshot("backup", "--check")).toMatchObject({ status: 0, stdout: expect.stringContaining("is whole") });
    expect(earshot("audit").stdout).toMatch(/^[\d-]+ [\d:]+ {2}U1 {2}playground\/W\/C1 {2}settings: languages\n$/);
    expect(JSON.parse(earshot("audit", "--json").stdout)).toMatchObject({ by: "U1", what: "settings: languages" });
    expect(earshot("restore", file)).toMatchObject({ status: 1, stderr: expect.stringContaining("Stop it first") });
    database.close();
    await damage(path);
    const bad = earshot("backup", "--check");
    expect([bad.status, bad.stderr]).toEqual([1, expect.stringMatching(/is damaged:\n {2}.*\nPut a backup/s)]);
    const restored = earshot("restore", file);
    expect([restored.status, restored.stdout]).toEqual([
      0,
      expect.stringMatching(/What was there before is .*before-/),
    ]);
    expect(earshot("jobs", "list").stdout).toContain("1 queued, 0 running, 1 done");
    expect(earshot("restore")).toMatchObject({ status: 2, stderr: expect.stringContaining("say which backup") });
    expect(earshot("backup", "a", "b")).toMatchObject({ status: 2 });
    expect(earshot("audit", "a")).toMatchObject({ status: 2 });
    for (const command of ["backup", "restore", "audit"]) {
      expect(earshot(command, "--help")).toMatchObject({
        status: 0,
        stdout: expect.stringContaining("Usage: earshot"),
      });
    }
  });
});
