-- Times are milliseconds since 1970. A channel of '' stands for the whole workspace.

CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  platform TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel TEXT NOT NULL,
  message TEXT,
  recording_key TEXT NOT NULL,
  request_key TEXT NOT NULL,
  recording TEXT NOT NULL,
  request TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  attempt INTEGER NOT NULL DEFAULT 0,
  added_at INTEGER NOT NULL,
  ended_at INTEGER,
  -- Not to be claimed before.
  due_at INTEGER NOT NULL,
  -- storage/fairness.ts says how these come about.
  size_class INTEGER NOT NULL,
  turn_at INTEGER NOT NULL,
  turn_until INTEGER NOT NULL,
  claim_order INTEGER NOT NULL,
  is_short INTEGER NOT NULL,
  steps TEXT NOT NULL DEFAULT '{}',
  checkpoint TEXT,
  lease_token TEXT,
  lease_worker TEXT,
  lease_until INTEGER,
  failure TEXT
) STRICT;

-- A recording is asked for in the same way once, until that job has failed, was cancelled or is forgotten.
CREATE UNIQUE INDEX jobs_once ON jobs (recording_key, request_key) WHERE state IN ('queued', 'running', 'done');
CREATE INDEX jobs_queued ON jobs (claim_order, number, due_at) WHERE state = 'queued';
CREATE INDEX jobs_queued_short ON jobs (claim_order, number, due_at) WHERE state = 'queued' AND is_short = 1;
CREATE INDEX jobs_due ON jobs (due_at) WHERE state = 'queued';
CREATE INDEX jobs_running ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_turns ON jobs (platform, workspace, channel, size_class, turn_until) WHERE state <> 'cancelled';
CREATE INDEX jobs_of_channel ON jobs (platform, workspace, channel, number);
CREATE INDEX jobs_of_recording ON jobs (recording_key);
CREATE INDEX jobs_by_state ON jobs (state, number);
CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE job_segments (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  segment TEXT NOT NULL,
  PRIMARY KEY (job_id, ordinal)
) STRICT, WITHOUT ROWID;

-- The last recordings of each channel, asked for or not.
CREATE TABLE seen_recordings (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  recording_key TEXT NOT NULL UNIQUE,
  platform TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel TEXT NOT NULL,
  message TEXT,
  seen_at INTEGER NOT NULL,
  recording TEXT NOT NULL
) STRICT;
CREATE INDEX seen_of_channel ON seen_recordings (platform, workspace, channel, number);

CREATE TABLE settings (
  platform TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel TEXT NOT NULL,
  choices TEXT NOT NULL,
  PRIMARY KEY (platform, workspace, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE glossary_terms (
  number INTEGER PRIMARY KEY,
  platform TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel TEXT NOT NULL,
  term_key TEXT NOT NULL,
  text TEXT NOT NULL,
  sounds_like TEXT NOT NULL,
  uses INTEGER NOT NULL DEFAULT 0,
  UNIQUE (platform, workspace, channel, term_key)
) STRICT;

CREATE TABLE glossary_pairs (
  number INTEGER PRIMARY KEY,
  platform TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel TEXT NOT NULL,
  wrong_key TEXT NOT NULL,
  wrong TEXT NOT NULL,
  "right" TEXT NOT NULL,
  UNIQUE (platform, workspace, channel, wrong_key)
) STRICT;

CREATE TABLE glossary_prompts (
  platform TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (platform, workspace, channel)
) STRICT, WITHOUT ROWID;

-- A small number for each channel, by which the search index knows it.
CREATE TABLE channels (
  number INTEGER PRIMARY KEY,
  platform TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel TEXT NOT NULL,
  UNIQUE (platform, workspace, channel)
) STRICT;

CREATE TABLE transcripts (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id TEXT NOT NULL UNIQUE,
  platform TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel TEXT NOT NULL,
  message TEXT,
  recording_key TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  wait_ms INTEGER NOT NULL,
  audio_seconds REAL NOT NULL,
  -- Everything else but the segments.
  head TEXT NOT NULL
) STRICT;
CREATE INDEX transcripts_of_channel ON transcripts (platform, workspace, channel, created_at);
CREATE INDEX transcripts_stats ON transcripts (platform, workspace, created_at, wait_ms, audio_seconds);

CREATE TABLE transcript_segments (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  transcript INTEGER NOT NULL REFERENCES transcripts (number) ON DELETE CASCADE,
  segment TEXT NOT NULL,
  -- The segment's text as the search index takes it.
  words TEXT NOT NULL,
  -- The channel's number as a word of its own, so that the index itself keeps to the channel.
  place TEXT NOT NULL
) STRICT;
CREATE INDEX segments_of_transcript ON transcript_segments (transcript);

CREATE VIRTUAL TABLE segment_words USING fts5 (
  words, place,
  content = 'transcript_segments', content_rowid = 'number',
  tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
-- What is deleted leaves the index at once, and not with some later merge.
INSERT INTO segment_words (segment_words, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER segment_added AFTER INSERT ON transcript_segments BEGIN
  INSERT INTO segment_words (rowid, words, place) VALUES (new.number, new.words, new.place);
END;
CREATE TRIGGER segment_deleted AFTER DELETE ON transcript_segments BEGIN
  INSERT INTO segment_words (segment_words, rowid, words, place) VALUES ('delete', old.number, old.words, old.place);
END;

-- Who changed or deleted what kind of thing; never contents.
CREATE TABLE audit (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  by TEXT NOT NULL,
  platform TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel TEXT NOT NULL,
  what TEXT NOT NULL
) STRICT;

-- The playground's messages, and the number of the last change to any of them.
CREATE TABLE chat_messages (
  id TEXT PRIMARY KEY,
  posting_key TEXT NOT NULL UNIQUE,
  channel TEXT NOT NULL,
  thread TEXT,
  author TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  deleted_at INTEGER,
  revision INTEGER NOT NULL
) STRICT;
CREATE INDEX chat_changes ON chat_messages (revision);
CREATE INDEX chat_newest ON chat_messages (created_at);
CREATE TABLE chat_revision (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  revision INTEGER NOT NULL
) STRICT;
INSERT INTO chat_revision VALUES (1, 0);

-- Which process holds the database.
CREATE TABLE gateway (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  pid INTEGER NOT NULL,
  since INTEGER NOT NULL
) STRICT;
