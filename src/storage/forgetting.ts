// Deleting for good: transcripts, their jobs with segments and file names, and what the disk still holds of them.
import { rmSync } from "node:fs";
import type { TranscriptStore } from "../core/ports.ts";
import type { PlatformName, Scope } from "../core/recording.ts";
import { effectiveSettings, type Settings } from "../core/settings.ts";
import { createAudit } from "./audit.ts";
import type { Database } from "./database.ts";

const DAY_MS = 24 * 3600 * 1000;
/** Who deletes when it is a retention that ran out. */
const RETENTION = "retention";

/** Column and value pairs which all must hold; the columns are those that transcripts, jobs and seen recordings share. */
interface Selection {
  readonly where: string;
  readonly values: readonly (string | number)[];
}

interface OwnerRow {
  readonly platform: PlatformName;
  readonly workspace: string;
  readonly channel: string;
  readonly recording_key: string;
}

export function createForgetting(database: Database): Pick<TranscriptStore, "forget" | "expire"> {
  const audit = createAudit(database);

  function run(source: string, values: readonly (string | number)[]): number {
    return database.prepare<(string | number)[]>(source).run(...values).changes;
  }

  /** @returns how many transcripts, and the downloaded recordings that are left without a job */
  function deleteSelected(transcripts: Selection, jobs: Selection): { count: number; mediaPaths: readonly string[] } {
    run(
      `DELETE FROM transcript_segments WHERE transcript IN (SELECT number FROM transcripts WHERE ${transcripts.where})`,
      transcripts.values,
    );
    const count = run(`DELETE FROM transcripts WHERE ${transcripts.where}`, transcripts.values);
    const media = database
      .prepare<(string | number)[], { path: string | null }>(
        `SELECT steps ->> '$.mediaPath' AS path FROM jobs WHERE ${jobs.where}`,
      )
      .all(...jobs.values);
    run(`DELETE FROM jobs WHERE ${jobs.where}`, jobs.values);
    return { count, mediaPaths: media.flatMap(({ path }) => (path === null ? [] : [path])) };
  }

  function erase(mediaPaths: readonly string[]): void {
    for (const path of mediaPaths) rmSync(path, { force: true });
    database.truncateLog();
  }

  function jobOwner(jobId: string): OwnerRow | undefined {
    return database
      .prepare<{ id: string }, OwnerRow>(
        `SELECT platform, workspace, channel, recording_key FROM transcripts WHERE job_id = @id
         UNION ALL SELECT platform, workspace, channel, recording_key FROM jobs WHERE id = @id`,
      )
      .get({ id: jobId });
  }

  function forgetJob(jobId: string, by: string): { count: number; mediaPaths: readonly string[] } {
    const owner = jobOwner(jobId);
    if (owner === undefined) return { count: 0, mediaPaths: [] };
    const { recording_key: key, ...scope } = owner;
    const deleted = deleteSelected({ where: "job_id = ?", values: [jobId] }, { where: "id = ?", values: [jobId] });
    run("DELETE FROM seen_recordings WHERE recording_key = ?", [key]);
    audit.write({ ...scope, by, what: `forgot the transcript of job ${jobId}` });
    return deleted;
  }

  function forgetIn(scope: Scope, message: string | undefined, by: string) {
    const { platform, workspace, channel } = scope;
    const selection = {
      where: `platform = ? AND workspace = ? AND channel = ?${message === undefined ? "" : " AND message = ?"}`,
      values: [platform, workspace, channel, ...(message === undefined ? [] : [message])],
    };
    const deleted = deleteSelected(selection, selection);
    run(`DELETE FROM seen_recordings WHERE ${selection.where}`, selection.values);
    const what = message === undefined ? "all of the channel" : "a message";
    audit.write({ platform, workspace, channel, by, what: `forgot ${what}: ${deleted.count} transcripts` });
    return deleted;
  }

  function retentionOf(scope: Scope): number | null {
    const choices = (channel: string): Partial<Settings> => {
      const row = database
        .prepare<[string, string, string], { choices: string }>(
          "SELECT choices FROM settings WHERE platform = ? AND workspace = ? AND channel = ?",
        )
        .get(scope.platform, scope.workspace, channel);
      return row === undefined ? {} : JSON.parse(row.choices);
    };
    return effectiveSettings(choices(""), choices(scope.channel)).retentionDays;
  }

  /** Jobs that have ended and recordings that were only seen go with the transcripts of their age. */
  function expireIn(scope: Scope, beforeMs: number): { count: number; mediaPaths: readonly string[] } {
    const { platform, workspace, channel } = scope;
    const within = "platform = ? AND workspace = ? AND channel = ?";
    const values = [platform, workspace, channel, beforeMs];
    const deleted = deleteSelected(
      { where: `${within} AND created_at < ?`, values },
      { where: `${within} AND ended_at < ?`, values },
    );
    run(`DELETE FROM seen_recordings WHERE ${within} AND seen_at < ?`, values);
    if (deleted.count > 0) {
      audit.write({ ...scope, by: RETENTION, what: `deleted ${deleted.count} transcripts` });
    }
    return deleted;
  }

  return {
    /** A job that is still waiting or running ends with it; its worker learns of it from the next fenced call. */
    async forget(what, by) {
      const { count, mediaPaths } = database.write(() =>
        "jobId" in what
          ? forgetJob(what.jobId, by)
          : forgetIn(what.scope, "message" in what ? what.message : undefined, by),
      );
      erase(mediaPaths);
      return count;
    },

    async expire(nowMs) {
      const { count, changed, mediaPaths } = database.write(() => {
        const before = totalChanges();
        const scopes = database
          .prepare<[], Scope>(
            `SELECT platform, workspace, channel FROM transcripts
             UNION SELECT platform, workspace, channel FROM jobs
             UNION SELECT platform, workspace, channel FROM seen_recordings`,
          )
          .all();
        const deleted = scopes.flatMap((scope) => {
          const days = retentionOf(scope);
          return days === null ? [] : [expireIn(scope, nowMs - days * DAY_MS)];
        });
        return {
          count: deleted.reduce((sum, one) => sum + one.count, 0),
          changed: totalChanges() > before,
          mediaPaths: deleted.flatMap((one) => one.mediaPaths),
        };
      });
      if (changed) erase(mediaPaths);
      return count;
    },
  };

  function totalChanges(): number {
    return database.prepare<[], { changes: number }>("SELECT total_changes() AS changes").get()?.changes ?? 0;
  }
}
