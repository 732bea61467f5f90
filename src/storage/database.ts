// Opens the SQLite database: its folder, its migrations, and one gateway at a time.
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import Sqlite from "better-sqlite3";
import { ConfigError } from "../core/errors.ts";
import { explained } from "./sqlite-errors.ts";
import { JOBS_AHEAD, SHIFT_BACK } from "./time-shift.ts";

// Plain SQL is not copied by tsc: from src/storage and from dist/storage alike this leads to the same folder.
const MIGRATIONS = new URL("../../src/storage/migrations/", import.meta.url);
/** The process stands still while it waits, and with it every chat connection. */
const BUSY_TIMEOUT_MS = 1_000;
const TRUNCATE_AGAIN_MS = 10_000;

export interface Database {
  readonly path: string;
  readonly now: () => number;
  /** When something was last written down before it was opened; undefined: it is new, or this is a visitor. */
  readonly lastUsedMs: number | undefined;
  prepare<Parameters extends unknown[] | object, Row = unknown>(source: string): Sqlite.Statement<Parameters, Row>;
  /** All of it or nothing, with the database's write lock from the beginning. @throws InferenceError disk_full */
  write<T>(work: () => T): T;
  read<T>(work: () => T): T;
  /** What was deleted leaves the write-ahead log too, as soon as no other process reads. */
  truncateLog(): void;
  close(): void;
}

export interface DatabaseOptions {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** A visitor reads and changes beside the gateway: it makes nothing and migrates nothing. */
  readonly as?: "gateway" | "visitor";
  /** Told, besides the error itself, when the file proves to be damaged. */
  readonly onDamage?: (error: ConfigError) => void;
}

/**
 * The gateway makes the folder and the file, readable for its user only. It holds the lock of `path`.lock, which the
 * system takes back when the process dies in whatever way; the jobs of one that died can be claimed at once.
 *
 * @throws ConfigError in use by another gateway, newer than this Earshot, damaged, no permission; InferenceError disk_full
 */
export function openDatabase(path: string, options: DatabaseOptions = {}): Database {
  const { now = Date.now, as = "gateway", onDamage } = options;
  return explained(path, () => {
    if (as === "visitor" && !existsSync(path)) {
      throw new ConfigError([`There is no database at ${path}. The first "earshot start" makes it; or name another.`]);
    }
    if (as === "gateway") makeFile(path);
    const lock = as === "gateway" ? lockFor(path) : undefined;
    let sqlite: Sqlite.Database | undefined;
    let lastUsedMs: number | undefined;
    try {
      sqlite = connect(path, { timeout: BUSY_TIMEOUT_MS, fileMustExist: true });
      prepareConnection(sqlite);
      if (as === "gateway") {
        migrate(sqlite, path);
        lastUsedMs = lastUsed(sqlite);
        takeOver(sqlite, now());
      } else requireVersion(sqlite, path);
    } catch (error) {
      sqlite?.close();
      lock?.close();
      throw error;
    }
    return wrap({ sqlite, path, now, lock, onDamage, lastUsedMs });
  });
}

/**
 * Every connection and its statements by their source. On Node 24.19 and newer better-sqlite3 12 aborts the process when
 * one of them is collected as garbage (`RemoveEnvironmentCleanupHook` without an environment), so none ever is: each
 * statement is prepared once, and what would prepare one in passing, such as `pragma()`, is not called.
 */
const connections = new Map<Sqlite.Database, Map<string, Sqlite.Statement>>();

export function connect(path: string, options: Sqlite.Options): Sqlite.Database {
  const sqlite = new Sqlite(path, options);
  connections.set(sqlite, new Map());
  return sqlite;
}

export function statement(sqlite: Sqlite.Database, source: string): Sqlite.Statement {
  const prepared = connections.get(sqlite);
  const known = prepared?.get(source) ?? sqlite.prepare(source);
  prepared?.set(source, known);
  return known;
}

export function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // One that was copied back by hand may be open to others.
  for (const file of [path, `${path}-wal`, `${path}-shm`].filter((one) => existsSync(one))) {
    const { mode } = statSync(file);
    if ((mode & 0o077) !== 0) chmodSync(file, mode & 0o700);
  }
  // SQLite gives its log and its index beside the database the same mode. A file that is there is not opened: closing it
  // would take this process's own locks from it.
  for (const file of [path, lockPath(path)].filter((one) => !existsSync(one))) closeSync(openSync(file, "a", 0o600));
}

function lockPath(path: string): string {
  return `${path}.lock`;
}

/** An exclusive transaction on an empty database beside the real one, which stays open to `earshot jobs`. */
export function lockFor(path: string): Sqlite.Database {
  const lock = connect(lockPath(path), { timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    if (!(error instanceof Sqlite.SqliteError) || !error.code.startsWith("SQLITE_BUSY")) throw error;
    const pid = holderOf(path);
    throw new ConfigError([
      `Another Earshot${pid === undefined ? "" : ` (process ${pid})`} is working on ${path}. ` +
        "Stop it first, or give this one its own folder with EARSHOT_DATA.",
    ]);
  }
}

function holderOf(path: string): number | undefined {
  const sqlite = connect(path, { timeout: BUSY_TIMEOUT_MS, readonly: true });
  try {
    return (statement(sqlite, "SELECT pid FROM gateway").get() as { pid: number } | undefined)?.pid;
  } catch {
    // It is just making the tables.
    return undefined;
  } finally {
    sqlite.close();
  }
}

function prepareConnection(sqlite: Sqlite.Database): void {
  sqlite.exec("PRAGMA journal_mode = WAL");
  // An event that was acknowledged is not sent again: it must outlive a power cut, not only this process.
  sqlite.exec("PRAGMA synchronous = FULL");
  sqlite.exec("PRAGMA foreign_keys = ON");
  sqlite.exec("PRAGMA secure_delete = ON");
  sqlite.exec("PRAGMA temp_store = MEMORY");
}

interface Migration {
  readonly version: number;
  readonly source: string;
}

function migrations(): readonly Migration[] {
  return readdirSync(MIGRATIONS)
    .filter((name) => /^\d{3}-.+\.sql$/.test(name))
    .sort()
    .map((name) => ({ version: Number(name.slice(0, 3)), source: readFileSync(new URL(name, MIGRATIONS), "utf8") }));
}

function versionOf(sqlite: Sqlite.Database): number {
  return (statement(sqlite, "PRAGMA user_version").get() as { user_version: number }).user_version;
}

/** Each migration is one transaction, so that an interrupted one is made again from where it began. */
function migrate(sqlite: Sqlite.Database, path: string): void {
  const all = migrations();
  const version = versionOf(sqlite);
  refuseNewer(version, all.at(-1)?.version ?? 0, path);
  for (const migration of all.filter((one) => one.version > version)) {
    sqlite
      .transaction(() => {
        sqlite.exec(migration.source);
        sqlite.exec(`PRAGMA user_version = ${migration.version}`);
      })
      .immediate();
  }
}

function requireVersion(sqlite: Sqlite.Database, path: string): void {
  const version = versionOf(sqlite);
  const ours = migrations().at(-1)?.version ?? 0;
  refuseNewer(version, ours, path);
  if (version < ours) {
    throw new ConfigError([
      `The database ${path} is of an older Earshot. "earshot start" of this version brings it up to date.`,
    ]);
  }
}

function refuseNewer(version: number, ours: number, path: string): void {
  if (version <= ours) return;
  throw new ConfigError([
    `The database ${path} was made by a newer Earshot (version ${version}; this one knows ${ours}). ` +
      "Use the newer Earshot, or give this one its own folder with EARSHOT_DATA.",
  ]);
}

/** With the lock in hand, whoever held a lease is dead; and no job can have been added later than now. */
function takeOver(sqlite: Sqlite.Database, nowMs: number): void {
  sqlite
    .transaction(() => {
      const { ahead } = statement(sqlite, JOBS_AHEAD).get({ nowMs }) as { ahead: number | null };
      if (ahead !== null && ahead > 0) statement(sqlite, SHIFT_BACK).run({ byMs: -ahead, nowMs });
      statement(sqlite, "UPDATE jobs SET lease_until = min(lease_until, ?) WHERE state = 'running'").run(nowMs);
      statement(sqlite, "INSERT OR REPLACE INTO gateway (only, pid, since) VALUES (1, ?, ?)").run(process.pid, nowMs);
    })
    .immediate();
}

function lastUsed(sqlite: Sqlite.Database): number | undefined {
  const { at } = statement(
    sqlite,
    `SELECT max(at) AS at FROM (SELECT since AS at FROM gateway
       UNION ALL SELECT * FROM (SELECT added_at FROM jobs ORDER BY number DESC LIMIT 1)
       UNION ALL SELECT * FROM (SELECT at FROM audit ORDER BY number DESC LIMIT 1))`,
  ).get() as { at: number | null };
  return at ?? undefined;
}

interface Opened {
  readonly sqlite: Sqlite.Database;
  readonly path: string;
  readonly now: () => number;
  readonly lock: Sqlite.Database | undefined;
  readonly onDamage: DatabaseOptions["onDamage"];
  readonly lastUsedMs: number | undefined;
}

function wrap({ sqlite, path, now, lock, onDamage, lastUsedMs }: Opened): Database {
  const run = <T>(work: () => T): T => explained(path, work, onDamage);
  let again: NodeJS.Timeout | undefined;

  /** While somebody else reads, such as a backup, the log cannot be cut; it is tried again until it is. */
  function truncateLog(): void {
    clearTimeout(again);
    const { busy } = statement(sqlite, "PRAGMA wal_checkpoint(TRUNCATE)").get() as { busy: number };
    if (busy === 0) return;
    again = setTimeout(() => {
      try {
        truncateLog();
      } catch {
        // Whatever it is, the next write meets it too and says so.
      }
    }, TRUNCATE_AGAIN_MS);
    again.unref();
  }

  return {
    path,
    now,
    lastUsedMs,
    prepare: <Parameters extends unknown[] | object, Row>(source: string) =>
      statement(sqlite, source) as Sqlite.Statement<Parameters, Row>,
    write: (work) => run(() => (sqlite.inTransaction ? work() : sqlite.transaction(work).immediate())),
    read: (work) => run(() => (sqlite.inTransaction ? work() : sqlite.transaction(work).deferred())),
    truncateLog: () => run(truncateLog),
    close() {
      clearTimeout(again);
      sqlite.close();
      lock?.close();
    },
  };
}
