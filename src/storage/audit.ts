// Who changed settings and glossaries, and who deleted transcripts. Never what was in them.
import type { Scope } from "../core/recording.ts";
import type { Prepare } from "./statements.ts";

export interface AuditEntry {
  readonly atMs: number;
  /** The user's id on the platform; "" for Earshot itself. */
  readonly actor: string;
  readonly scope: Scope;
  /** Such as "settings language" or "forget 1f3a9c". */
  readonly deed: string;
}

export function writeAudit(prepare: Prepare, { atMs, actor, scope, deed }: AuditEntry): void {
  prepare("INSERT INTO audit (at_ms, actor, platform, workspace, channel, deed) VALUES (?, ?, ?, ?, ?, ?)").run(
    ...[atMs, actor, scope.platform, scope.workspace, scope.channel, deed],
  );
}
