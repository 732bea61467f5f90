// A platform's notes in memory, for tests that need no restart.
import type { PlatformNotes } from "../../src/core/ports.ts";

export function memoryNotes(now: () => number = Date.now): PlatformNotes {
  const kept = new Map<string, { readonly json: string; readonly atMs: number }>();
  return {
    async get(key) {
      const found = kept.get(key);
      return found === undefined ? undefined : JSON.parse(found.json);
    },
    async put(key, value) {
      const json = JSON.stringify(value);
      if (json === undefined) throw new TypeError(`The note ${key} has no value that JSON knows.`);
      kept.set(key, { json, atMs: now() });
    },
    remove: async (key) => kept.delete(key),
    list: async (prefix) =>
      [...kept]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        .map(([key, { json, atMs }]) => ({ key, value: JSON.parse(json), atMs })),
  };
}
