// The database file: made, brought up to date, held by one gateway at a time, and refused with a sentence.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import Sqlite from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError, InferenceError } from "../../src/core/errors.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { databasePath, dataFolder } from "../../src/storage/paths.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { recordingOf } from "../contracts/queue.ts";

let folder: string;
let path: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-database-"));
  path = join(folder, "deep", "earshot.db");
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** A gateway's database in a process of its own, from the build, with one job under a long lease. */
async function holder(): Promise<ChildProcess> {
  const built = new URL("../../dist/storage/", import.meta.url).href;
  const script = `
    const { openDatabase } = await import("${built}database.js");
    const { createQueue } = await import("${built}queue.js");
    const queue = createQueue(openDatabase(process.argv[1]));
    await queue.add(JSON.parse(process.argv[2]), {});
    await queue.claim("w", 3_600_000, "any");
    console.log("ready");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, path, JSON.stringify(recordingOf())], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  await Promise.race([
    once(child.stdout, "data"),
    once(child, "exit").then(() => Promise.reject(new Error("the holder ended; is dist built?"))),
  ]);
  return child;
}

describe("a database", () => {
  it("is made with its folder, for its user only, with what protects it switched on", async () => {
    const database = openDatabase(path);
    const modes = await Promise.all(
      [path, `${path}-wal`, `${path}.lock`].map(async (file) => (await stat(file)).mode & 0o777),
    );
    expect(modes).toEqual([0o600, 0o600, 0o600]);
    expect((await stat(join(folder, "deep"))).mode & 0o777).toBe(0o700);
    const pragma = (name: string) => database.prepare<[], Record<string, unknown>>(`PRAGMA ${name}`).get()?.[name];
    expect(pragma("journal_mode")).toBe("wal");
    expect(pragma("synchronous")).toBe(2);
    expect(pragma("foreign_keys")).toBe(1);
    expect(pragma("secure_delete")).toBe(1);
    database.close();
  });

  it("keeps its contents when it is opened again, and is not migrated twice", async () => {
    const first = openDatabase(path);
    const { job } = await createQueue(first).add(recordingOf(), {});
    first.close();
    const second = openDatabase(path);
    expect((await createQueue(second).get(job.id))?.state).toBe("queued");
    second.close();
  });

  it("of a newer Earshot is refused and left alone", async () => {
    openDatabase(path).close();
    const sqlite = new Sqlite(path);
    sqlite.pragma("user_version = 99");
    sqlite.close();
    expect(() => openDatabase(path)).toThrow(/newer Earshot \(version 99/);
    expect(() => openDatabase(path, { as: "visitor" })).toThrow(ConfigError);
  });

  it("of an older Earshot is not migrated by a visitor", async () => {
    await mkdir(join(folder, "deep"));
    new Sqlite(path).exec("CREATE TABLE t (a)").close();
    expect(() => openDatabase(path, { as: "visitor" })).toThrow(/older Earshot/);
  });

  it("undoes a migration that fails half way", async () => {
    await mkdir(join(folder, "deep"));
    // The first migration makes this table too, after others.
    new Sqlite(path).exec("CREATE TABLE settings (a)").close();
    expect(() => openDatabase(path)).toThrow(/already exists/);
    const sqlite = new Sqlite(path);
    expect(sqlite.pragma("user_version", { simple: true })).toBe(0);
    expect(sqlite.prepare("SELECT name FROM sqlite_schema WHERE name = 'jobs'").get()).toBeUndefined();
    sqlite.exec("DROP TABLE settings").close();
    openDatabase(path).close();
  });

  it("is held by one gateway, and open to visitors", async () => {
    const first = openDatabase(path);
    const queue = createQueue(first);
    const { job } = await queue.add(recordingOf(), {});
    expect(() => openDatabase(path)).toThrow(`process ${process.pid}`);
    // Having been refused, it has not taken the lock from the first.
    expect(() => openDatabase(path)).toThrow(ConfigError);
    const visitor = openDatabase(path, { as: "visitor" });
    expect(await createQueue(visitor).cancel(job.id)).toBe(true);
    expect((await queue.get(job.id))?.state).toBe("cancelled");
    visitor.close();
    first.close();
    openDatabase(path).close();
  });

  it("is free again when its holder is killed, and the dead one's jobs can be claimed at once", async () => {
    const child = await holder();
    expect(() => openDatabase(path)).toThrow(`process ${child.pid}`);
    child.kill("SIGKILL");
    await once(child, "exit");
    const database = openDatabase(path);
    const job = await createQueue(database).claim("w", 1000, "any");
    expect(job?.attempt).toBe(2);
    database.close();
  });

  it("a visitor makes none", () => {
    expect(() => openDatabase(path, { as: "visitor" })).toThrow(/There is no database at .*earshot start/);
  });

  it("that is no database is refused with a sentence", async () => {
    await mkdir(join(folder, "deep"));
    await writeFile(path, "These are notes about the meeting. ".repeat(200));
    expect(() => openDatabase(path)).toThrow(/damaged or no Earshot database\. Put a backup/);
    expect(() => openDatabase(path)).toThrow(ConfigError);
  });

  it("in a place that cannot hold one is refused with a sentence", async () => {
    await writeFile(join(folder, "file"), "");
    expect(() => openDatabase(join(folder, "file", "earshot.db"))).toThrow(/cannot be opened as a database/);
    expect(() => openDatabase(folder)).toThrow(ConfigError);
  });

  // The super-user may write everywhere.
  it.skipIf(process.getuid?.() === 0)("without permission is refused with a sentence", async () => {
    openDatabase(path).close();
    await chmod(path, 0o400);
    expect(() => openDatabase(path)).toThrow(/cannot be written by this user/);
  });

  it("says that the disk is full, and goes on when there is room", async () => {
    const database = openDatabase(path);
    const queue = createQueue(database);
    const pages = database.prepare<[], { page_count: number }>("PRAGMA page_count").get()?.page_count ?? 0;
    // SQLite's own limit gives the error that a full disk gives.
    database.prepare<[]>(`PRAGMA max_page_count = ${pages}`).get();
    const large = recordingOf({ name: "x".repeat(200_000) });
    const failure = await queue.add(large, {}).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InferenceError);
    expect(failure).toMatchObject({ code: "disk_full", message: expect.stringContaining("Make room") });
    database.prepare<[]>("PRAGMA max_page_count = 1000000").get();
    expect((await queue.add(large, {})).kind).toBe("added");
    database.close();
  });
});

describe("the data folder", () => {
  it("is EARSHOT_DATA, else earshot in the user's data folder", () => {
    expect(dataFolder({ EARSHOT_DATA: "d" })).toBe("d");
    expect(dataFolder({ EARSHOT_DATA: "", XDG_DATA_HOME: "x" })).toBe(join("x", "earshot"));
    expect(dataFolder({})).toMatch(/\.local.share.earshot$/);
    expect(databasePath("d")).toBe(join("d", "earshot.db"));
  });
});
