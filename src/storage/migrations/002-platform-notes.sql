-- What the adapters of chat platforms keep across restarts, such as where a conversation is answered. JSON values.
CREATE TABLE platform_notes (
  platform TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  written_at INTEGER NOT NULL,
  PRIMARY KEY (platform, key)
) STRICT, WITHOUT ROWID;
