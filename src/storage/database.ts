// The SQLite file: opened, brought to the newest schema, and held by one gateway alone.
import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import Sqlite from "better-sqlite3";
import { ConfigError } from "../core/errors.ts";

export type Database = Sqlite.Database;

/** The same folder seen from src/ and from dist/. */
const MIGRATIONS = fileURLToPath(new URL("../../src/storage/migrations/", import.meta.url));
const BUSY_TIMEOUT_MS = 5000;

/**
 * Opens the database, making it when it is not there, readable by its owner alone.
 * @throws ConfigError when it cannot be used, saying what mends it
 */
export function openDatabase(path: string): Database {
  let database: Database | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    database = new Sqlite(path, { timeout: BUSY_TIMEOUT_MS });
    chmodSync(path, 0o600);
    database.pragma("journal_mode = WAL");
    // A killed process loses nothing this way; only a power cut can take the last transactions, never the file.
    database.pragma("synchronous = NORMAL");
    database.pragma("foreign_keys = ON");
    // What is deleted is overwritten.
    database.pragma("secure_delete = ON");
    migrate(database, path);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof ConfigError) throw error;
    throw new ConfigError([problemOf(path, error)]);
  }
}

function migrate(database: Database, path: string): void {
  const steps = readdirSync(MIGRATIONS)
    .filter((name) => name.endsWith(".sql"))
    .sort();
  const apply = database.transaction(() => {
    const version = Number(database.pragma("user_version", { simple: true }));
    if (version > steps.length) {
      throw new ConfigError([
        `The database ${path} was made by a newer Earshot (its version ${version}, known here: ${steps.length}). ` +
          "Start that version, or set EARSHOT_DATA to another folder.",
      ]);
    }
    for (const name of steps.slice(version)) database.exec(readFileSync(join(MIGRATIONS, name), "utf8"));
    database.pragma(`user_version = ${steps.length}`);
  });
  apply.immediate();
}

/**
 * Takes the database for this gateway, until `release` or the end of the process, whatever ends it.
 *
 * The lock is a transaction that is held open on a file beside the database, so the system itself gives it back after a
 * kill, and other programs can still read and write the database.
 * @throws ConfigError when another gateway has it
 */
export function holdDatabase(path: string): { release(): void } {
  const lock = new Sqlite(`${path}.lock`, { timeout: 0 });
  try {
    chmodSync(`${path}.lock`, 0o600);
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!(error instanceof Sqlite.SqliteError && error.code.startsWith("SQLITE_BUSY"))) {
      throw new ConfigError([problemOf(`${path}.lock`, error)]);
    }
    throw new ConfigError([
      `Another Earshot is running with the database ${path}. Stop it first, or set EARSHOT_DATA to another folder.`,
    ]);
  }
  return { release: () => lock.close() };
}

function problemOf(path: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  switch (code) {
    case "SQLITE_NOTADB":
    case "SQLITE_CORRUPT":
      return `The database ${path} is damaged (${code}). Move it away and put a backup in its place, or start without it.`;
    case "SQLITE_FULL":
    case "ENOSPC":
      return `There is no room for the database ${path} (${code}): free some space, or set EARSHOT_DATA to another disk.`;
    case "SQLITE_BUSY":
      return `The database ${path} is held by another program (${code}): end that one, then start again.`;
    case "SQLITE_CANTOPEN":
    case "SQLITE_READONLY":
    case "SQLITE_PERM":
    case "EACCES":
    case "EPERM":
    case "EROFS":
    case "ENOTDIR":
    case "EEXIST":
      return `The database ${path} cannot be opened (${code}): make its folder writable, or set EARSHOT_DATA to another.`;
    default:
      return `The database ${path} cannot be used (${code}: ${error instanceof Error ? error.message : error}).`;
  }
}
