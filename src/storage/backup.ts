// A copy of the database while it is in use, the way back, and whether a file is whole.
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import type Sqlite from "better-sqlite3";
import { ConfigError } from "../core/errors.ts";
import { connect, lockFor, makeFile, statement } from "./database.ts";
import { explained, isDamage } from "./sqlite-errors.ts";

/** What is told of a damaged file: enough to see how bad it is. */
const MOST_PROBLEMS = 20;

/**
 * Copies what the database holds at this moment; the gateway may write meanwhile. The copy is for this user only, and was
 * read back whole before it gets its name.
 *
 * @returns its bytes
 * @throws ConfigError no database, a file of that name, a damaged database; InferenceError disk_full
 */
export function backUp(path: string, toPath: string): number {
  requireFile(path);
  if (existsSync(toPath)) throw new ConfigError([`There is a file ${toPath} already. Name another one.`]);
  const part = `${toPath}.part`;
  explained(toPath, () => {
    mkdirSync(dirname(toPath), { recursive: true, mode: 0o700 });
    rmSync(part, { force: true });
    // SQLite takes an empty file as it is, with its mode.
    closeSync(openSync(part, "wx", 0o600));
  });
  try {
    explained(path, () => using(path, {}, (sqlite) => void statement(sqlite, "VACUUM INTO ?").run(part)));
    const problems = problemsOf(part);
    if (problems.length > 0) throw new ConfigError([`The copy of ${path} is damaged: ${problems[0]}. Try again.`]);
    flush(part);
    renameSync(part, toPath);
    flush(dirname(toPath));
    return statSync(toPath).size;
  } finally {
    rmSync(part, { force: true });
  }
}

/** What SQLite finds wrong in an Earshot database; nothing: it is whole. */
export function problemsOf(path: string): readonly string[] {
  requireFile(path);
  try {
    return read(path);
  } catch (error) {
    // So damaged that not even the check can go on.
    if (isDamage(error)) return ["it cannot be read as a database"];
    throw error;
  }
}

function read(path: string): readonly string[] {
  return using(path, { readonly: true }, (sqlite) => {
    const rows = statement(sqlite, `PRAGMA integrity_check(${MOST_PROBLEMS})`).all() as { integrity_check: string }[];
    const found = rows.map((row) => row.integrity_check).filter((line) => line !== "ok");
    if (found.length > 0) return found;
    const { tables } = statement(
      sqlite,
      "SELECT count(*) AS tables FROM sqlite_schema WHERE name IN ('jobs', 'transcripts', 'settings')",
    ).get() as { tables: number };
    return tables === 3 ? [] : ["it holds none of Earshot's tables"];
  });
}

/**
 * Puts a backup in the database's place; what was there before is kept beside it.
 *
 * @param stamp goes into the name of what is kept
 * @returns where the former database is; undefined: there was none
 * @throws ConfigError the backup is damaged, or a gateway is at work; InferenceError disk_full
 */
export function restore(path: string, fromPath: string, stamp: string): string | undefined {
  const problems = problemsOf(fromPath);
  if (problems.length > 0) {
    throw new ConfigError([`${fromPath} is damaged: ${problems[0]}. Nothing was changed; take an older backup.`]);
  }
  return explained(path, () => {
    const isThere = existsSync(path);
    makeFile(path);
    const lock = lockFor(path);
    const part = `${path}.part`;
    try {
      rmSync(part, { force: true });
      copy(fromPath, part);
      const aside = `${path}.before-${stamp}`;
      // The log belongs to the file that it lies beside: with another one it would be its ruin.
      for (const ending of ["", "-wal", "-shm"]) {
        if (existsSync(path + ending)) renameSync(path + ending, aside + ending);
      }
      renameSync(part, path);
      flush(dirname(path));
      if (!isThere) rmSync(aside, { force: true });
      return isThere ? aside : undefined;
    } finally {
      rmSync(part, { force: true });
      lock.close();
    }
  });
}

function requireFile(path: string): void {
  if (existsSync(path)) return;
  throw new ConfigError([`There is no file ${path}. Name another one.`]);
}

function using<T>(path: string, options: Sqlite.Options, work: (sqlite: Sqlite.Database) => T): T {
  const sqlite = connect(path, { timeout: 10_000, fileMustExist: true, ...options });
  try {
    return work(sqlite);
  } finally {
    sqlite.close();
  }
}

const CHUNK_BYTES = 1 << 20;

/** To a new file for this user only, from the first byte on: the system's own copy takes the mode of what it copies. */
function copy(fromPath: string, toPath: string): void {
  const [from, to] = [openSync(fromPath, "r"), openSync(toPath, "wx", 0o600)];
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let bytes = readSync(from, chunk); bytes > 0; bytes = readSync(from, chunk)) writeSync(to, chunk, 0, bytes);
    fsyncSync(to);
  } finally {
    closeSync(from);
    closeSync(to);
  }
}

function flush(path: string): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
}
