// What SQLite and the file system refuse, in sentences that say what to do.
import Sqlite from "better-sqlite3";
import { ConfigError, InferenceError } from "../core/errors.ts";

/**
 * Runs work on the database at `path`. @throws ConfigError, InferenceError; anything else as it came
 *
 * @param onDamage told when the file itself proves to be damaged, after which nothing in it can be relied on
 */
export function explained<T>(path: string, work: () => T, onDamage?: (error: ConfigError) => void): T {
  try {
    return work();
  } catch (error) {
    const explanation = explain(path, error);
    if (explanation instanceof ConfigError && isDamage(error)) onDamage?.(explanation);
    throw explanation;
  }
}

export function isDamage(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && /^SQLITE_(NOTADB|CORRUPT)/.test(error.code);
}

function explain(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const code = String(error.code);
  // Extended codes such as SQLITE_IOERR_WRITE begin with the plain one.
  const is = (...names: readonly string[]) => names.some((name) => code === name || code.startsWith(`${name}_`));
  const isSqlite = error instanceof Sqlite.SqliteError;
  if (code === "ENOSPC" || (isSqlite && is("SQLITE_FULL"))) {
    return new InferenceError(
      "disk_full",
      `The disk is full: ${path} cannot be written. Make room; Earshot then goes on by itself.`,
      { cause: error },
    );
  }
  if (isSqlite && is("SQLITE_NOTADB", "SQLITE_CORRUPT")) {
    return new ConfigError([
      `${path} is damaged or no Earshot database. Put a backup in its place (earshot restore FILE), or rename it: ` +
        "Earshot then makes a new one.",
    ]);
  }
  if (isSqlite && is("SQLITE_BUSY", "SQLITE_LOCKED")) {
    return new InferenceError(
      "database_locked",
      `Another program has locked ${path}, such as a database browser. Close it; Earshot then goes on by itself.`,
      { cause: error },
    );
  }
  if (["EACCES", "EPERM", "EROFS"].includes(code) || (isSqlite && is("SQLITE_READONLY", "SQLITE_PERM"))) {
    return new ConfigError([
      `${path} cannot be written by this user. Give it and its folder to the user that runs Earshot, ` +
        "or name another folder with EARSHOT_DATA.",
    ]);
  }
  if (["ENOTDIR", "EEXIST", "EISDIR", "ENOENT"].includes(code) || (isSqlite && is("SQLITE_CANTOPEN"))) {
    return new ConfigError([
      `${path} cannot be opened as a database. Name a file in a folder that can be written (EARSHOT_DATA or --database).`,
    ]);
  }
  if (code === "ERR_DLOPEN_FAILED") {
    return new ConfigError([
      "The database module does not fit this Node.js. Build it again with: npm rebuild better-sqlite3",
    ]);
  }
  return error;
}
