// What every JobQueue holds to, whatever it keeps its jobs in.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ClaimedJob, Outcome } from "../../src/core/job.ts";
import type { JobQueue } from "../../src/core/ports.ts";
import type { Recording } from "../../src/core/recording.ts";
import type { Segment } from "../../src/core/transcript.ts";

export interface QueueUnderTest {
  readonly queue: JobQueue;
  /** Sets the clock. */
  advance(ms: number): void;
  now(): number;
  /** The process dies and another takes over: the same jobs, every lease ended. */
  restart(): Promise<JobQueue>;
  close(): Promise<void>;
}

let nextKey = 0;

export function recordingOf({
  channel = "C1",
  seconds,
  ...more
}: { channel?: string; seconds?: number } & Partial<Recording> = {}): Recording {
  const key = `key-${nextKey++}`;
  return {
    key,
    place: {
      platform: "playground",
      workspace: "W",
      channel,
      isDirect: false,
      message: `message-of-${key}`,
      user: "U1",
      reach: "thread",
    },
    kind: "voice message",
    name: `${key}.ogg`,
    ...(seconds === undefined ? {} : { durationSeconds: seconds }),
    source: { file: key },
    ...more,
  };
}

export function segmentOf(id: number, text: string, start = id * 5): Segment {
  return {
    id,
    seek: 0,
    start,
    end: start + 5,
    text,
    tokens: [1, 2],
    temperature: 0,
    avgLogprob: -0.2,
    compressionRatio: 1.2,
    noSpeechProb: 0.01,
  };
}

const LEASE_MS = 10_000;
const failure = { code: "unavailable", message: "The platform does not answer." };

export function queueContract(name: string, open: () => Promise<QueueUnderTest>): void {
  describe(`the queue contract: ${name}`, () => {
    let under: QueueUnderTest;
    let queue: JobQueue;

    beforeEach(async () => {
      under = await open();
      queue = under.queue;
    });
    afterEach(() => under.close());

    async function claimed(lane: "short" | "any" = "any"): Promise<ClaimedJob> {
      const job = await queue.claim("w", LEASE_MS, lane);
      if (job === undefined) throw new Error("nothing to claim");
      return job;
    }

    it("gives a new job back as it was added, with an id that can be read out", async () => {
      const recording = recordingOf({ seconds: 9.5 });
      const { kind, job } = await queue.add(recording, { language: "de", formats: ["srt"] });
      expect(kind).toBe("added");
      expect(job.id).toMatch(/^[0-9a-f]{6}$/);
      expect(job).toEqual({
        id: job.id,
        recording,
        request: { language: "de", formats: ["srt"] },
        state: "queued",
        attempt: 0,
        addedAtMs: under.now(),
        steps: {},
      });
      expect(await queue.get(job.id)).toEqual(job);
      expect(await queue.get("nosuch")).toBeUndefined();
    });

    it("takes a second delivery for the same job, and another wish for another", async () => {
      const recording = recordingOf();
      const first = await queue.add(recording, {});
      expect(await queue.add(recording, {})).toEqual({ kind: "duplicate", job: first.job });
      const german = await queue.add(recording, { language: "de", translate: true });
      expect(german.kind).toBe("added");
      expect((await queue.add(recording, { translate: true, language: "de" })).kind).toBe("duplicate");
      expect((await queue.counts()).queued).toBe(2);
    });

    it("a done job is still the same one; a failed or cancelled one may be added again", async () => {
      const recording = recordingOf();
      const first = await queue.add(recording, {});
      await queue.settle(await claimed(), { kind: "failed", failure });
      const second = await queue.add(recording, {});
      expect(second.kind).toBe("added");
      // The new one stands: the old one cannot come back beside it.
      expect(await queue.retry(first.job.id)).toBe(false);
      expect(await queue.cancel(second.job.id)).toBe(true);
      expect((await queue.add(recording, {})).kind).toBe("added");
      await queue.settle(await claimed(), { kind: "done" });
      expect((await queue.add(recording, {})).kind).toBe("duplicate");
    });

    it("claims once, counts attempts, and hands over what was done", async () => {
      await queue.add(recordingOf(), {});
      const job = await claimed();
      expect(job).toMatchObject({ state: "running", attempt: 1, segments: [] });
      expect(job.lease).toMatchObject({ worker: "w", untilMs: under.now() + LEASE_MS });
      expect(await queue.claim("other", LEASE_MS, "any")).toBeUndefined();
      const plan = { model: "tiny", task: "transcribe" as const, initialPrompt: "Kubernetes" };
      expect(await queue.note(job, { mediaPath: "media/a.ogg" })).toBe(true);
      expect(await queue.note(job, { plan, durationSeconds: 61 })).toBe(true);
      expect(await queue.append(job, [segmentOf(0, " One."), segmentOf(1, " Two.")], { seek: 3000 })).toBe(true);
      expect(await queue.append(job, [segmentOf(2, " Three.")], { seek: 6000 })).toBe(true);
      under.advance(LEASE_MS);
      const again = await claimed();
      expect(again.attempt).toBe(2);
      expect(again.steps).toEqual({
        mediaPath: "media/a.ogg",
        plan,
        durationSeconds: 61,
        checkpoint: { seek: 6000 },
      });
      expect(again.segments.map((segment) => segment.text)).toEqual([" One.", " Two.", " Three."]);
      expect(again.segments[0]).toEqual(segmentOf(0, " One."));
    });

    it("refuses everything from an older lease, and takes it while nobody else has claimed", async () => {
      await queue.add(recordingOf(), {});
      const old = await claimed();
      under.advance(LEASE_MS * 2);
      expect(await queue.extend(old, LEASE_MS)).toBe(true);
      expect(await queue.claim("other", LEASE_MS, "any")).toBeUndefined();
      under.advance(LEASE_MS * 2);
      const current = await claimed();
      expect(await queue.extend(old, LEASE_MS)).toBe(false);
      expect(await queue.note(old, { statusId: "late" })).toBe(false);
      expect(await queue.append(old, [segmentOf(0, "late")], 1)).toBe(false);
      expect(await queue.settle(old, { kind: "done" })).toBe(false);
      expect(await queue.get(current.id)).toMatchObject({ state: "running", steps: {} });
      expect(await queue.settle(current, { kind: "done" })).toBe(true);
      expect(await queue.settle(current, { kind: "done" })).toBe(false);
    });

    it("waits before a retry, keeps the reason, and counts no attempt for what was released", async () => {
      const { job } = await queue.add(recordingOf(), {});
      await queue.settle(await claimed(), { kind: "retry", afterMs: 5_000, failure });
      const dueMs = under.now() + 5_000;
      expect(await queue.get(job.id)).toMatchObject({
        state: "queued",
        failure: { ...failure, atMs: under.now() },
      });
      expect(await queue.nextDueMs()).toBe(dueMs);
      expect(await queue.claim("w", LEASE_MS, "any")).toBeUndefined();
      under.advance(5_000);
      const second = await claimed();
      expect(second.attempt).toBe(2);
      await queue.settle(second, { kind: "released" });
      expect((await claimed()).attempt).toBe(2);
    });

    it("after done drops what is not needed and stays listed", async () => {
      const { job } = await queue.add(recordingOf(), {});
      const held = await claimed();
      await queue.note(held, { statusId: "S1", mediaPath: "m", isTranscribed: true, isAnswered: true });
      await queue.append(held, [segmentOf(0, "text")], { seek: 1 });
      await queue.settle(held, { kind: "done" });
      const done = await queue.get(job.id);
      expect(done).toMatchObject({ state: "done" });
      expect(done?.lease).toBeUndefined();
      expect(done?.steps).toEqual({ statusId: "S1", isTranscribed: true, isAnswered: true });
      expect(await queue.list({ state: "done", limit: 5 })).toEqual([done]);
      expect(await queue.retry(job.id)).toBe(false);
      expect(await queue.cancel(job.id)).toBe(false);
    });

    it("queues a failed job again, with what was done for it and all its attempts", async () => {
      const { job } = await queue.add(recordingOf(), {});
      const held = await claimed();
      await queue.append(held, [segmentOf(0, "kept")], { seek: 1 });
      await queue.settle(held, { kind: "failed", failure });
      expect(await queue.retry(job.id)).toBe(true);
      expect(await queue.retry(job.id)).toBe(false);
      const again = await claimed();
      expect(again).toMatchObject({ attempt: 1, steps: { checkpoint: { seek: 1 } } });
      expect(again.segments).toHaveLength(1);
      expect(again.failure).toBeUndefined();
    });

    it("a cancelled job's worker learns of it", async () => {
      const { job } = await queue.add(recordingOf(), {});
      const held = await claimed();
      expect(await queue.cancel(job.id)).toBe(true);
      expect(await queue.cancel(job.id)).toBe(false);
      expect(await queue.extend(held, LEASE_MS)).toBe(false);
      expect(await queue.settle(held, { kind: "done" })).toBe(false);
      expect((await queue.get(job.id))?.state).toBe("cancelled");
      expect(await queue.nextDueMs()).toBeUndefined();
    });

    it("keeps the first status message of a job that nobody has claimed", async () => {
      const { job } = await queue.add(recordingOf(), {});
      expect(await queue.noteStatus(job.id, "first")).toBe("first");
      expect(await queue.noteStatus(job.id, "second")).toBe("first");
      expect((await claimed()).steps.statusId).toBe("first");
    });

    it("claims the short before the long, and the long before what is added after its length", async () => {
      const meeting = await queue.add(recordingOf({ channel: "A", seconds: 7200 }), {});
      const note = await queue.add(recordingOf({ channel: "B", seconds: 10 }), {});
      const own = await queue.add(recordingOf({ channel: "A", seconds: 10 }), {});
      under.advance(7_300_000);
      const late = await queue.add(recordingOf({ channel: "C", seconds: 10 }), {});
      const order = [note, own, meeting, late].map(({ job }) => job.id);
      expect(await Promise.all(order.map((id) => queue.ahead(id)))).toEqual([0, 1, 2, 3]);
      for (const id of order) expect((await claimed()).id).toBe(id);
    });

    it("lets channels take turns, and a channel that was quiet go before one that fills the queue", async () => {
      for (let i = 0; i < 20; i++) await queue.add(recordingOf({ channel: "loud", seconds: 30 }), {});
      const quiet = [
        await queue.add(recordingOf({ channel: "quiet", seconds: 30 }), {}),
        await queue.add(recordingOf({ channel: "quiet", seconds: 30 }), {}),
      ];
      const channels: string[] = [];
      for (let i = 0; i < 5; i++) channels.push((await claimed()).recording.place.channel);
      expect(channels).toEqual(["loud", "quiet", "loud", "quiet", "loud"]);
      expect(await queue.ahead(quiet[1]?.job.id ?? "")).toBe(0);
    });

    it("gives the short lane only what is known to be short", async () => {
      await queue.add(recordingOf({ bytes: 1000 }), {});
      await queue.add(recordingOf({ seconds: 121 }), {});
      const { job } = await queue.add(recordingOf({ seconds: 120 }), {});
      expect((await claimed("short")).id).toBe(job.id);
      expect(await queue.claim("w", LEASE_MS, "short")).toBeUndefined();
      const unknown = await claimed("any");
      expect(await queue.note(unknown, { durationSeconds: 8 })).toBe(true);
      await queue.settle(unknown, { kind: "released" });
      expect((await claimed("short")).id).toBe(unknown.id);
    });

    it("lists newest first, by state and by channel", async () => {
      const a = await queue.add(recordingOf({ channel: "A" }), {});
      const b = await queue.add(recordingOf({ channel: "B" }), {});
      const c = await queue.add(recordingOf({ channel: "A" }), {});
      await queue.cancel(b.job.id);
      const ids = async (filter: Parameters<JobQueue["list"]>[0]) => (await queue.list(filter)).map((job) => job.id);
      expect(await ids({ limit: 2 })).toEqual([c.job.id, b.job.id]);
      expect(await ids({ state: "queued", limit: 9 })).toEqual([c.job.id, a.job.id]);
      expect(await ids({ scope: b.job.recording.place, limit: 9 })).toEqual([b.job.id]);
      expect(await ids({ scope: b.job.recording.place, state: "queued", limit: 9 })).toEqual([]);
      expect(await queue.counts()).toEqual({ queued: 2, running: 0, done: 0, failed: 0, cancelled: 1 });
    });

    it("finds the latest recording of a channel, asked for or not", async () => {
      const [first, second, elsewhere] = [recordingOf(), recordingOf(), recordingOf({ channel: "other" })];
      expect(await queue.latest(first.place)).toBeUndefined();
      await queue.add(first, {});
      await queue.saw(second);
      await queue.saw(elsewhere);
      expect(await queue.latest(first.place)).toEqual(second);
      for (let i = 0; i < 30; i++) await queue.saw(recordingOf({ channel: "other" }));
      expect(await queue.latest(first.place)).toEqual(second);
    });

    it("after a restart claims at once what the dead process held", async () => {
      await queue.add(recordingOf(), {});
      const held = await claimed();
      await queue.append(held, [segmentOf(0, "kept")], { seek: 1 });
      queue = await under.restart();
      const again = await claimed();
      expect(again).toMatchObject({ id: held.id, attempt: 2 });
      expect(again.segments).toHaveLength(1);
      expect(await queue.settle(held, { kind: "done" })).toBe(false);
    });
  });

  it(`random interleavings: ${name}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => live(open, steps)),
      {
        numRuns: 60,
      },
    );
  });
}

type Step =
  | { readonly kind: "add"; readonly channel: string; readonly seconds: number | undefined }
  | { readonly kind: "redeliver" | "retry" | "cancel" | "window" | "extend" | "drop"; readonly pick: number }
  | { readonly kind: "claim"; readonly lane: "short" | "any" }
  | { readonly kind: "settle"; readonly pick: number; readonly outcome: Outcome["kind"] }
  | { readonly kind: "clock"; readonly ms: number }
  | { readonly kind: "restart" };

const pick = fc.nat(1000);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("add" as const),
      channel: fc.constantFrom("A", "B", "C"),
      seconds: fc.option(fc.constantFrom(5, 10, 100, 120, 121, 900, 7200), { nil: undefined }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("claim" as const), lane: fc.constantFrom("short", "any") }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("settle" as const),
      pick,
      outcome: fc.constantFrom("done", "retry", "failed", "released"),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom("redeliver", "retry", "cancel", "window", "extend", "drop"),
      pick,
    }),
  },
  // Backwards too: clocks are set.
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("clock" as const), ms: fc.integer({ min: -20_000, max: 40_000 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
);

/** What the model knows of a job. */
interface Known {
  readonly id: string;
  readonly recording: Recording;
  state: "queued" | "running" | "done" | "failed" | "cancelled";
  token: string | undefined;
  windows: number;
  answers: number;
}

async function live(open: () => Promise<QueueUnderTest>, steps: readonly Step[]): Promise<void> {
  const under = await open();
  try {
    let queue = under.queue;
    const jobs = new Map<string, Known>();
    /** Every claim there ever was, those of dead workers too. */
    const claims: ClaimedJob[] = [];
    const at = <T>(all: readonly T[], index: number): T | undefined => all[index % Math.max(1, all.length)];
    const jobAt = (index: number) => at([...jobs.values()], index);
    const isHolder = (claim: ClaimedJob) => {
      const job = jobs.get(claim.id);
      return job?.state === "running" && job.token === claim.lease.token;
    };

    async function claim(lane: "short" | "any"): Promise<ClaimedJob | undefined> {
      const waiting = await queue.list({ limit: 1000 });
      const first = await Promise.all(waiting.map(async (job) => [job.id, await queue.ahead(job.id)] as const));
      const claimed = await queue.claim("w", LEASE_MS, lane);
      if (claimed === undefined) return undefined;
      const job = jobs.get(claimed.id);
      if (job === undefined) throw new Error("a job that was never added");
      expect(["queued", "running"]).toContain(job.state);
      expect(claimed.segments.map(({ text }) => text)).toEqual(Array.from({ length: job.windows }, (_, i) => `w${i}`));
      // "Next" is a promise: whoever is told that nobody is ahead is what the lane "any" takes.
      if (lane === "any") expect(first).toContainEqual([claimed.id, 0]);
      else expect(claimed.steps.durationSeconds ?? claimed.recording.durationSeconds).toBeLessThanOrEqual(120);
      // No older lease that still holds was taken from anybody.
      const before = claims.findLast((one) => one.id === claimed.id);
      if (job.state === "running" && before?.lease.token === job.token)
        expect(untilOf.get(job.id)).toBeLessThanOrEqual(under.now());
      job.state = "running";
      job.token = claimed.lease.token;
      untilOf.set(job.id, claimed.lease.untilMs);
      claims.push(claimed);
      return claimed;
    }
    const untilOf = new Map<string, number>();

    async function settle(claim: ClaimedJob, kind: Outcome["kind"]): Promise<void> {
      const outcome: Outcome =
        kind === "done" || kind === "released"
          ? { kind }
          : ({ kind, failure, ...(kind === "retry" ? { afterMs: 3_000 } : {}) } as Outcome);
      const held = isHolder(claim);
      expect(await queue.settle(claim, outcome)).toBe(held);
      const job = jobs.get(claim.id);
      if (!held || job === undefined) return;
      job.token = undefined;
      job.state = kind === "done" ? "done" : kind === "failed" ? "failed" : "queued";
      if (kind === "done") job.answers++;
    }

    for (const one of steps) {
      switch (one.kind) {
        case "add": {
          const recording = recordingOf({
            channel: one.channel,
            ...(one.seconds === undefined ? {} : { seconds: one.seconds }),
          });
          const { kind, job } = await queue.add(recording, {});
          expect(kind).toBe("added");
          jobs.set(job.id, { id: job.id, recording, state: "queued", token: undefined, windows: 0, answers: 0 });
          break;
        }
        case "redeliver": {
          const job = jobAt(one.pick);
          if (job === undefined || job.state === "failed" || job.state === "cancelled") break;
          const again = await queue.add(job.recording, {});
          expect([again.kind, again.job.id]).toEqual(["duplicate", job.id]);
          break;
        }
        case "claim":
          await claim(one.lane);
          break;
        case "settle": {
          const claim = at(claims, one.pick);
          if (claim !== undefined) await settle(claim, one.outcome);
          break;
        }
        case "window": {
          const claim = at(claims, one.pick);
          const job = claim && jobs.get(claim.id);
          if (claim === undefined || job === undefined) break;
          const held = isHolder(claim);
          expect(await queue.append(claim, [segmentOf(job.windows, `w${job.windows}`)], { at: job.windows })).toBe(
            held,
          );
          if (held) job.windows++;
          break;
        }
        case "extend": {
          const claim = at(claims, one.pick);
          if (claim === undefined) break;
          const held = isHolder(claim);
          expect(await queue.extend(claim, LEASE_MS)).toBe(held);
          if (held) untilOf.set(claim.id, under.now() + LEASE_MS);
          break;
        }
        case "retry": {
          const job = jobAt(one.pick);
          if (job === undefined) break;
          const may = job.state === "failed" || job.state === "cancelled";
          expect(await queue.retry(job.id)).toBe(may);
          if (may) job.state = "queued";
          break;
        }
        case "cancel": {
          const job = jobAt(one.pick);
          if (job === undefined) break;
          const may = job.state === "queued" || job.state === "running";
          expect(await queue.cancel(job.id)).toBe(may);
          if (!may) break;
          job.state = "cancelled";
          job.token = undefined;
          break;
        }
        // A worker that is never heard of again: only time helps.
        case "drop":
          under.advance(LEASE_MS);
          break;
        case "clock":
          under.advance(one.ms);
          break;
        case "restart":
          queue = await under.restart();
          for (const id of untilOf.keys()) untilOf.set(id, 0);
          break;
      }
      const counts = await queue.counts();
      for (const state of ["queued", "running", "done", "failed", "cancelled"] as const) {
        expect(counts[state]).toBe([...jobs.values()].filter((job) => job.state === state).length);
      }
    }

    // Whatever happened: once the clock has gone on, every job that should be answered is, once.
    under.advance(10 * 24 * 3_600_000);
    for (let left = jobs.size; left > 0; left--) {
      const claimed = await claim("any");
      if (claimed === undefined) break;
      await settle(claimed, "done");
    }
    for (const job of jobs.values()) {
      const stored = await queue.get(job.id);
      expect(stored?.state).toBe(job.state);
      expect(["done", "failed", "cancelled"]).toContain(job.state);
      expect(job.answers).toBe(job.state === "done" ? 1 : 0);
    }
    // A late worker changes nothing any more.
    for (const old of claims) expect(await queue.settle(old, { kind: "failed", failure })).toBe(false);
  } finally {
    await under.close();
  }
}
