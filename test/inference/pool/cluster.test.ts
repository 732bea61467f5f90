// Three nats-servers that keep everything three times: one of them dies in the middle, and nothing is lost.
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { TranscriberResult } from "../../../src/core/ports.ts";
import { createLocalTranscriber } from "../../../src/inference/local-transcriber.ts";
import { keeping, never } from "../../contracts/transcriber.ts";
import { hasNats, isFull, startPoolServers } from "../../support/nats.ts";
import { createPoolRig, POOL_OPTIONS, type PoolRig, transcribing } from "../../support/pool.ts";
import { sample } from "../../support/transcriber-recordings.ts";

vi.setConfig({ testTimeout: 180_000 });

describe.skipIf(!hasNats || !isFull)("a cluster of three", () => {
  let rig: PoolRig;
  const local = new Map<string, TranscriberResult>();
  const files = ["meeting.flac", "standup.flac", "voice-note.ogg"];

  beforeAll(async () => {
    const here = createLocalTranscriber({ device: "cpu", threads: 1 });
    for (const file of files) {
      local.set(file, await here.transcribe(sample(file), POOL_OPTIONS, keeping(), never()));
    }
    await here.close();
    rig = createPoolRig(await startPoolServers({ count: 3 }));
  });
  afterAll(() => rig?.close());

  it("loses one in the middle and no recording", async () => {
    const gateway = rig.gateway({ limits: { replicas: 3 } });
    const worker = rig.worker("one");
    const runs = files.flatMap((file) =>
      [1, 2].map((n) => ({ file, ...transcribing(gateway, sample(file), { key: `${file} ${n}`, isShort: n === 2 }) })),
    );
    await vi.waitUntil(() => runs.some(({ windows }) => windows.length > 0), { timeout: 120_000 });
    await rig.servers.servers[0]?.kill();
    for (const { file, result, windows } of runs) {
      expect(await result).toEqual(local.get(file));
      expect(windows.flatMap(({ segments }) => segments)).toEqual(local.get(file)?.segments);
    }
    // The dead one comes back and is filled up again.
    await rig.servers.servers[0]?.start();
    expect((await transcribing(gateway, sample("standup.flac")).result).text).toBe(local.get("standup.flac")?.text);
    expect(worker.output()).not.toMatch(/unexpected/);
  });
});
