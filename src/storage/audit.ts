// The audit trail: who changed settings or a glossary, who deleted; never what it said.
import type { PlatformName } from "../core/recording.ts";
import type { Database } from "./database.ts";

export interface AuditEntry {
  readonly atMs: number;
  /** The user's id on the platform, or Earshot's own word, such as "retention". */
  readonly by: string;
  readonly platform: PlatformName;
  readonly workspace: string;
  /** "" for the whole workspace. */
  readonly channel: string;
  readonly what: string;
}

export interface Audit {
  /** Within the transaction of what is done. */
  write(entry: Omit<AuditEntry, "atMs">): void;
  /** Newest first. */
  list(limit: number): readonly AuditEntry[];
}

export function createAudit(database: Database): Audit {
  const insert = database.prepare<[number, string, string, string, string, string]>(
    "INSERT INTO audit (at, by, platform, workspace, channel, what) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const newest = database.prepare<[number], AuditEntry>(
    "SELECT at AS atMs, by, platform, workspace, channel, what FROM audit ORDER BY number DESC LIMIT ?",
  );
  return {
    write({ by, platform, workspace, channel, what }) {
      database.write(() => insert.run(database.now(), by, platform, workspace, channel, what));
    },
    list: (limit) => database.read(() => newest.all(limit)),
  };
}
