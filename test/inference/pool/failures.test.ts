// The pool when something fails: machines, gateways and the server die, hang and come back, and nothing is lost.
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Stopping } from "../../../src/core/errors.ts";
import type { TranscriberResult } from "../../../src/core/ports.ts";
import { createLocalTranscriber } from "../../../src/inference/local-transcriber.ts";
import { keeping, never } from "../../contracts/transcriber.ts";
import { hasNats, isFull, startPoolServers } from "../../support/nats.ts";
import { createPoolRig, POOL_OPTIONS, type PoolRig, transcribing } from "../../support/pool.ts";
import { ffmpeg } from "../../support/recordings.ts";
import { sample } from "../../support/transcriber-recordings.ts";

vi.setConfig({ testTimeout: 120_000 });

const WITHIN = { timeout: 30_000 };

describe.skipIf(!hasNats)("the pool", () => {
  let rig: PoolRig;
  let folder: string;
  /** Several windows. */
  let long: string;
  /** As this machine hears it, without a pool. */
  let local: TranscriberResult;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "earshot-pool-"));
    long = join(folder, "long.flac");
    ffmpeg("-stream_loop", "1", "-i", sample("meeting.flac"), "-c:a", "flac", long);
    const here = createLocalTranscriber({ device: "cpu", threads: 1 });
    local = await here.transcribe(long, POOL_OPTIONS, keeping(), never());
    await here.close();
    rig = createPoolRig(await startPoolServers());
  });
  afterEach(() => rig.clear());
  afterAll(async () => {
    await rig?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const children = (parent: number) =>
    execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, ppid, ...args]) => Number(ppid) === parent && args.some((arg) => arg.endsWith("inference/child.js")))
      .map(([pid]) => Number(pid));

  const whoBegan = async () => (await rig.log()).flatMap((entry) => (entry.kind === "began" ? [entry.worker] : []));

  it.each(isFull ? (["SIGKILL", "SIGSTOP"] as const) : (["SIGKILL"] as const))(
    "goes on from the last window on another machine when one gets a %s",
    async (signal) => {
      const one = rig.worker("one");
      const run = transcribing(rig.gateway(), long);
      await run.has(1);
      one.signal(signal);
      const gateway = rig.gateway();
      rig.worker("two");
      expect(await run.result).toEqual(local);
      expect(run.windows.flatMap(({ segments }) => segments)).toEqual(local.segments);
      const entries = await rig.log();
      expect(await whoBegan()).toEqual(["one", "two"]);
      expect(entries.filter(({ kind }) => kind === "window")).toHaveLength(run.windows.length);
      if (signal === "SIGKILL") return;
      // It wakes up and wants to go on with what is another's.
      one.signal("SIGCONT");
      await vi.waitUntil(() => gateway.members().some(({ worker, busy }) => worker === "one" && busy === 0), {
        timeout: 30_000,
      });
      expect(await rig.log()).toEqual(entries);
    },
  );

  it.runIf(isFull)("goes on at once when a machine is stopped in good order", async () => {
    const one = rig.worker("one");
    const run = transcribing(rig.gateway({ limits: { ackWaitMs: 60_000 } }), long);
    await run.has(1);
    rig.worker("two");
    await one.kill("SIGTERM");
    expect(await run.result).toEqual(local);
    // Within its grace the machine may have finished it.
    expect(["one", "two"]).toContain((await whoBegan()).at(-1));
    expect(one.output()).toContain("goes back to the pool");
  });

  it("keeps what was finished while the gateway was away, and the next one fetches it", async () => {
    rig.worker("one");
    const first = rig.gateway();
    const run = transcribing(first, long, { key: "job 1" });
    await run.has(1);
    run.abort.abort(new Stopping("the gateway stops"));
    await expect(run.result).rejects.toBeInstanceOf(Stopping);
    await first.close();
    await vi.waitFor(async () => expect((await rig.log()).at(-1)?.kind).toBe("done"), { timeout: 60_000 });
    const last = run.windows.at(-1);
    const segments = run.windows.flatMap((window) => window.segments);
    const again = transcribing(rig.gateway(), long, {
      key: "job 1",
      resume: { checkpoint: last?.checkpoint, segments },
    });
    expect(await again.result).toEqual(local);
    expect([...run.windows, ...again.windows].flatMap((window) => window.segments)).toEqual(local.segments);
    expect(await whoBegan()).toEqual(["one"]);
  });

  it("stops a machine within a second or so when nobody wants the recording any more, and leaves nothing", async () => {
    rig.worker("one");
    const gateway = rig.gateway();
    const run = transcribing(gateway, long);
    await run.has(1);
    const entries = (await rig.log()).length;
    run.abort.abort(new Error("not wanted"));
    await expect(run.result).rejects.toThrow("not wanted");
    await vi.waitFor(async () => {
      for (const stream of ["work", "log", "audio"] as const) expect(await rig.count(stream), stream).toBe(0);
    }, WITHIN);
    expect(entries).toBeGreaterThan(0);
    // It is free for the next.
    expect((await transcribing(gateway, sample("standup.flac"), { isShort: true }).result).text).not.toBe("");
    const { windows } = run;
    expect(windows.length).toBeLessThan(local.segments.length);
  });

  it("sets a recording aside that ends one transcription after the other, and says why", async () => {
    const one = rig.worker("one");
    const gateway = rig.gateway();
    const run = transcribing(gateway, sample("standup.flac"));
    const over = run.result.then(
      () => expect.fail("transcribed all the same"),
      (error: unknown) => error,
    );
    let isOver = false;
    void over.then(() => {
      isOver = true;
    });
    while (!isOver) {
      // As the kernel does when memory runs out.
      for (const pid of children(one.pid)) {
        if ((await rig.log().catch(() => [])).at(-1)?.kind === "began") process.kill(pid, "SIGKILL");
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await over).toMatchObject({ name: "InferenceError", code: "poisoned" });
    expect(String(await over)).toMatch(/ended 5 transcriptions .*on one.*EARSHOT_DEAD/);
    expect(await rig.count("dead")).toBe(1);
    await vi.waitFor(async () => expect(await rig.count("work")).toBe(0), WITHIN);
    // The machine itself is well.
    expect((await transcribing(gateway, sample("standup.flac")).result).text).not.toBe("");
  });

  it.runIf(isFull)("outlives its server: what was under way goes on when it is back", async () => {
    rig.worker("one");
    const run = transcribing(rig.gateway(), long);
    await run.has(1);
    await rig.servers.servers[0]?.kill();
    await vi.waitUntil(() => run.reasons.includes("connection"), WITHIN);
    await rig.servers.servers[0]?.start();
    expect(await run.result).toEqual(local);
    expect(run.windows.flatMap(({ segments }) => segments)).toEqual(local.segments);
    expect(rig.told.join("\n")).toMatch(/is lost: trying again until it answers.*answers again/s);
  });

  it.runIf(isFull)(
    "begins anew from what the gateway has kept when the server comes back with an empty disk",
    async () => {
      rig.worker("one");
      const run = transcribing(rig.gateway(), long);
      await run.has(1);
      await rig.empty();
      expect(await run.result).toEqual(local);
      expect(run.windows.flatMap(({ segments }) => segments)).toEqual(local.segments);
    },
  );

  it.runIf(isFull)("takes short recordings before long ones", async () => {
    const gateway = rig.gateway();
    const ends: string[] = [];
    const note = (name: string) => (result: TranscriberResult) => {
      ends.push(name);
      return result;
    };
    const longs = [1, 2].map((n) => transcribing(gateway, long, { key: `long ${n}` }).result.then(note("long")));
    await vi.waitFor(async () => expect(await rig.count("work")).toBe(2), WITHIN);
    const shorts = [1, 2, 3].map((n) =>
      transcribing(gateway, sample("standup.flac"), { key: `short ${n}`, isShort: true }).result.then(note("short")),
    );
    await vi.waitFor(async () => expect(await rig.count("work")).toBe(5), WITHIN);
    rig.worker("one");
    await Promise.all([...longs, ...shorts]);
    expect(ends).toEqual(["short", "short", "short", "long", "long"]);
  });

  it.runIf(isFull)("waits when the store is full, says so, and goes on as soon as there is room", async () => {
    const audioBytes = 3_500_000;
    const gateway = rig.gateway({ limits: { audioBytes } });
    // Two windows each; in its place there is room for one of them only.
    const runs = [1, 2, 3].map((n) => transcribing(gateway, sample("meeting.flac"), { key: `${n}` }));
    await vi.waitUntil(() => runs.filter(({ reasons }) => reasons.includes("room")).length >= 1, WITHIN);
    expect(rig.told.join()).toContain("EARSHOT_NATS_MEGABYTES");
    rig.worker("one");
    const [first, ...others] = await Promise.all(runs.map(({ result }) => result));
    for (const other of others) expect(other).toEqual(first);
    const tooLong = transcribing(rig.gateway({ limits: { audioBytes: 100_000 } }), long);
    await expect(tooLong.result).rejects.toMatchObject({ code: "disk_full" });
  });

  it("tells whoever waits that no machine is there, and the operator too", async () => {
    const run = transcribing(rig.gateway(), sample("standup.flac"));
    await vi.waitUntil(() => run.reasons.includes("transcriber"), WITHIN);
    expect(rig.told.join()).toContain("earshot worker --nats");
    rig.worker("late");
    expect((await run.result).text).not.toBe("");
  });

  it.runIf(isFull)("knows at once when a machine is stopped in good order", async () => {
    const one = rig.worker("one");
    const gateway = rig.gateway();
    await vi.waitUntil(() => gateway.members().length === 1, WITHIN);
    await one.kill("SIGTERM");
    await vi.waitUntil(() => gateway.members().length === 0, WITHIN);
  });
});
