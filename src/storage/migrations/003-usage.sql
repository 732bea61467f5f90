-- What each job takes of its day's minutes. A day is the number of days since 1970, UTC.

CREATE TABLE usage (
  job_id TEXT PRIMARY KEY,
  day INTEGER NOT NULL,
  platform TEXT NOT NULL,
  workspace TEXT NOT NULL,
  channel TEXT NOT NULL,
  user TEXT NOT NULL,
  -- As announced, or 0 where nobody told; as it really is once it was measured.
  seconds REAL NOT NULL,
  is_measured INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_of_workspace ON usage (platform, workspace, day, channel, user, seconds);
CREATE INDEX usage_days ON usage (day);
