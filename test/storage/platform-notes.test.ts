// The contract of platform notes, held by SQLite on a real file.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { openDatabase } from "../../src/storage/database.ts";
import { createPlatformNotes } from "../../src/storage/platform-notes.ts";
import { platformNotesContract } from "../contracts/platform-notes.ts";

platformNotesContract("SQLite", async () => {
  const folder = await mkdtemp(join(tmpdir(), "earshot-notes-"));
  const path = join(folder, "earshot.db");
  let database = openDatabase(path);
  onTestFinished(async () => {
    database.close();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    notes: createPlatformNotes(database, "teams"),
    other: createPlatformNotes(database, "slack"),
    async reopened() {
      database.close();
      database = openDatabase(path);
      return createPlatformNotes(database, "teams");
    },
  };
});
