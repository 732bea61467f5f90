// What the world does to the gateway: platforms that are away for hours, a clock that is set, a database that is locked.
// Over a real database; only the platform, the engine and the time are fakes.
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PlatformError, UserError } from "../../src/core/errors.ts";
import type { Lane } from "../../src/core/ports.ts";
import { createRetention } from "../../src/core/retention.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { recordingOf } from "../contracts/queue.ts";
import { createFakePlatform, type FakePlatform } from "../support/fake-platform.ts";
import { createFakeTranscriber, type FakeTranscriber, spoken } from "../support/fake-transcriber.ts";
import { startPlatformGateway } from "../support/platform-gateway.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

let data: string;
let fake: FakePlatform;
let transcriber: FakeTranscriber;
let clock: { wallMs: number; steadyMs: number };
let gateway: Awaited<ReturnType<typeof startPlatformGateway>>;

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "earshot-faults-"));
  fake = createFakePlatform();
  transcriber = createFakeTranscriber();
  clock = { wallMs: Date.UTC(2026, 10, 25, 9), steadyMs: 0 };
  await start();
});
afterEach(async () => {
  await gateway.stop(0);
  await rm(data, { recursive: true, force: true });
});

async function start(lanes: readonly Lane[] = ["short", "any"]): Promise<void> {
  gateway = await startPlatformGateway(() => fake.platform, data, transcriber, {
    now: () => clock.wallMs,
    steady: () => clock.steadyMs,
    lookEveryMs: 1,
    leaseMs: 5000,
    lanes,
  });
}

/** Time goes by, as it does. */
function pass(ms: number): void {
  clock.wallMs += ms;
  clock.steadyMs += ms;
}

const newest = async () => {
  const [job] = await gateway.queue.list({ limit: 1 });
  if (job === undefined) throw new Error("There is no job.");
  return job;
};
const isOver = async () => ["done", "failed"].includes((await newest()).state);
const under = async (id: string) => (await fake.visible()).filter(({ answers }) => answers === id);

/** Nothing is left to do now: it has ended, or waits for a later time. */
async function isQuiet(): Promise<boolean> {
  if (await isOver()) return true;
  const dueMs = (await gateway.queue.nextDueMs()) ?? Number.POSITIVE_INFINITY;
  return (await newest()).state === "queued" && dueMs > clock.wallMs;
}

/** Lets time go by in steps until the job has ended, and tells how long it took. */
async function untilOver(mostMs: number, stepMs = 5 * MINUTE_MS): Promise<number> {
  for (let passedMs = 0; ; passedMs += stepMs) {
    await expect.poll(isQuiet, { interval: 1, timeout: 5000 }).toBe(true);
    if (await isOver()) return passedMs;
    if (passedMs > mostMs) throw new Error(`It has not ended after ${passedMs / HOUR_MS} h.`);
    pass(stepMs);
  }
}

const away = () => new PlatformError("unavailable", "The platform does not answer.");

describe("a network that is away", () => {
  it("for an hour while downloading costs nothing but the hour", async () => {
    const backAtMs = clock.wallMs + HOUR_MS;
    fake.beforeDownload = () => {
      if (clock.wallMs < backAtMs) throw away();
    };
    const id = await fake.post(spoken(["Good morning."]));
    const tookMs = await untilOver(3 * HOUR_MS);
    expect(await newest()).toMatchObject({ state: "done" });
    expect(tookMs).toBeLessThan(HOUR_MS + 15 * MINUTE_MS);
    expect(await under(id)).toMatchObject([{ text: expect.stringContaining("Good morning.") }]);
  });

  it("is waited for a day, and then the recording has failed", async () => {
    fake.beforeDownload = () => {
      throw away();
    };
    const id = await fake.post(spoken(["Good morning."]));
    const tookMs = await untilOver(2 * DAY_MS, HOUR_MS);
    expect(tookMs).toBeGreaterThanOrEqual(DAY_MS);
    expect(await newest()).toMatchObject({ state: "failed", failure: { code: "unavailable" } });
    expect((await under(id))[0]?.text).toMatch(/did not answer for a long time.*Try again/s);
  });
});

describe("a platform that takes no answer", () => {
  it("for two days gets it then, once; the recording has long been deleted, and is not heard again", async () => {
    const backAtMs = clock.wallMs + 2 * DAY_MS;
    fake.beforeReply = () => {
      if (clock.wallMs < backAtMs) throw away();
    };
    const id = await fake.post(spoken(["Good morning."]));
    await expect.poll(async () => (await newest()).state).toBe("queued");
    expect((await newest()).steps.isTranscribed).toBe(true);
    expect(await readdir(gateway.folder)).toEqual([]);
    await untilOver(3 * DAY_MS, HOUR_MS);
    expect(await newest()).toMatchObject({ state: "done" });
    expect(transcriber.asked).toHaveLength(1);
    expect(await under(id)).toMatchObject([{ text: expect.stringContaining("Good morning.") }]);
  });

  it("for more than three days has it kept, and gets it when it is asked for again", async () => {
    fake.beforeReply = () => {
      throw away();
    };
    const id = await fake.post(spoken(["Good morning."]));
    expect(await untilOver(5 * DAY_MS, HOUR_MS)).toBeGreaterThanOrEqual(3 * DAY_MS);
    const { id: jobId, state } = await newest();
    expect(state).toBe("failed");
    expect(await gateway.transcripts.get(jobId)).toMatchObject({ jobId });
    fake.beforeReply = () => {};
    await gateway.queue.retry(jobId);
    await expect.poll(isOver).toBe(true);
    await expect.poll(() => under(id)).toMatchObject([{ text: expect.stringContaining("Good morning.") }]);
    expect(transcriber.asked).toHaveLength(1);
  });

  it("is told of a failure when it is back, without another attempt at the recording", async () => {
    let isAway = true;
    fake.beforeReply = () => {
      if (isAway) throw away();
    };
    transcriber.failAt(0, new UserError("no_audio", "There is no sound in it: send a recording with sound."));
    const id = await fake.post(spoken(["Good morning."]));
    await expect.poll(async () => (await newest()).steps.verdict).toBeDefined();
    expect(await readdir(gateway.folder)).toEqual([]);
    isAway = false;
    await untilOver(HOUR_MS);
    expect(await newest()).toMatchObject({ state: "failed", failure: { code: "no_audio" } });
    expect(await under(id)).toMatchObject([{ text: expect.stringContaining("There is no sound in it") }]);
    expect(transcriber.asked).toHaveLength(1);
    // Asked for again it is worked on, not told again.
    await gateway.queue.retry((await newest()).id);
    await expect.poll(async () => (await newest()).state).toBe("done");
    expect(await under(id)).toMatchObject([{ text: expect.stringContaining("Good morning.") }]);
  });
});

describe("a clock that is set", () => {
  it.each([
    ["forward by a year", 365 * DAY_MS],
    ["back by a day", -DAY_MS],
  ])("%s takes no job from its worker, and leaves waiting ones their turn", async (_name, jumpMs) => {
    const hold = transcriber.holdAt(1);
    const id = await fake.post(spoken(["One.", "Two.", "Three."]));
    await hold.reached;
    const lease = (await newest()).lease?.token;
    clock.wallMs += jumpMs;
    // A job that comes now shows that the other lanes look and claim.
    const other = await fake.post(spoken(["Other."]), { seconds: 30 });
    await expect.poll(async () => (await under(other))[0]?.text ?? "").toContain("Other.");
    const held = (await gateway.queue.list({ limit: 9 })).find(({ state }) => state === "running");
    expect(held).toMatchObject({ attempt: 1, lease: { token: lease } });
    hold.go();
    await expect.poll(async () => (await under(id))[0]?.text ?? "").toContain("One. Two. Three.");
    await expect.poll(() => gateway.queue.counts()).toMatchObject({ done: 2 });
    expect((await gateway.queue.list({ limit: 9 })).map(({ attempt }) => attempt)).toEqual([1, 1]);
  });

  it("back by a day makes nobody wait a day for the next attempt, also when nobody was there to see it", async () => {
    let left = 2;
    fake.beforeDownload = () => {
      if (left-- > 0) throw away();
    };
    await fake.post(spoken(["One."]));
    await expect.poll(async () => (await newest()).state).toBe("queued");
    clock.wallMs -= DAY_MS;
    await expect.poll(() => gateway.queue.nextDueMs()).toBeLessThan(clock.wallMs + 15 * MINUTE_MS);
    expect(await untilOver(HOUR_MS)).toBeLessThan(15 * MINUTE_MS);

    left = 1;
    await fake.post(spoken(["Two."]));
    await expect.poll(async () => (await newest()).failure).toBeDefined();
    await gateway.stop(0);
    clock.wallMs -= DAY_MS;
    await start();
    expect(await untilOver(HOUR_MS)).toBeLessThan(15 * MINUTE_MS);
  });

  it("back leaves a channel its turn after what it posted before", async () => {
    const database = openDatabase(join(data, "turns.db"), { now: () => clock.wallMs });
    const queue = createQueue(database);
    // An hour of turns, all done.
    for (let meeting = 0; meeting < 6; meeting++) {
      await queue.add(recordingOf({ seconds: 600 }), {});
      const job = await queue.claim("w", 1000, "any");
      if (job !== undefined) await queue.settle(job, { kind: "done" });
    }
    clock.wallMs -= DAY_MS;
    await queue.shift(-DAY_MS);
    const { job: mine } = await queue.add(recordingOf({ seconds: 600 }), {});
    await queue.add(recordingOf({ channel: "C2", seconds: 7200 }), {});
    expect((await queue.claim("w", 1000, "any"))?.id).toBe(mine.id);
    database.close();
  });

  it("forward deletes no transcript before it had an hour to be set right", async () => {
    const expired: number[] = [];
    const transcripts = { expire: async (nowMs: number) => expired.push(nowMs) };
    const parts = { transcripts, observe: () => {}, now: () => clock.wallMs, steady: () => clock.steadyMs };
    const begun = clock.wallMs;
    const retention = createRetention({ ...parts, lastUsedMs: begun - HOUR_MS });
    await retention.look();
    expect(expired).toEqual([begun]);
    pass(HOUR_MS);
    clock.wallMs += 365 * DAY_MS;
    await retention.look();
    pass(HOUR_MS);
    clock.wallMs -= 365 * DAY_MS;
    await retention.look();
    expect(expired).toEqual([begun]);
    pass(HOUR_MS);
    await retention.look();
    expect(expired).toEqual([begun, begun + 3 * HOUR_MS]);

    // A start with a clock that nobody has set yet.
    const wrong = createRetention({ ...parts, lastUsedMs: clock.wallMs - 400 * DAY_MS });
    await wrong.look();
    expect(expired).toHaveLength(2);
    pass(HOUR_MS);
    await wrong.look();
    expect(expired).toHaveLength(3);
    const first = createRetention({ ...parts, lastUsedMs: undefined });
    await first.look();
    expect(expired).toHaveLength(4);
  });

  it("is told by what was written down last", async () => {
    const path = join(data, "used.db");
    const first = openDatabase(path, { now: () => 1000 });
    expect(first.lastUsedMs).toBeUndefined();
    first.close();
    const second = openDatabase(path, { now: () => 2000 });
    expect(second.lastUsedMs).toBe(1000);
    await createQueue(second).add(recordingOf(), {});
    second.close();
    const third = openDatabase(path, { now: () => 3000 });
    expect(third.lastUsedMs).toBe(2000);
    third.close();
  });
});

describe("a recording that is forgotten while it is fetched", () => {
  it("leaves no file behind", async () => {
    let isForgotten = false;
    fake.beforeDownload = ({ place }) => {
      isForgotten = true;
      void gateway.transcripts.forget({ scope: place }, "U1");
    };
    await fake.post(spoken(["Good morning."]));
    await expect.poll(() => isForgotten).toBe(true);
    // The file arrives after that, and nobody wants it.
    await expect.poll(() => gateway.queue.list({ limit: 1 })).toEqual([]);
    await expect.poll(() => readdir(gateway.folder)).toEqual([]);
    fake.beforeDownload = () => {};
    const id = await fake.post(spoken(["Next."]));
    await expect.poll(async () => (await under(id))[0]?.text ?? "").toContain("Next.");
    expect(await readdir(gateway.folder)).toEqual([]);
  });
});

describe("a database that another program has locked", () => {
  it("holds the work up and ruins none of it", async () => {
    await gateway.stop(0);
    await start(["any"]);
    const hold = transcriber.holdAt(1);
    const id = await fake.post(spoken(["One.", "Two."]));
    await hold.reached;
    const other = new Sqlite(join(data, "earshot.db"));
    other.exec("BEGIN IMMEDIATE");
    hold.go();
    // What cannot be written down is not acknowledged, so that the platform tells it again.
    await expect(fake.post(spoken(["Late."]))).rejects.toMatchObject({
      code: "database_locked",
      message: expect.stringContaining("Close it"),
    });
    other.exec("ROLLBACK");
    other.close();
    // The lease ran out meanwhile, by this test's clock.
    await expect
      .poll(
        async () => {
          pass(1000);
          return (await under(id))[0]?.text ?? "";
        },
        { timeout: 20_000 },
      )
      .toContain("One. Two.");
    await expect.poll(() => gateway.queue.counts()).toMatchObject({ done: 1, failed: 0 });
    expect(existsSync(join(data, "earshot.db"))).toBe(true);
  }, 60_000);
});
