// What the buttons under an answer do, and for whom, with the real stores on a real file.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JobRequest } from "../../src/core/job.ts";
import { ACTION_NAMES, type ActionName, type Actor, type Reception } from "../../src/core/ports.ts";
import { createPress } from "../../src/core/press.ts";
import { FORMATS } from "../../src/core/settings.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { createSettingsStore } from "../../src/storage/settings.ts";
import { createTranscriptStore } from "../../src/storage/transcripts.ts";
import { place, segmentOf, storedOf } from "../support/stored-transcript.ts";

const ann: Actor = { user: "ann", isAdmin: false, roles: [] };
const bob: Actor = { user: "bob", isAdmin: false, roles: [] };
const standup = storedOf([segmentOf({ text: " Hallo." })], { language: "de" });

function bench() {
  const folder = mkdtempSync(join(tmpdir(), "earshot-press-"));
  const database = openDatabase(join(folder, "earshot.db"));
  const queue = createQueue(database);
  const settings = createSettingsStore(database);
  const transcripts = createTranscriptStore(database);
  const asked: JobRequest[] = [];
  let woken = 0;
  const press = createPress({
    ...{ queue, settings, transcripts },
    intake: {
      posted: async () => ({ kind: "ignored" }),
      ask: async (_recording, request): Promise<Reception> => {
        asked.push(request);
        if (asked.length > 2) return { kind: "refused", reply: { kind: "words", text: "too much" } };
        return { kind: asked.length === 1 ? "added" : "duplicate", jobId: "2" };
      },
      cancel: (jobId) => queue.cancel(jobId),
    },
    status: { conclude: async () => Promise.reject(new Error("no job here has a status")) },
    wake: () => woken++,
  });
  return {
    ...{ queue, settings, transcripts, asked },
    woken: () => woken,
    press: (action: ActionName, jobId: string, actor = ann, where = place) =>
      press({ action, jobId, actor, place: where }),
    async added() {
      return (await queue.add(standup.recording, {})).job.id;
    },
    async kept() {
      const jobId = await this.added();
      const claimed = await queue.claim("w1", 60_000, "any");
      if (claimed === undefined) throw new Error("nothing to claim");
      await transcripts.save({ ...standup, jobId });
      await queue.settle(claimed, { kind: "done" });
      return jobId;
    },
    close() {
      database.close();
      rmSync(folder, { recursive: true });
    },
  };
}

let at: ReturnType<typeof bench>;
beforeEach(() => {
  at = bench();
});
afterEach(() => at.close());

describe("a button", () => {
  it.each(FORMATS)("%s gives that file", async (format) => {
    const reply = await at.press(format, await at.kept(), bob);
    expect(reply).toMatchObject({ kind: "file", file: { name: `standup.${format}` } });
  });

  it.each(ACTION_NAMES)("%s says so when nothing is left of the recording", async (action) => {
    expect(await at.press(action, "ffffff")).toMatchObject({
      kind: "words",
      text: expect.stringMatching(/deleted|knows nothing/),
    });
  });

  it("translate asks for a translation, once", async () => {
    const jobId = await at.kept();
    expect(await at.press("translate", jobId)).toBeUndefined();
    expect(await at.press("translate", jobId)).toMatchObject({ text: expect.stringContaining("already taken") });
    expect(await at.press("translate", jobId)).toEqual({ kind: "words", text: "too much" });
    expect(at.asked[0]).toEqual({ translate: true });
  });

  it("delete is for the one who sent it and for those who may change the channel, wherever the button stands", async () => {
    await at.settings.change(place, "channel", { editors: "admins" }, "root");
    const jobId = await at.kept();
    const open = { ...place, channel: "D1" };
    expect(await at.press("delete", jobId, bob, open)).toMatchObject({ text: expect.stringMatching(/^Only the one/) });
    expect(await at.transcripts.get(jobId)).toBeDefined();
    expect(await at.press("delete", jobId, ann, open)).toMatchObject({
      text: expect.stringContaining("deleted for good"),
    });
    expect(await at.transcripts.get(jobId)).toBeUndefined();
    expect(await at.press("delete", await at.kept(), { ...bob, isAdmin: true })).toMatchObject({ kind: "words" });
  });

  it("cancel and retry change the job, when it is in a state for it", async () => {
    await at.settings.change(place, "channel", { editors: "admins" }, "root");
    const jobId = await at.added();
    expect(await at.press("cancel", jobId, bob)).toMatchObject({ text: expect.stringMatching(/^Only the one/) });
    expect(await at.press("retry", jobId)).toMatchObject({ kind: "words" });
    expect(await at.press("cancel", jobId)).toBeUndefined();
    expect((await at.queue.get(jobId))?.state).toBe("cancelled");
    expect(await at.press("cancel", jobId)).toMatchObject({ text: "It has ended already." });
    expect(await at.press("retry", jobId)).toBeUndefined();
    expect((await at.queue.get(jobId))?.state).toBe("queued");
    expect(at.woken()).toBe(1);
  });
});
