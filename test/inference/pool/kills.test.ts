// Machines of the pool get a SIGKILL again and again: every transcript arrives, once, the same as without a pool.
// EARSHOT_POOL_CLIPS=1000 EARSHOT_POOL_LONG=3 EARSHOT_POOL_WORKERS=1,2,4 runs what docs/scale.md tells of.
import { readdir } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { TranscriberResult } from "../../../src/core/ports.ts";
import { createLocalTranscriber } from "../../../src/inference/local-transcriber.ts";
import { keeping, never } from "../../contracts/transcriber.ts";
import { hasNats, isFull, startPoolServers, type WorkerProcess } from "../../support/nats.ts";
import { ACK_WAIT_MS, createPoolRig, POOL_OPTIONS, type PoolRig, transcribing } from "../../support/pool.ts";
import { sample } from "../../support/transcriber-recordings.ts";
import { wasteOf } from "../../support/waste.ts";

const number = (name: string, fallback: number) => Number(process.env[name] ?? fallback);
const CLIPS = number("EARSHOT_POOL_CLIPS", 8);
const LONG = number("EARSHOT_POOL_LONG", 1);
const WORKERS = (process.env["EARSHOT_POOL_WORKERS"] ?? "2").split(",").map(Number);
/** A kill after so many results on average: some 25 for a thousand clips. */
const EVERY = number("EARSHOT_POOL_KILL_EVERY", CLIPS >= 100 ? 40 : 3);
const AT_ONCE = CLIPS >= 100 ? 8 : 3;

vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 3_600_000 });

interface Recording {
  readonly path: string;
  readonly isShort: boolean;
}

describe.skipIf(!hasNats || !isFull)("machines that are killed at random", () => {
  const local = new Map<string, TranscriberResult>();
  let recordings: readonly Recording[];

  beforeAll(async () => {
    const folder = fileURLToPath(new URL("../../fixtures/speech/", import.meta.url));
    const files = (await readdir(folder))
      .filter((name) => name.endsWith(".flac"))
      .slice(0, CLIPS >= 1000 ? 60 : CLIPS >= 100 ? 20 : 5);
    const clips = Array.from({ length: CLIPS }, (_, n) => ({
      path: `${folder}${files[n % files.length]}`,
      isShort: true,
    }));
    const longs = Array.from({ length: LONG }, () => ({ path: sample("meeting.flac"), isShort: false }));
    recordings = [...longs, ...clips];
    const here = createLocalTranscriber({ device: "cpu", threads: 1 });
    for (const { path } of recordings) {
      if (!local.has(path)) local.set(path, await here.transcribe(path, POOL_OPTIONS, keeping(), never()));
    }
    await here.close();
  });

  let rig: PoolRig | undefined;
  afterAll(() => rig?.close());

  it.each(WORKERS)("with %i of them, lose nothing and do nothing twice", async (count) => {
    rig = createPoolRig(await startPoolServers());
    const { gateway: open, worker: start } = rig;
    const gateway = open({ doneKeepMs: 3_600_000, limits: { ackWaitMs: CLIPS >= 100 ? 10_000 : ACK_WAIT_MS } });
    const killedAtMs = new Map<string, number>();
    let started = 0;
    const workers: WorkerProcess[] = Array.from({ length: count }, () => start(`w${++started}`));
    await vi.waitUntil(() => gateway.members().length === count, { timeout: 120_000 });

    const startedAtMs = Date.now();
    let untilKill = EVERY;
    const results: { path: string; result: TranscriberResult; segments: unknown }[] = [];
    const queue = recordings.map((recording, n) => ({ ...recording, key: `${count} ${n}` }));
    async function loop(): Promise<void> {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const { path, isShort, key } = next;
        const run = transcribing(gateway, path, { isShort, key });
        results.push({ path, result: await run.result, segments: run.windows.flatMap(({ segments }) => segments) });
        if (--untilKill > 0 || queue.length === 0) continue;
        untilKill = Math.ceil(EVERY * (0.5 + Math.random()));
        const victim = Math.floor(Math.random() * workers.length);
        // Somewhere within what it is doing.
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
        const dying = workers[victim];
        if (dying === undefined || killedAtMs.has(dying.name)) continue;
        killedAtMs.set(dying.name, Date.now());
        dying.signal("SIGKILL");
        workers[victim] = start(`w${++started}`);
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, loop));
    const seconds = (Date.now() - startedAtMs) / 1000;

    expect(results).toHaveLength(recordings.length);
    for (const { path, result, segments } of results) {
      expect(result).toEqual(local.get(path));
      expect(segments).toEqual(local.get(path)?.segments);
    }
    const logs = await rig.logs();
    expect(logs.size).toBe(recordings.length);
    for (const entries of logs.values()) expect(entries.filter(({ entry }) => entry.kind === "done")).toHaveLength(1);
    expect(await rig.count("work")).toBe(0);
    await vi.waitFor(async () => expect(await rig?.count("audio")).toBe(0), { timeout: 30_000 });

    const { usefulMs, wastedMs, deliveries } = wasteOf([...logs.values()], killedAtMs);
    const waste = wastedMs / (usefulMs + wastedMs);
    console.log(
      `${count} machines, ${recordings.length} recordings, ${killedAtMs.size} kills: ${seconds.toFixed(0)} s, ` +
        `${deliveries} deliveries, ${(usefulMs / 1000).toFixed(1)} s of work of use and ` +
        `${(wastedMs / 1000).toFixed(1)} s lost (${(100 * waste).toFixed(1)}%)`,
    );
    expect(killedAtMs.size).toBeGreaterThan(0);
    // A few clips say nothing of a share.
    if (CLIPS >= 100) expect(waste).toBeLessThan(0.05);
    await rig.close();
    rig = undefined;
  });
});
