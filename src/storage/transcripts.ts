// Finished transcripts: kept, searched, counted, and deleted for good.
import type { SearchHit, StoredTranscript, TranscriptStore } from "../core/ports.ts";
import type { Recording, Scope } from "../core/recording.ts";
import type { Segment } from "../core/transcript.ts";
import { writeAudit } from "./audit.ts";
import type { Database } from "./database.ts";
import { statements } from "./statements.ts";

interface TranscriptRow {
  readonly number: number;
  readonly job_id: string;
  readonly recording: string;
  readonly about: string;
}

/** Words in an excerpt of a search. */
const EXCERPT_WORDS = 12;
const DAY_MS = 86_400_000;

export function createTranscriptStore(database: Database, now: () => number): TranscriptStore {
  const prepare = statements(database);

  const save = database.transaction((transcript: StoredTranscript) => {
    const { segments, jobId, recording, ...about } = transcript;
    const { platform, workspace, channel, message = null } = recording.place;
    const { changes, lastInsertRowid } = prepare(
      `INSERT INTO transcripts (job_id, platform, workspace, channel, message, created_at_ms, audio_seconds, wait_ms, recording, about)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job_id) DO NOTHING`,
    ).run(
      ...[jobId, platform, workspace, channel, message, about.createdAtMs, about.duration, about.waitMs],
      JSON.stringify(recording),
      JSON.stringify(about),
    );
    if (changes === 0) return;
    const insert = prepare("INSERT INTO segments (transcript, start, text, segment) VALUES (?, ?, ?, ?)");
    for (const segment of segments) insert.run(lastInsertRowid, segment.start, segment.text, JSON.stringify(segment));
  });

  function whole(row: TranscriptRow | undefined): StoredTranscript | undefined {
    if (row === undefined) return undefined;
    const segments = prepare<{ segment: string }>("SELECT segment FROM segments WHERE transcript = ? ORDER BY number")
      .all(row.number)
      .map(({ segment }) => JSON.parse(segment) as Segment);
    return { ...JSON.parse(row.about), jobId: row.job_id, recording: JSON.parse(row.recording) as Recording, segments };
  }

  /** Deletes transcripts, and what the jobs still know of their recordings. */
  function deleteThem(rows: readonly { readonly number: number; readonly job_id: string }[]): void {
    for (const { number, job_id } of rows) {
      // Segment by segment, for the index of words follows by trigger.
      prepare("DELETE FROM segments WHERE transcript = ?").run(number);
      prepare("DELETE FROM transcripts WHERE number = ?").run(number);
      prepare("DELETE FROM jobs WHERE id = ? AND state NOT IN ('queued', 'running')").run(job_id);
    }
  }

  const forget = database.transaction((what: Parameters<TranscriptStore["forget"]>[0], by: string) => {
    const found = findThem(what);
    deleteThem(found);
    if ("scope" in what && !("message" in what)) {
      const { platform, workspace, channel } = what.scope;
      prepare("DELETE FROM seen_recordings WHERE platform = ? AND workspace = ? AND channel = ?").run(
        platform,
        workspace,
        channel,
      );
    }
    for (const { job_id, ...scope } of found) {
      writeAudit(prepare, { atMs: now(), actor: by, scope, deed: `forget ${job_id}` });
    }
    return found.length;
  });

  type Found = Scope & { readonly number: number; readonly job_id: string };
  function findThem(what: Parameters<TranscriptStore["forget"]>[0]): Found[] {
    const COLUMNS = "SELECT number, job_id, platform, workspace, channel FROM transcripts";
    if ("jobId" in what) return prepare<Found>(`${COLUMNS} WHERE job_id = ?`).all(what.jobId);
    const { platform, workspace, channel } = what.scope;
    return prepare<Found>(
      `${COLUMNS} WHERE platform = :platform AND workspace = :workspace AND channel = :channel
         AND (:message IS NULL OR message = :message)`,
    ).all({ platform, workspace, channel, message: "message" in what ? what.message : null });
  }

  const expire = database.transaction((atMs: number) => {
    const expired = prepare<Found>(
      `SELECT number, job_id, platform, workspace, channel FROM transcripts AS t
       WHERE created_at_ms < :now - :day * (
         SELECT CAST(value AS REAL) FROM settings AS s
         WHERE s.platform = t.platform AND s.workspace = t.workspace AND s.channel IN (t.channel, '')
           AND s.name = 'retentionDays' ORDER BY s.channel = '' LIMIT 1)`,
    ).all({ now: atMs, day: DAY_MS });
    deleteThem(expired);
    for (const { job_id, ...scope } of expired) {
      writeAudit(prepare, { atMs, actor: "", scope, deed: `expire ${job_id}` });
    }
    return expired.length;
  });

  /** The log that SQLite writes ahead still holds what was deleted, until it is put into the file. */
  function scrub(count: number): number {
    if (count > 0) database.pragma("wal_checkpoint(TRUNCATE)");
    return count;
  }

  return {
    save: async (transcript) => save.immediate(transcript),
    get: async (jobId) => whole(prepare<TranscriptRow>("SELECT * FROM transcripts WHERE job_id = ?").get(jobId)),

    async latest({ platform, workspace, channel }) {
      return whole(
        prepare<TranscriptRow>(
          `SELECT * FROM transcripts WHERE platform = ? AND workspace = ? AND channel = ?
           ORDER BY created_at_ms DESC, number DESC LIMIT 1`,
        ).get(platform, workspace, channel),
      );
    },

    async search({ platform, workspace, channel }, words, limit) {
      const query = ftsQuery(words);
      if (query === undefined) return [];
      const rows = prepare<{
        job_id: string;
        recording: string;
        created_at_ms: number;
        start: number;
        excerpt: string;
      }>(
        `SELECT t.job_id, t.recording, t.created_at_ms, s.start,
           snippet(segment_words, 0, char(2), char(3), '…', ${EXCERPT_WORDS}) AS excerpt
         FROM segment_words JOIN segments AS s ON s.number = segment_words.rowid
           JOIN transcripts AS t ON t.number = s.transcript
         WHERE segment_words MATCH ? AND t.platform = ? AND t.workspace = ? AND t.channel = ?
         ORDER BY t.created_at_ms DESC, s.start LIMIT ?`,
      ).all(query, platform, workspace, channel, limit);
      return rows.map(
        ({ job_id, recording, created_at_ms, start, excerpt }): SearchHit => ({
          jobId: job_id,
          recording: JSON.parse(recording) as Recording,
          createdAtMs: created_at_ms,
          start,
          excerpt: excerpt.trim(),
        }),
      );
    },

    async stats({ platform, workspace }, sinceMs) {
      const rows = prepare<{ audio_seconds: number; wait_ms: number }>(
        `SELECT audio_seconds, wait_ms FROM transcripts WHERE platform = ? AND workspace = ? AND created_at_ms >= ?
         ORDER BY wait_ms`,
      ).all(platform, workspace, sinceMs);
      const middle = rows.length / 2;
      const [lower, upper] = [rows[Math.ceil(middle) - 1], rows[Math.floor(middle)]];
      return {
        recordings: rows.length,
        audioSeconds: rows.reduce((sum, row) => sum + row.audio_seconds, 0),
        medianWaitMs: lower === undefined || upper === undefined ? undefined : (lower.wait_ms + upper.wait_ms) / 2,
      };
    },

    forget: async (what, by) => scrub(forget.immediate(what, by)),
    expire: async (nowMs) => scrub(expire.immediate(nowMs)),
  };
}

/** All words, the last one perhaps unfinished. Quoted, so that nothing in them is read as a query. */
function ftsQuery(words: string): string | undefined {
  const parts = words.match(/[\p{L}\p{N}]+/gu);
  if (parts === null) return undefined;
  return parts.map((part, index) => `"${part}"${index === parts.length - 1 ? "*" : ""}`).join(" ");
}
