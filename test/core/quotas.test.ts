// How much a person, a channel and a workspace may use up in a day: refused when announced, refused when measured, and
// counted once, over a real database.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Allowance, dayEndsAtMs, type GatewayLimits, limitsOf } from "../../src/core/limits.ts";
import type { Place } from "../../src/core/recording.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { recordingOf } from "../contracts/queue.ts";
import { createFakePlatform, type FakePlatform } from "../support/fake-platform.ts";
import { createFakeTranscriber, type FakeTranscriber, spoken } from "../support/fake-transcriber.ts";
import { startPlatformGateway } from "../support/platform-gateway.ts";

/** Eleven in the evening, UTC. */
const EVENING = Date.UTC(2026, 10, 25, 23);
const HOUR_MS = 3_600_000;
const WIDE = { bytes: 1e9, durationSeconds: 36_000 };
/** A recording of so many minutes. */
const minutes = (count: number) => spoken(Array.from({ length: count * 2 }, () => "word"));

let data: string;
let fake: FakePlatform;
let transcriber: FakeTranscriber;
let nowMs: number;
let gateway: Awaited<ReturnType<typeof startPlatformGateway>>;

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "earshot-quotas-"));
  fake = createFakePlatform();
  transcriber = createFakeTranscriber();
  nowMs = EVENING;
});
afterEach(async () => {
  await gateway.stop(0);
  await rm(data, { recursive: true, force: true });
});

async function start(limits: Partial<GatewayLimits> = {}): Promise<void> {
  // Nothing here is to be tried again by itself.
  const differs = { limits: { ...WIDE, ...limits }, now: () => nowMs, steady: () => nowMs };
  gateway = await startPlatformGateway(() => fake.platform, data, transcriber, differs);
}

const by = (user: string, channel = "C") => ({ user, channel });
const states = async () => (await gateway.queue.list({ limit: 100 })).map(({ state }) => state).reverse();
const settled = () =>
  expect
    .poll(async () => (await states()).every((state) => state !== "queued" && state !== "running"), { timeout: 10_000 })
    .toBe(true);
const under = async (id: string) => (await fake.visible()).find(({ answers }) => answers === id)?.text;

describe("the day's minutes of a person", () => {
  it("are refused by the announced length, with what is used and when it is free again", async () => {
    await start({ minutesPerUser: 10 });
    await fake.post(minutes(8), { seconds: 480 });
    const late = await fake.post(minutes(5), { seconds: 300, name: "late.ogg" });
    expect(await under(late)).toBe(
      "late.ogg was not taken. You have 10 min of audio a day, of which 8 min are used, and it has 5:00. " +
        "They are free again at midnight UTC, in 60 min.",
    );
    // Another person's are untouched, and what still fits is taken.
    await fake.post(minutes(9), { seconds: 540, place: by("U2") });
    await fake.post(minutes(2), { seconds: 120 });
    await settled();
    expect(await states()).toEqual(["done", "done", "done"]);
    nowMs += HOUR_MS;
    await fake.post(minutes(5), { seconds: 300 });
    await settled();
    expect(await states()).toHaveLength(4);
  });

  it("are counted by the real length, whatever was announced", async () => {
    await start({ minutesPerUser: 10 });
    const long = await fake.post(minutes(12), { seconds: 60 });
    await settled();
    expect(await under(long)).toMatch(
      /You have 10 min of audio a day, of which none are used, and it has 12:00\. Send it in parts/,
    );
    expect(await states()).toEqual(["failed"]);
    // It gave no text, so it took no minutes.
    const short = await fake.post(minutes(1), { seconds: 600 });
    await settled();
    expect(await under(short)).toContain("word");
    expect(await gateway.queue.usedToday(placeOf("U1"))).toMatchObject({ person: 60, channel: 60, workspace: 60 });
  });

  it("count a recording once, whatever befalls it, also across restarts", async () => {
    await start({ minutesPerUser: 10 });
    const hold = transcriber.holdAt(4);
    await fake.post(minutes(4));
    await hold.reached;
    expect(await gateway.queue.usedToday(placeOf("U1"))).toMatchObject({ person: 240 });
    // In the middle of its work, with no time to finish it.
    await gateway.stop(0);
    transcriber = createFakeTranscriber();
    await start({ minutesPerUser: 10 });
    await settled();
    expect(await states()).toEqual(["done"]);
    expect(transcriber.asked.at(-1)?.resume?.segments.length).toBeGreaterThan(0);
    expect(await gateway.queue.usedToday(placeOf("U1"))).toMatchObject({ person: 240 });
  });

  it("come back when it is cancelled before anybody listened, and not later", async () => {
    await start({ minutesPerUser: 10 });
    const holds = Array.from({ length: 4 }, () => transcriber.holdAt(0));
    // Each of the four lanes is busy.
    for (const user of ["a", "b", "c", "d"]) await fake.post(minutes(1), { place: by(user), seconds: 60 });
    const measured = gateway.database.prepare<[], { jobs: number }>("SELECT sum(is_measured) AS jobs FROM usage");
    await expect.poll(() => measured.get()?.jobs).toBe(4);
    await fake.post(minutes(9), { seconds: 540 });
    const [waiting] = await gateway.queue.list({ state: "queued", limit: 10 });
    expect(await gateway.queue.usedToday(placeOf("U1"))).toMatchObject({ person: 540, channel: 780 });
    expect(await gateway.queue.cancel(waiting?.id ?? "")).toBe(true);
    expect(await gateway.queue.usedToday(placeOf("U1"))).toMatchObject({ person: 0, channel: 240 });
    const [begun] = await gateway.queue.list({ state: "running", limit: 10 });
    expect(await gateway.queue.cancel(begun?.id ?? "")).toBe(true);
    for (const { go } of holds) go();
    await settled();
    expect(await gateway.queue.usedToday(placeOf("U1"))).toMatchObject({ channel: 240 });
  });
});

describe("minutes that many share", () => {
  it("cannot be used up by one person: half of them are the others'", async () => {
    await start({ minutesPerChannel: 20 });
    await fake.post(minutes(10), { seconds: 600 });
    const more = await fake.post(minutes(1), { seconds: 60 });
    expect(await under(more)).toMatch(/In this channel you have 10 min of audio a day as one person's share/);
    await fake.post(minutes(9), { seconds: 540, place: by("U2") });
    const full = await fake.post(minutes(2), { seconds: 120, place: by("U3") });
    expect(await under(full)).toMatch(/This channel has 20 min of audio a day, of which 19 min are used/);
    // Another channel has its own.
    await fake.post(minutes(2), { seconds: 120, place: by("U1", "D") });
    await settled();
    expect(await states()).toEqual(["done", "done", "done"]);
  });

  it("hold for the whole workspace, over its channels", async () => {
    await start();
    await fake.command("/earshot settings minutes-per-workspace 10 --workspace");
    await fake.post(minutes(5), { seconds: 300, place: by("U1", "D") });
    await fake.post(minutes(5), { seconds: 300, place: by("U2", "E") });
    const full = await fake.post(minutes(1), { seconds: 60, place: by("U3") });
    expect(await under(full)).toMatch(/This workspace has 10 min of audio a day, of which 10 min are used/);
    await settled();
  });

  it("are told by /earshot stats", async () => {
    await start({ minutesPerUser: 10 });
    await fake.post(minutes(3), { seconds: 180 });
    await settled();
    await fake.command("/earshot stats");
    expect((await fake.visible()).at(-1)?.text).toContain(
      "Today: You have 10 min of audio a day, of which 3 min are used",
    );
  });
});

describe("recordings at once", () => {
  it("are as many as were set, for each person", async () => {
    await start({ jobsPerUser: 2 });
    const hold = [transcriber.holdAt(0), transcriber.holdAt(0)];
    await fake.post(minutes(1));
    await fake.post(minutes(1));
    const third = await fake.post(minutes(1), { name: "third.ogg" });
    expect(await under(third)).toBe(
      "third.ogg was not taken. 2 recordings of yours are still being worked on, and no more are taken at once. " +
        "Send it again when one is done.",
    );
    await fake.post(minutes(1), { place: by("U2") });
    for (const { go } of hold) go();
    await settled();
    await fake.post(minutes(1));
    await settled();
    expect(await states()).toHaveLength(4);
  });
});

describe("size and length", () => {
  it("are the channel's own where it is stricter than the gateway, and never wider", async () => {
    await start({ durationSeconds: 1800 });
    await fake.command("/earshot settings max-minutes 5");
    const announced = await fake.post(minutes(6), { seconds: 360 });
    expect(await under(announced)).toMatch(/at most 5:00 is taken here/);
    const hidden = await fake.post(minutes(6));
    await settled();
    expect(await under(hidden)).toMatch(/at most 5:00 is taken here/);
    await fake.command("/earshot settings max-minutes 600");
    const wide = await fake.post(minutes(40));
    await settled();
    expect(await under(wide)).toMatch(/at most 30:00 is taken here/);
    await fake.command("/earshot settings max-megabytes 1");
    const large = await fake.post(`${minutes(1)}\n${"x".repeat(1_100_000)}`);
    await settled();
    expect(await under(large)).toMatch(/has 2 MB and at most 1 MB is taken here/);
  });
});

describe("who sets limits", () => {
  it("is an administrator, also where everyone may edit all else", async () => {
    await start();
    const words = async (text: string, isAdmin: boolean, isDirect = false) => {
      const place = { ...placeOf("U1"), isDirect };
      const actor = { user: "U1", isAdmin, roles: [] };
      const reply = await fake.listener().command({ command: "earshot", text, place, actor, recordings: [] });
      return "text" in reply ? reply.text : "";
    };
    expect(await words("settings language german", false)).toBe("language: German.");
    expect(await words("settings minutes-per-user 600", false)).toMatch(/^Only an administrator/);
    expect(await words("settings minutes-per-user 600", false, true)).toMatch(/^Only an administrator/);
    expect(await words("set minutes-per-user 60", true)).toBe("minutes-per-user: at most 60 minutes of audio a day.");
    expect(await words("settings", false)).toContain("- minutes-per-user: at most 60 minutes of audio a day");
    expect(await words("settings minutes-per-user none", true)).toBe("minutes-per-user: no limit of its own.");
    expect(await words("settings", false)).not.toContain("minutes-per-user");
    expect(await words("settings minutes-per-user lots", true)).toMatch(/It takes a number of minutes of audio a day/);
    expect(await words("settings minutes-per-workspace 60", true)).toContain("--workspace");
    // Nobody makes a workspace's choices from a direct chat who may not make them elsewhere.
    await gateway.settings.change(placeOf("U1"), "workspace", { editors: "admins" }, "U9");
    expect(await words("settings editors everyone --workspace", false, true)).toMatch(/^Only an administrator/);
    expect(await words("settings language french", false, true)).toBe("language: French.");
  });
});

describe("limits put together", () => {
  it("are never wider than the gateway's, nor a channel's person wider than the workspace's", () => {
    const minutesOrNone = fc.option(fc.integer({ min: 1, max: 10_000 }));
    const settings = fc.record({
      ...{ minutesPerUser: minutesOrNone, minutesPerChannel: minutesOrNone, minutesPerWorkspace: minutesOrNone },
      ...{ jobsPerUser: minutesOrNone, maxMinutes: minutesOrNone, maxMegabytes: minutesOrNone },
    });
    fc.assert(
      fc.property(settings, settings, fc.integer({ min: 1, max: 10_000 }), (workspace, channel, most) => {
        const all = { minutesPerUser: most, minutesPerChannel: most, minutesPerWorkspace: most, jobsPerUser: most };
        const { allowance, ...sizes } = limitsOf(
          workspace,
          channel,
          { ...all, bytes: most, durationSeconds: most },
          false,
        );
        for (const of of ["person", "channel", "workspace"] as const) {
          const seconds = Math.min(...allowance.days.filter((limit) => limit.of === of).map((limit) => limit.seconds));
          expect(seconds).toBeLessThanOrEqual(most * 60);
        }
        expect(allowance.jobsPerUser).toBeLessThanOrEqual(most);
        expect(Math.max(sizes.bytes, sizes.durationSeconds)).toBeLessThanOrEqual(most);
      }),
    );
  });
});

it("many at once never take more than there is, and the last second of it can be used", async () => {
  await start();
  const database = openDatabase(join(data, "other.db"), { now: () => nowMs });
  const queue = createQueue(database);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 30 }), async (lengths) => {
      nowMs += 24 * HOUR_MS;
      const allowance: Allowance = { days: [{ of: "person", seconds: 1000 }] };
      const added = await Promise.all(
        lengths.map((seconds) => queue.addWithin(allowance, recordingOf({ seconds }), {})),
      );
      const taken = lengths.filter((_, index) => added[index]?.kind === "added");
      const sum = taken.reduce((total, seconds) => total + seconds, 0);
      expect(sum).toBeLessThanOrEqual(1000);
      for (const [index, one] of added.entries()) {
        if (one.kind !== "over" || one.over.kind !== "minutes") continue;
        expect(one.over.usedSeconds + (lengths[index] ?? 0) > 1000 || one.over.usedSeconds === 1000).toBe(true);
        expect(one.over.freeAtMs).toBe(dayEndsAtMs(Math.floor(nowMs / (24 * HOUR_MS))));
      }
    }),
    { numRuns: 20 },
  );
  database.close();
});

function placeOf(user: string): Place {
  return {
    ...{ platform: "playground", workspace: "W", channel: "C", isDirect: false, message: "m0", user },
    reach: "thread",
  };
}
