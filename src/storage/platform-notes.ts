// What the adapter of one chat platform keeps across restarts, under keys of its own.
import type { PlatformNote, PlatformNotes } from "../core/ports.ts";
import type { PlatformName } from "../core/recording.ts";
import type { Database } from "./database.ts";

interface Row {
  readonly key: string;
  readonly value: string;
  readonly atMs: number;
}

export function createPlatformNotes(database: Database, platform: PlatformName): PlatformNotes {
  const one = database.prepare<[string, string], Row>(
    "SELECT key, value, written_at AS atMs FROM platform_notes WHERE platform = ? AND key = ?",
  );
  const replace = database.prepare<[string, string, string, number]>(
    "INSERT OR REPLACE INTO platform_notes (platform, key, value, written_at) VALUES (?, ?, ?, ?)",
  );
  const remove = database.prepare<[string, string]>("DELETE FROM platform_notes WHERE platform = ? AND key = ?");
  // Compared by code point, as the index sorts; LIKE would take "_" for any sign.
  const beginning = database.prepare<[string, string, string, string], Row>(
    "SELECT key, value, written_at AS atMs FROM platform_notes " +
      "WHERE platform = ? AND key >= ? AND substr(key, 1, length(?)) = ? ORDER BY key",
  );

  const noteOf = ({ key, value, atMs }: Row): PlatformNote => ({ key, value: JSON.parse(value), atMs });

  return {
    async get(key) {
      const row = database.read(() => one.get(platform, key));
      return row === undefined ? undefined : noteOf(row).value;
    },
    async put(key, value) {
      const text = JSON.stringify(value);
      if (text === undefined) throw new TypeError(`The note ${key} has no value that JSON knows.`);
      database.write(() => replace.run(platform, key, text, database.now()));
    },
    async remove(key) {
      return database.write(() => remove.run(platform, key).changes > 0);
    },
    async list(prefix) {
      return database.read(() => beginning.all(platform, prefix, prefix, prefix)).map(noteOf);
    },
  };
}
