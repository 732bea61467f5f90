// Transcripts: saved once, found by their words, and forgotten so that no byte is left.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JobQueue, StoredTranscript, TranscriptStore } from "../../src/core/ports.ts";
import type { Recording } from "../../src/core/recording.ts";
import { createAudit } from "../../src/storage/audit.ts";
import { type Database, openDatabase } from "../../src/storage/database.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { createSettingsStore } from "../../src/storage/settings.ts";
import { createTranscriptStore } from "../../src/storage/transcripts.ts";
import { recordingOf, segmentOf } from "../contracts/queue.ts";

const DAY_MS = 24 * 3600 * 1000;

let folder: string;
let database: Database;
let queue: JobQueue;
let transcripts: TranscriptStore;
let time = 1_800_000_000_000;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-transcripts-"));
  database = openDatabase(join(folder, "earshot.db"), { now: () => time });
  queue = createQueue(database);
  transcripts = createTranscriptStore(database);
});
afterEach(async () => {
  database.close();
  await rm(folder, { recursive: true, force: true });
});

function transcriptOf(jobId: string, recording: Recording, texts: readonly string[]): StoredTranscript {
  return {
    text: texts.join(""),
    segments: texts.map((text, id) => segmentOf(id, text)),
    language: "en",
    duration: texts.length * 5,
    jobId,
    recording,
    plan: { model: "auto", task: "transcribe", initialPrompt: "" },
    model: "tiny",
    device: "cpu",
    createdAtMs: time,
    waitMs: 1500,
    notes: ["It was the demo model."],
  };
}

/** Through the queue, as a worker does it. */
async function transcribed(recording: Recording, texts: readonly string[], waitMs = 1500): Promise<StoredTranscript> {
  await queue.add(recording, {});
  const job = await queue.claim("w", 1000, "any");
  if (job === undefined) throw new Error("nothing to claim");
  await queue.append(
    job,
    texts.map((text, id) => segmentOf(id, text)),
    { text: texts },
  );
  const transcript = { ...transcriptOf(job.id, recording, texts), waitMs };
  await transcripts.save(transcript);
  await queue.settle(job, { kind: "done" });
  return transcript;
}

async function found(words: string, recording: Recording): Promise<string[]> {
  const hits = await transcripts.search(recording.place, words, 20);
  return hits.map(({ excerpt }) => excerpt.replaceAll("\u0002", "[").replaceAll("\u0003", "]"));
}

/** Everything that lies in the folder, as one text. */
function bytes(): string {
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), "latin1"))
    .join("");
}

describe("a transcript", () => {
  it("comes back as it was saved; the newest of a channel is the latest", async () => {
    const first = await transcribed(recordingOf({ channel: "A" }), [" Hello there.", " Again."]);
    time += 1000;
    const second = await transcribed(recordingOf({ channel: "A" }), [" Later."]);
    await transcribed(recordingOf({ channel: "B" }), [" Elsewhere."]);
    expect(await transcripts.get(first.jobId)).toEqual(first);
    expect(await transcripts.latest(first.recording.place)).toEqual(second);
    expect(await transcripts.get("nosuch")).toBeUndefined();
    expect(await transcripts.latest({ ...first.recording.place, channel: "Z" })).toBeUndefined();
  });

  it("is saved once, and only for a job that still runs", async () => {
    const recording = recordingOf();
    const { job } = await queue.add(recording, {});
    await transcripts.save(transcriptOf(job.id, recording, [" Nobody works on it."]));
    expect(await transcripts.get(job.id)).toBeUndefined();
    await queue.claim("w", 1000, "any");
    await transcripts.save(transcriptOf(job.id, recording, [" One."]));
    await transcripts.save(transcriptOf(job.id, recording, [" Two."]));
    expect((await transcripts.get(job.id))?.text).toBe(" One.");
    expect(await found("two", recording)).toEqual([]);
  });

  it("tells what a channel's last recordings were in, once there are some", async () => {
    const spoken = async (language: string, channel = "A") => {
      time += 1000;
      const recording = recordingOf({ channel });
      await queue.add(recording, {});
      const job = await queue.claim("w", 1000, "any");
      if (job === undefined) throw new Error("nothing to claim");
      await transcripts.save({ ...transcriptOf(job.id, recording, [" a"]), language });
      await queue.settle(job, { kind: "done" });
    };
    const usual = (channel = "A") => transcripts.usualLanguages(recordingOf({ channel }).place);
    for (const language of ["de", "de"]) await spoken(language);
    expect(await usual()).toEqual([]);
    for (const language of ["de", "en", "cy", "de", "en", "de"]) await spoken(language);
    // Two of eight are a quarter, one of eight is not a fifth.
    expect(await usual()).toEqual(["de", "en"]);
    expect(await usual("B")).toEqual([]);
    for (let i = 0; i < 20; i++) await spoken("fr");
    expect(await usual()).toEqual(["fr"]);
  });

  it("counts in the workspace's hours and waits", async () => {
    const start = time;
    expect(await transcripts.stats({ platform: "playground", workspace: "W" }, 0)).toEqual({
      recordings: 0,
      audioSeconds: 0,
      medianWaitMs: undefined,
    });
    for (const waitMs of [9000, 1000, 2000]) await transcribed(recordingOf(), [" a", " b"], waitMs);
    const of = (sinceMs: number) => transcripts.stats({ platform: "playground", workspace: "W" }, sinceMs);
    expect(await of(start)).toEqual({ recordings: 3, audioSeconds: 30, medianWaitMs: 2000 });
    await transcribed(recordingOf(), [" a"], 4000);
    expect((await of(start)).medianWaitMs).toBe(3000);
    expect((await of(start + 1)).recordings).toBe(0);
  });
});

describe("search", () => {
  it("finds all words in one segment, the last by its beginning, whatever the accents and case", async () => {
    const { recording } = await transcribed(recordingOf(), [" Le café ouvre demain.", " Le bateau ferme demain."]);
    expect(await found("CAFE demain", recording)).toEqual(["Le [café] ouvre [demain]."]);
    expect(await found("dem", recording)).toHaveLength(2);
    expect(await found("caf demain", recording)).toEqual([]);
    expect(await found("café bateau", recording)).toEqual([]);
    const [hit] = await transcripts.search(recording.place, "bateau", 1);
    expect(hit).toMatchObject({ recording, start: 5, createdAtMs: time });
  });

  it("keeps to the channel, newest recording first, each from its beginning", async () => {
    const older = await transcribed(recordingOf({ channel: "A" }), [" boat one", " boat two"]);
    await transcribed(recordingOf({ channel: "B" }), [" boat of others"]);
    await transcribed(recordingOf({ channel: "A" }), [" boat three"]);
    expect(await found("boat", older.recording)).toEqual(["[boat] three", "[boat] one", "[boat] two"]);
    expect(await transcripts.search(older.recording.place, "boat", 1)).toHaveLength(1);
    expect(await transcripts.search({ ...older.recording.place, workspace: "X" }, "boat", 9)).toEqual([]);
    // The channel's own word in the index is no word of its transcripts.
    expect(await found("c1", older.recording)).toEqual([]);
  });

  it("finds words in scripts that put no spaces between them", async () => {
    const { recording } = await transcribed(recordingOf(), ["明日は東京で会議があります"]);
    expect(await found("東京", recording)).toEqual(["明日は[東京]で会議があります"]);
    expect(await found("京東", recording)).toEqual([]);
  });

  it("takes whatever people type", async () => {
    const { recording } = await transcribed(recordingOf(), [' He said "NEAR the AND boat" - c++ (really)*']);
    for (const words of [
      '"near',
      "AND",
      "boat*",
      "(really",
      "c++",
      "words:boat",
      "-boat",
      "^he",
      "he OR",
      '""',
      "NEAR(a b)",
    ]) {
      await expect(found(words, recording)).resolves.toBeInstanceOf(Array);
    }
    expect(await found('"near the', recording)).toHaveLength(1);
    expect(await found(" ?! ", recording)).toEqual([]);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 30 }), async (words) => {
        await transcripts.search(recording.place, words, 5);
      }),
      { numRuns: 300 },
    );
  });
});

describe("forget", () => {
  const SECRET = "zanzibarquux";

  it("leaves no byte of a recording, in no file", async () => {
    const recording = recordingOf({ name: `${SECRET}-name.ogg` });
    const others: StoredTranscript[] = [];
    // Enough around it that pages are split and index segments merged.
    for (let i = 0; i < 60; i++) {
      others.push(
        await transcribed(
          recordingOf(),
          Array.from({ length: 20 }, (_, n) => ` word${i} filler${n} alpha beta`),
        ),
      );
      if (i === 30) await transcribed(recording, [` The ${SECRET} is here.`, ` Again ${SECRET}.`]);
    }
    expect(bytes()).toContain(SECRET);
    const [job] = (await queue.list({ limit: 100 })).filter((one) => one.recording.key === recording.key);
    expect(await transcripts.forget({ jobId: job?.id ?? "" }, "U1")).toBe(1);
    expect(bytes()).not.toContain(SECRET);
    // The index keeps beginnings of words as well.
    expect(bytes()).not.toContain(SECRET.slice(0, 8));
    expect(await queue.get(job?.id ?? "")).toBeUndefined();
    expect(await found(SECRET, recording)).toEqual([]);
    expect(await found("filler3", recording)).not.toEqual([]);
    expect(await transcripts.get(others[0]?.jobId ?? "")).toEqual(others[0]);
    expect(database.prepare<[], object>("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
    database.prepare<[]>("INSERT INTO segment_words (segment_words, rank) VALUES ('integrity-check', 1)").run();
    expect((await queue.add(recording, {})).kind).toBe("added");
  });

  it("takes a message's recordings, asked for or not, and stops the work on them", async () => {
    const media = join(folder, "media.ogg");
    await writeFile(media, SECRET);
    const kept = await transcribed(recordingOf(), [" kept"]);
    const recording = recordingOf({ name: `${SECRET}.ogg` });
    const message = recording.place.message ?? "";
    const second = { ...recordingOf({ name: `${SECRET}-2.ogg` }), place: recording.place };
    await queue.add(recording, {});
    const job = await queue.claim("w", 1000, "any");
    if (job === undefined) throw new Error("nothing to claim");
    await queue.note(job, { mediaPath: media });
    await queue.append(job, [segmentOf(0, SECRET)], { text: SECRET });
    await queue.saw(second);
    expect(await transcripts.forget({ scope: recording.place, message }, "U1")).toBe(0);
    expect(bytes()).not.toContain(SECRET);
    expect(existsSync(media)).toBe(false);
    expect(await queue.latest(recording.place)).toEqual(kept.recording);
    // The worker that still runs cannot bring it back.
    await transcripts.save(transcriptOf(job.id, recording, [SECRET]));
    expect(await queue.append(job, [segmentOf(1, SECRET)], 1)).toBe(false);
    expect(await queue.settle(job, { kind: "done" })).toBe(false);
    expect(bytes()).not.toContain(SECRET);
  });

  it("takes all of a channel and nothing of another", async () => {
    await transcribed(recordingOf({ channel: "A" }), [` ${SECRET}`]);
    const one = await transcribed(recordingOf({ channel: "A" }), [` ${SECRET}`]);
    const other = await transcribed(recordingOf({ channel: "B" }), [" stays"]);
    expect(await transcripts.forget({ scope: one.recording.place }, "U9")).toBe(2);
    expect(bytes()).not.toContain(SECRET);
    expect(await transcripts.latest(one.recording.place)).toBeUndefined();
    expect(await queue.latest(one.recording.place)).toBeUndefined();
    expect(await transcripts.get(other.jobId)).toEqual(other);
    expect(createAudit(database).list(1)).toEqual([
      {
        atMs: time,
        by: "U9",
        platform: "playground",
        workspace: "W",
        channel: "A",
        what: "forgot all of the channel: 2 transcripts",
      },
    ]);
    expect(await transcripts.forget({ jobId: "nosuch" }, "U9")).toBe(0);
  });
});

describe("retention", () => {
  it("deletes what is older than the channel's days, else the workspace's, and nothing without", async () => {
    const settings = createSettingsStore(database);
    const made = {
      own: await transcribed(recordingOf({ channel: "own", name: "gone-with-it.ogg" }), [" goodbye"]),
      inherited: await transcribed(recordingOf({ channel: "inherited" }), [" a"]),
    };
    const elsewhere = recordingOf();
    const free = await transcribed({ ...elsewhere, place: { ...elsewhere.place, workspace: "W2" } }, [" b"]);
    await settings.change(made.own.recording.place, "workspace", { retentionDays: 90 }, "U1");
    await settings.change(made.own.recording.place, "channel", { retentionDays: 7 }, "U1");
    expect(await transcripts.expire(time + 7 * DAY_MS)).toBe(0);
    expect(await transcripts.expire(time + 8 * DAY_MS)).toBe(1);
    expect(await transcripts.get(made.own.jobId)).toBeUndefined();
    expect(await queue.get(made.own.jobId)).toBeUndefined();
    expect(await queue.latest(made.own.recording.place)).toBeUndefined();
    expect(bytes()).not.toContain("gone-with-it");
    expect(createAudit(database).list(1)).toMatchObject([{ by: "retention", channel: "own" }]);
    expect(await transcripts.expire(time + 91 * DAY_MS)).toBe(1);
    expect(await transcripts.get(made.inherited.jobId)).toBeUndefined();
    expect(await transcripts.get(free.jobId)).toEqual(free);
  });
});
