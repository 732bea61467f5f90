-- Jobs, what was done for them, settings, glossaries, transcripts and the audit log.

CREATE TABLE jobs (
  id            TEXT PRIMARY KEY,
  -- Recording key and request together: the same file asked for in the same way is one job.
  dedupe_key    TEXT NOT NULL,
  platform      TEXT NOT NULL,
  workspace     TEXT NOT NULL,
  channel       TEXT NOT NULL,
  message       TEXT,
  recording     TEXT NOT NULL,
  request       TEXT NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  attempt       INTEGER NOT NULL DEFAULT 0,
  added_at_ms   INTEGER NOT NULL,
  due_at_ms     INTEGER NOT NULL,
  -- Seconds of work to expect; what is not known counts as long.
  cost_seconds  REAL NOT NULL,
  lease_token   TEXT,
  lease_worker  TEXT,
  lease_until_ms INTEGER,
  ended_at_ms   INTEGER,
  status_id     TEXT,
  steps         TEXT NOT NULL DEFAULT '{}',
  checkpoint    TEXT,
  failure       TEXT
) STRICT;
-- A job that came to nothing does not stand in the way of the same request.
CREATE UNIQUE INDEX jobs_dedupe ON jobs (dedupe_key) WHERE state IN ('queued', 'running', 'done');
CREATE INDEX jobs_waiting ON jobs (due_at_ms) WHERE state = 'queued';
CREATE INDEX jobs_running ON jobs (lease_until_ms) WHERE state = 'running';
CREATE INDEX jobs_scope ON jobs (platform, workspace, channel, added_at_ms);
CREATE INDEX jobs_ended ON jobs (ended_at_ms) WHERE ended_at_ms IS NOT NULL;

CREATE TABLE job_segments (
  job_id   TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  segment  TEXT NOT NULL,
  PRIMARY KEY (job_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE seen_recordings (
  key       TEXT PRIMARY KEY,
  platform  TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel   TEXT NOT NULL,
  seen_at_ms INTEGER NOT NULL,
  recording TEXT NOT NULL
) STRICT;
CREATE INDEX seen_by_channel ON seen_recordings (platform, workspace, channel, seen_at_ms);

-- channel '' holds the workspace's own.
CREATE TABLE settings (
  platform  TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel   TEXT NOT NULL,
  name      TEXT NOT NULL,
  value     TEXT NOT NULL,
  PRIMARY KEY (platform, workspace, channel, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE terms (
  platform  TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel   TEXT NOT NULL,
  -- Lower case, to tell terms apart.
  folded    TEXT NOT NULL,
  text      TEXT NOT NULL,
  sounds_like TEXT NOT NULL,
  uses      INTEGER NOT NULL DEFAULT 0,
  position  INTEGER NOT NULL,
  PRIMARY KEY (platform, workspace, channel, folded)
) STRICT, WITHOUT ROWID;

CREATE TABLE pairs (
  platform  TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel   TEXT NOT NULL,
  folded    TEXT NOT NULL,
  wrong     TEXT NOT NULL,
  right     TEXT NOT NULL,
  PRIMARY KEY (platform, workspace, channel, folded)
) STRICT, WITHOUT ROWID;

CREATE TABLE prompts (
  platform  TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel   TEXT NOT NULL,
  text      TEXT NOT NULL,
  PRIMARY KEY (platform, workspace, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE transcripts (
  number    INTEGER PRIMARY KEY,
  job_id    TEXT NOT NULL UNIQUE,
  platform  TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel   TEXT NOT NULL,
  message   TEXT,
  created_at_ms INTEGER NOT NULL,
  audio_seconds REAL NOT NULL,
  wait_ms   INTEGER NOT NULL,
  recording TEXT NOT NULL,
  -- The transcript without its segments.
  about     TEXT NOT NULL
) STRICT;
CREATE INDEX transcripts_scope ON transcripts (platform, workspace, channel, created_at_ms);

CREATE TABLE segments (
  number     INTEGER PRIMARY KEY,
  transcript INTEGER NOT NULL REFERENCES transcripts (number) ON DELETE CASCADE,
  start      REAL NOT NULL,
  text       TEXT NOT NULL,
  segment    TEXT NOT NULL
) STRICT;
CREATE INDEX segments_transcript ON segments (transcript, number);

CREATE VIRTUAL TABLE segment_words USING fts5 (text, content = 'segments', content_rowid = 'number', tokenize = "unicode61 remove_diacritics 2");
-- Deleted words leave the index itself, not only the list of what is valid in it.
INSERT INTO segment_words (segment_words, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER segments_added AFTER INSERT ON segments BEGIN
  INSERT INTO segment_words (rowid, text) VALUES (new.number, new.text);
END;
CREATE TRIGGER segments_deleted AFTER DELETE ON segments BEGIN
  INSERT INTO segment_words (segment_words, rowid, text) VALUES ('delete', old.number, old.text);
END;

-- Who changed what, never the contents.
CREATE TABLE audit (
  at_ms     INTEGER NOT NULL,
  actor     TEXT NOT NULL,
  platform  TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel   TEXT NOT NULL,
  deed      TEXT NOT NULL
) STRICT;

-- The playground's chat.
CREATE TABLE chat_messages (
  id        TEXT PRIMARY KEY,
  posting_key TEXT UNIQUE,
  channel   TEXT NOT NULL,
  revision  INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  message   TEXT NOT NULL
) STRICT;
CREATE INDEX chat_by_revision ON chat_messages (revision);
CREATE INDEX chat_by_channel ON chat_messages (channel, created_at_ms);
