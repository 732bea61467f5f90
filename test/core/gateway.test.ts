// Intake, worker and run-job together over a real database: what people see when all goes well, and when something fails.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InferenceError, PlatformError, UserError } from "../../src/core/errors.ts";
import { createGateway, type Gateway } from "../../src/core/gateway.ts";
import type { Job } from "../../src/core/job.ts";
import type { GatewayEvent, Transcriber, TranscriberOptions } from "../../src/core/ports.ts";
import type { Recording } from "../../src/core/recording.ts";
import type { Segment, Way } from "../../src/core/transcript.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { createGlossaryStore } from "../../src/storage/glossary.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { createSettingsStore } from "../../src/storage/settings.ts";
import { createTranscriptStore } from "../../src/storage/transcripts.ts";
import { platformContract } from "../contracts/platform.ts";
import { createFakePlatform, type FakePlatform } from "../support/fake-platform.ts";

platformContract("the fake of the tests", async () => createFakePlatform());

const segment = (id: number, text: string): Segment => ({
  ...{ id, seek: id * 3000, start: id * 30, end: (id + 1) * 30, text, tokens: [id] },
  ...{ temperature: 0, avgLogprob: -0.1, compressionRatio: 1, noSpeechProb: 0 },
});

/** One word a window of 30 s; each window waits for `step`. */
interface FakeTranscriber extends Transcriber {
  words: readonly string[];
  step: (word: string, signal: AbortSignal) => Promise<void>;
  /** Every word that was "decoded", in order. */
  readonly decoded: string[];
  readonly prompts: string[];
  readonly asked: TranscriberOptions[];
}

function createFakeTranscriber(): FakeTranscriber {
  const fake: FakeTranscriber = {
    words: ["one", "two", "three"],
    step: async () => {},
    decoded: [],
    prompts: [],
    asked: [],
    async transcribe(_path, options, on, signal) {
      const { initialPrompt, resume } = options;
      fake.prompts.push(initialPrompt);
      fake.asked.push(options);
      const segments = [...(resume?.segments ?? [])];
      const duration = fake.words.length * 30;
      on.progress(segments.length * 30, duration);
      for (const [id, word] of fake.words.entries()) {
        if (id < segments.length) continue;
        signal.throwIfAborted();
        await fake.step(word, signal);
        fake.decoded.push(word);
        const next = segment(id, ` ${word}`);
        segments.push(next);
        on.progress((id + 1) * 30, duration);
        await on.window([next], { next: id + 1 });
      }
      const text = segments.map((one) => one.text).join("");
      return { text, segments, language: "en", duration, ...(await fake.engine("demo")) };
    },
    engine: async (model) => ({ model, device: "cpu", notes: [] }),
    close: async () => {},
  };
  return fake;
}

let folder: string;
let database: ReturnType<typeof openDatabase>;
let fake: FakePlatform;
let transcriber: FakeTranscriber;
let gateway: Gateway;
let events: GatewayEvent[];
let stores: ReturnType<typeof openStores>;
const LIMITS = { bytes: 1000, durationSeconds: 3600 };
const BYTES = new Uint8Array([1, 2, 3]);

function openStores() {
  return {
    queue: createQueue(database),
    settings: createSettingsStore(database),
    glossary: createGlossaryStore(database),
    transcripts: createTranscriptStore(database),
  };
}

/** A gateway over the folder's database, as after a start. */
async function startGateway(more: { readonly way?: Way } = {}): Promise<void> {
  database = openDatabase(join(folder, "earshot.db"));
  stores = openStores();
  gateway = createGateway({
    ...stores,
    ...more,
    name: "test",
    transcriber,
    tokens: () => ({ budget: 160, count: async (text: string) => text.split(/\s+/).filter(Boolean).length }),
    platform: () => fake.platform,
    models: ["demo"],
    model: "demo",
    cloudPricePerMinute: 0.006,
    folder,
    limits: LIMITS,
    lanes: ["short", "any"],
    leaseMs: 1000,
    observe: (event) => void events.push(event),
    now: Date.now,
    // Waits of half a backoff at the least, so that a test knows what to expect.
    random: () => 0,
  });
  await fake.platform.listen(gateway.listener, new AbortController().signal);
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-gateway-"));
  fake = createFakePlatform();
  transcriber = createFakeTranscriber();
  events = [];
  await startGateway();
});
afterEach(async () => {
  await gateway.stop(0);
  database.close();
  await rm(folder, { recursive: true, force: true });
});

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

const jobs = () => stores.queue.list({ limit: 100 });
async function ended(): Promise<Job> {
  await expect
    .poll(async () => (await jobs()).every(({ state }) => !["queued", "running"].includes(state)), { timeout: 20_000 })
    .toBe(true);
  const [job] = await jobs();
  if (job === undefined) throw new Error("There is no job.");
  return job;
}
/** What stands under a message. */
const under = async (id: string) => (await fake.visible()).filter(({ answers }) => answers === id);
const kinds = () => events.map(({ kind }) => kind);

describe("a recording", () => {
  it("gets a status at once, and the answer in its place", async () => {
    const release = gate();
    transcriber.step = () => release.opened;
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    await expect.poll(() => under(id)).toMatchObject([{ text: expect.stringMatching(/^Transcribing/) }]);
    const [{ id: statusId } = { id: "" }] = await under(id);
    release.open();
    await ended();
    expect(await under(id)).toMatchObject([{ id: statusId, text: expect.stringContaining("one two three") }]);
    expect(kinds()).toEqual(["job_added", "job_started", "job_done"]);
    // The recording is not kept.
    expect((await readdir(folder)).filter((file) => file.endsWith(".media"))).toEqual([]);
  });

  it("that must wait is told so", async () => {
    const id = await fake.postVoiceMessage(BYTES);
    await expect.poll(() => under(id)).toMatchObject([{ text: expect.stringMatching(/waiting/) }]);
    gateway.start();
    await ended();
    expect(await under(id)).toMatchObject([{ text: expect.stringContaining("one two three") }]);
  });

  it("that comes twice is answered once", async () => {
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    await fake.redeliver?.();
    await ended();
    await fake.redeliver?.();
    expect(await jobs()).toHaveLength(1);
    expect(await under(id)).toHaveLength(1);
  });

  it("is heard with the channel's words, and what is misheard is put right", async () => {
    transcriber.words = ["we use cube control"];
    await fake.command("/jargon add Qavylow");
    await fake.command("/jargon pairs add cube control = kubectl");
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    await ended();
    expect(transcriber.prompts).toEqual([expect.stringContaining("Qavylow")]);
    expect((await under(id))[0]?.text).toContain("we use kubectl");
  });

  it("goes the way that the operator chose, or the engine's own", async () => {
    gateway.start();
    await fake.postVoiceMessage(BYTES);
    await ended();
    await gateway.stop(0);
    database.close();
    await startGateway({ way: "batched" });
    gateway.start();
    await fake.postVoiceMessage(BYTES);
    await expect.poll(() => transcriber.asked.map(({ way }) => way)).toEqual([undefined, "batched"]);
  });

  it("is heard for word times and speakers, in the languages that are usual in the channel, and read as it wants", async () => {
    gateway.start();
    transcriber.words = ["um, we have twenty five percent"];
    const heardOnce = async () => {
      const id = await fake.postVoiceMessage(BYTES);
      await ended();
      return (await under(id))[0]?.text;
    };
    expect(await heardOnce()).toContain("we have 25%");
    expect(transcriber.asked[0]).toMatchObject({ wordTimes: true, speakerTracks: "auto", usualLanguages: [] });
    expect(transcriber.asked[0]).not.toHaveProperty("languagePerWindow");
    await heardOnce();
    await stores.settings.change(placeC, "channel", { verbatim: true, mixed: true, tracks: "off" }, "U1");
    expect(await heardOnce()).toContain("um, we have twenty five percent");
    expect(transcriber.asked[2]).toMatchObject({ languagePerWindow: true, speakerTracks: "off" });
    await stores.settings.change(placeC, "channel", { mixed: false }, "U1");
    await heardOnce();
    expect(transcriber.asked[3]).toMatchObject({ usualLanguages: ["en"] });
    // A given language needs no guess.
    await stores.settings.change(placeC, "channel", { languages: ["de"], mixed: true }, "U1");
    await heardOnce();
    for (const name of ["usualLanguages", "languagePerWindow"]) expect(transcriber.asked[4]).not.toHaveProperty(name);
  });

  it("without a word says so and invents nothing", async () => {
    transcriber.words = [];
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    await ended();
    expect((await under(id))[0]?.text).toMatch(/^\nNo speech found in/);
  });

  it("that was not asked for is only remembered", async () => {
    await stores.settings.change(placeC, "channel", { auto: "off" }, "U1");
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    expect(await jobs()).toEqual([]);
    await fake.command("/transcribe latest");
    await ended();
    expect((await fake.visible()).some(({ text }) => text.includes("one two three"))).toBe(true);
    expect(await under(id)).toEqual([]);
  });

  it("that is too large is refused with the limit, before any work", async () => {
    const reception = await fake.listener().recording({ ...recordingC, bytes: 1001 });
    expect(reception).toMatchObject({ kind: "refused", reply: { text: expect.stringContaining("at most") } });
    expect(await jobs()).toEqual([]);
  });

  it("that proves too long only in the file is refused then", async () => {
    transcriber.words = Array.from({ length: 121 }, () => "word");
    transcriber.step = async (_word, signal) => signal.throwIfAborted();
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    expect(await ended()).toMatchObject({ state: "failed", failure: { code: "too_long" } });
    expect((await under(id))[0]?.text).toContain("1:00:00");
  });
});

const placeC = {
  platform: "playground",
  workspace: "W",
  channel: "C",
  isDirect: false,
  message: "m0",
  user: "U1",
  reach: "thread",
} as const;
const recordingC: Recording = {
  key: "fake/m0",
  place: placeC,
  kind: "voice message",
  name: "m0.ogg",
  source: { id: "m0" },
};

describe("what passes", () => {
  it.each([
    ["a platform that is away", () => new PlatformError("unavailable", "502", { retryAfterMs: 10 })],
    ["a platform that asks to wait", () => new PlatformError("rate_limited", "429", { retryAfterMs: 10 })],
  ])("is tried again: %s while downloading", async (_name, failure) => {
    let left = 2;
    fake.beforeDownload = () => {
      if (left-- > 0) throw failure();
    };
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    expect(await ended()).toMatchObject({ state: "done", attempt: 3 });
    expect(await under(id)).toMatchObject([{ text: expect.stringContaining("one two three") }]);
    expect(kinds().filter((kind) => kind === "job_retried")).toHaveLength(2);
  });

  it("keeps the transcript while the platform does not take the answer, and delivers it later", async () => {
    let left = 3;
    fake.beforeReply = (reply) => {
      if (reply.kind === "answer" && left-- > 0) throw new PlatformError("unavailable", "503", { retryAfterMs: 10 });
    };
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    expect(await ended()).toMatchObject({ state: "done" });
    expect(transcriber.decoded).toEqual(["one", "two", "three"]);
    expect(await under(id)).toMatchObject([{ text: expect.stringContaining("one two three") }]);
  });

  it("does not wait for a status that cannot be posted", async () => {
    fake.beforeReply = (reply) => {
      if (reply.kind === "status") throw new PlatformError("rate_limited", "429", { retryAfterMs: 10 });
    };
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    expect(await ended()).toMatchObject({ state: "done", attempt: 1 });
    expect(await under(id)).toHaveLength(1);
  });

  it("goes on from the last window when the engine dies", async () => {
    let deaths = 1;
    transcriber.step = async (word) => {
      if (word === "three" && deaths-- > 0) throw new InferenceError("child_died", "SIGKILL");
    };
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    expect(await ended()).toMatchObject({ state: "done", attempt: 2 });
    expect(transcriber.decoded).toEqual(["one", "two", "three"]);
    expect((await under(id))[0]?.text).toContain("one two three");
  });

  it("answers anew when somebody deleted the status", async () => {
    const release = gate();
    transcriber.step = () => release.opened;
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    await expect.poll(() => under(id)).toHaveLength(1);
    const [status] = await under(id);
    await fake.deleteMessage(status?.id ?? "");
    release.open();
    expect(await ended()).toMatchObject({ state: "done" });
    expect(await under(id)).toMatchObject([{ text: expect.stringContaining("one two three") }]);
  });
});

describe("what does not pass", () => {
  it.each([
    ["gone", new PlatformError("gone", "404"), /not there any more/],
    ["forbidden", new PlatformError("forbidden", "403"), /not allowed/],
    ["unauthorized", new PlatformError("unauthorized", "401"), /renew its access/],
  ])("is told at once, with the job's id: %s", async (code, error, words) => {
    fake.beforeDownload = () => {
      throw error;
    };
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    const job = await ended();
    expect(job).toMatchObject({ state: "failed", attempt: 1, failure: { code } });
    const [told] = await under(id);
    expect(told?.text).toMatch(words);
    expect(told?.text).toContain(job.id);
  });

  it("is told in the error's own words when the user can mend it", async () => {
    transcriber.step = async () => {
      const [job] = await jobs();
      throw new UserError("no_audio", `There is no sound in ${job?.steps.mediaPath}. Send a recording that has some.`);
    };
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    expect(await ended()).toMatchObject({ state: "failed", failure: { code: "no_audio" } });
    expect((await under(id))[0]?.text).toContain(`There is no sound in ${id}.ogg. Send a recording that has some.`);
    expect((await under(id))[0]?.text).not.toContain(folder);
  });

  it("sets a recording aside that kills the engine twice, and the next one is served", async () => {
    transcriber.step = async (word) => {
      if (word === "poison") throw new InferenceError("child_died", "SIGSEGV");
    };
    transcriber.words = ["poison"];
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    expect(await ended()).toMatchObject({ state: "failed", attempt: 2, failure: { code: "child_died" } });
    expect((await under(id))[0]?.text).toMatch(/Try again/);
    transcriber.words = ["fine"];
    const next = await fake.postVoiceMessage(BYTES);
    await ended();
    expect((await under(next))[0]?.text).toContain("fine");
  });

  it("takes a bug for one after three attempts, and tells the user and the log", async () => {
    transcriber.step = async () => {
      throw new TypeError("undefined is not a function");
    };
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    expect(await ended()).toMatchObject({ state: "failed", attempt: 3, failure: { code: "bug" } });
    expect((await under(id))[0]?.text).not.toContain("undefined");
    await expect.poll(() => events.at(-1)).toMatchObject({ kind: "job_failed", error: expect.any(TypeError) });
  });

  it("can be tried again by its button", async () => {
    let broken = true;
    transcriber.step = async () => {
      if (broken) throw new InferenceError("model_missing", "not here");
    };
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    const { id: jobId } = await ended();
    broken = false;
    const [failure] = await under(id);
    await fake.press(failure?.id ?? "", "retry", jobId);
    await expect.poll(async () => (await stores.queue.get(jobId))?.state, { timeout: 10_000 }).toBe("done");
    expect(await under(id)).toMatchObject([{ text: expect.stringContaining("one two three") }]);
  });
});

describe("cancelling", () => {
  it("ends a running job within its heartbeat and says so", async () => {
    transcriber.step = async (_word, signal) => {
      await sleep(60_000, undefined, { signal }).catch(() => undefined);
      signal.throwIfAborted();
    };
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    await expect.poll(async () => (await jobs())[0]?.state).toBe("running");
    const [{ id: jobId } = { id: "" }] = await jobs();
    await expect.poll(() => under(id)).toHaveLength(1);
    await fake.press((await under(id))[0]?.id ?? "", "cancel", jobId);
    await expect
      .poll(() => under(id), { timeout: 5000 })
      .toMatchObject([{ text: expect.stringContaining("cancelled") }]);
    expect(kinds()).toContain("job_cancelled");
  });

  it("ends a waiting job, and deleting the recording's message does the same", async () => {
    const id = await fake.postVoiceMessage(BYTES);
    await expect.poll(() => under(id)).toHaveLength(1);
    await fake.deleteMessage(id);
    expect((await jobs()).map(({ state }) => state)).not.toContain("queued");
  });
});

describe("deleting", () => {
  it("takes the transcript and the answer away, also where the message itself is gone", async () => {
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    const { id: jobId } = await ended();
    const [answer] = await under(id);
    await fake.press(answer?.id ?? "", "delete", jobId);
    expect(await under(id)).toMatchObject([{ id: answer?.id, text: expect.stringContaining("deleted for good") }]);
    expect((await under(id))[0]?.text).not.toContain("one two three");
    expect(await stores.transcripts.get(jobId)).toBeUndefined();
  });
});

describe("stopping", () => {
  it("gives back what runs, and the next start goes on from its last window to one answer", async () => {
    transcriber.step = async (word, signal) => {
      if (word !== "three") return;
      await sleep(60_000, undefined, { signal }).catch(() => undefined);
      signal.throwIfAborted();
    };
    gateway.start();
    const id = await fake.postVoiceMessage(BYTES);
    await expect.poll(() => transcriber.decoded).toEqual(["one", "two"]);
    await gateway.stop(50);
    expect(await jobs()).toMatchObject([{ state: "queued", attempt: 0 }]);
    database.close();
    transcriber.step = async () => {};
    await startGateway();
    gateway.start();
    expect(await ended()).toMatchObject({ state: "done", attempt: 1 });
    expect(transcriber.decoded).toEqual(["one", "two", "three"]);
    expect(await under(id)).toMatchObject([{ text: expect.stringContaining("one two three") }]);
  });

  it("lets a short job end within the grace", async () => {
    transcriber.step = () => sleep(20);
    gateway.start();
    await fake.postVoiceMessage(BYTES);
    await expect.poll(async () => (await jobs())[0]?.state).toBe("running");
    await gateway.stop(10_000);
    expect(await jobs()).toMatchObject([{ state: "done" }]);
  });
});
