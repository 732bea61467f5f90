// The transcripts that are kept: saved once, searched by their words, forgotten for good.
import type { SearchHit, StoredTranscript, TranscriptStore } from "../core/ports.ts";
import type { Recording, Scope } from "../core/recording.ts";
import type { Segment } from "../core/transcript.ts";
import type { Database } from "./database.ts";
import { createForgetting } from "./forgetting.ts";
import { scopeOf } from "./job-rows.ts";
import { ftsQuery, indexedText, shownExcerpt } from "./search-words.ts";

interface TranscriptRow {
  readonly number: number;
  readonly head: string;
}

interface HitRow {
  readonly transcript: number;
  readonly job_id: string;
  readonly created_at: number;
  readonly recording: string;
  readonly start: number;
  readonly excerpt: string;
}

/** A transcript is saved only for a job that is running: one that was cancelled or forgotten meanwhile stays away. */
export function createTranscriptStore(database: Database): TranscriptStore {
  const isRunning = database.prepare<[string], { number: number }>(
    "SELECT number FROM jobs WHERE id = ? AND state = 'running'",
  );
  const insert = database.prepare<Record<string, string | number | null>>(
    `INSERT INTO transcripts (job_id, platform, workspace, channel, message, recording_key, created_at, wait_ms,
       audio_seconds, head)
     VALUES (@jobId, @platform, @workspace, @channel, @message, @recordingKey, @createdAt, @waitMs, @seconds, @head)
     ON CONFLICT DO NOTHING`,
  );
  const insertSegment = database.prepare<[number | bigint, string, string, string]>(
    "INSERT INTO transcript_segments (transcript, segment, words, place) VALUES (?, ?, ?, ?)",
  );
  const addChannel = database.prepare<[string, string, string]>(
    "INSERT INTO channels (platform, workspace, channel) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const channelNumber = database.prepare<[string, string, string], { number: number }>(
    "SELECT number FROM channels WHERE platform = ? AND workspace = ? AND channel = ?",
  );
  const byJob = database.prepare<[string], TranscriptRow>("SELECT number, head FROM transcripts WHERE job_id = ?");
  const newest = database.prepare<[string, string, string], TranscriptRow>(
    `SELECT number, head FROM transcripts WHERE platform = ? AND workspace = ? AND channel = ?
     ORDER BY created_at DESC, number DESC LIMIT 1`,
  );
  // The place in order of time is the index's, so that only the last ones are read.
  const languages = database.prepare<[string, string, string], { language: string; share: number; recordings: number }>(
    `WITH last AS (SELECT head ->> '$.language' AS language FROM transcripts
       WHERE platform = ? AND workspace = ? AND channel = ? ORDER BY created_at DESC LIMIT 20)
     SELECT language, count(*) * 1.0 / (SELECT count(*) FROM last) AS share, (SELECT count(*) FROM last) AS recordings
     FROM last WHERE language IS NOT NULL GROUP BY language ORDER BY share DESC, language`,
  );
  const segmentsOf = database.prepare<[number], { segment: string }>(
    "SELECT segment FROM transcript_segments WHERE transcript = ? ORDER BY number",
  );
  // Newest first straight from the index, which stops at the limit; ranking would read every match.
  const matches = database.prepare<[string, number], HitRow>(
    `SELECT s.transcript, t.job_id, t.created_at, t.head -> '$.recording' AS recording,
       s.segment ->> '$.start' AS start, found.excerpt
     FROM (SELECT rowid, snippet(segment_words, 0, char(2), char(3), '…', 24) AS excerpt
           FROM segment_words WHERE segment_words MATCH ? ORDER BY rowid DESC LIMIT ?) AS found
     JOIN transcript_segments AS s ON s.number = found.rowid
     JOIN transcripts AS t ON t.number = s.transcript`,
  );
  const totals = database.prepare<[string, string, number], { recordings: number; seconds: number | null }>(
    `SELECT count(*) AS recordings, sum(audio_seconds) AS seconds FROM transcripts
     WHERE platform = ? AND workspace = ? AND created_at >= ?`,
  );
  const waits = database.prepare<[string, string, number, number, number], { wait_ms: number }>(
    `SELECT wait_ms FROM transcripts WHERE platform = ? AND workspace = ? AND created_at >= ?
     ORDER BY wait_ms LIMIT ? OFFSET ?`,
  );

  function placeWord(scope: Scope): string | undefined {
    const number = channelNumber.get(...scopeOf(scope))?.number;
    return number === undefined ? undefined : `c${number}`;
  }

  function whole(row: TranscriptRow | undefined): StoredTranscript | undefined {
    if (row === undefined) return undefined;
    const segments = segmentsOf.all(row.number).map(({ segment }): Segment => JSON.parse(segment));
    return { ...JSON.parse(row.head), segments };
  }

  return {
    ...createForgetting(database),

    async save({ segments, ...head }) {
      database.write(() => {
        if (isRunning.get(head.jobId) === undefined) return;
        const { place, key } = head.recording;
        const [platform, workspace, channel] = scopeOf(place);
        addChannel.run(platform, workspace, channel);
        const { changes, lastInsertRowid } = insert.run({
          jobId: head.jobId,
          platform,
          workspace,
          channel,
          message: place.message ?? null,
          recordingKey: key,
          createdAt: head.createdAtMs,
          waitMs: Math.round(head.waitMs),
          seconds: head.duration,
          head: JSON.stringify(head),
        });
        if (changes === 0) return;
        const word = placeWord(place) ?? "";
        for (const segment of segments) {
          insertSegment.run(lastInsertRowid, JSON.stringify(segment), indexedText(segment.text), word);
        }
      });
    },

    async get(jobId) {
      return database.read(() => whole(byJob.get(jobId)));
    },

    async latest(scope) {
      return database.read(() => whole(newest.get(...scopeOf(scope))));
    },

    /** Newest recording first, each from its beginning. */
    async search(scope, words, limit) {
      return database.read(() => {
        const place = placeWord(scope);
        const query = place === undefined ? undefined : ftsQuery(words, place);
        if (query === undefined) return [];
        const rows = matches.all(query, limit);
        return rows.sort((a, b) => b.transcript - a.transcript || a.start - b.start).map(hitOf);
      });
    },

    async usualLanguages(scope) {
      return database.read(() =>
        languages
          .all(...scopeOf(scope))
          .filter(({ share, recordings }) => recordings >= 3 && share >= 0.2)
          .map(({ language }) => language),
      );
    },

    async stats({ platform, workspace }, sinceMs) {
      return database.read(() => {
        const { recordings, seconds } = totals.get(platform, workspace, sinceMs) ?? { recordings: 0, seconds: 0 };
        const isOdd = recordings % 2 === 1;
        const offset = Math.max(0, Math.ceil(recordings / 2) - 1);
        const middle = waits.all(platform, workspace, sinceMs, isOdd ? 1 : 2, offset);
        const sum = middle.reduce((total, row) => total + row.wait_ms, 0);
        return {
          recordings,
          audioSeconds: seconds ?? 0,
          medianWaitMs: middle.length === 0 ? undefined : sum / middle.length,
        };
      });
    },
  };
}

function hitOf(row: HitRow): SearchHit {
  const recording: Recording = JSON.parse(row.recording);
  return {
    jobId: row.job_id,
    recording,
    createdAtMs: row.created_at,
    start: row.start,
    excerpt: shownExcerpt(row.excerpt),
  };
}
