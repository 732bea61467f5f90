// A call with one speaker on each channel: through the pool it is what it is here, and either goes on with the other's half.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Transcriber } from "../../../src/core/ports.ts";
import { createLocalTranscriber } from "../../../src/inference/local-transcriber.ts";
import { keeping, never } from "../../contracts/transcriber.ts";
import { hasNats, isFull, startPoolServers } from "../../support/nats.ts";
import { createPoolRig, POOL_OPTIONS, type PoolRig } from "../../support/pool.ts";
import { ffmpeg } from "../../support/recordings.ts";
import { sample } from "../../support/transcriber-recordings.ts";

vi.setConfig({ testTimeout: 120_000 });

describe.skipIf(!hasNats || !isFull)("a call with a speaker on each channel", () => {
  let rig: PoolRig;
  let folder: string;
  let call: string;
  let local: Transcriber;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "earshot-call-"));
    call = join(folder, "call.wav");
    const turns = "[0:a]aresample=16000,apad=whole_dur=13[l];[1:a]aresample=16000,adelay=7000,apad=whole_dur=13[r]";
    const inputs = ["-i", sample("standup.flac"), "-i", sample("voice-note.ogg")];
    ffmpeg(...inputs, "-filter_complex", `${turns};[l][r]join=inputs=2:channel_layout=stereo`, call);
    local = createLocalTranscriber({ device: "cpu", threads: 1 });
    rig = createPoolRig(await startPoolServers());
  });
  afterAll(async () => {
    await local?.close();
    await rig?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("is transcribed as on this machine, and goes on from either's checkpoints", async () => {
    const options = { ...POOL_OPTIONS, speakerTracks: "auto" } as const;
    rig.worker("one");
    const pool = rig.gateway();
    const here = keeping();
    const there = keeping();
    const whole = await local.transcribe(call, options, here, never());
    expect(new Set(whole.segments.map(({ speaker }) => speaker)).size).toBe(2);
    expect(await pool.transcribe(call, options, there, never())).toEqual(whole);
    expect(there.windows).toEqual(here.windows);
    const [first] = there.windows;
    const resume = { checkpoint: first?.checkpoint, segments: first?.segments ?? [] };
    for (const other of [local, pool]) {
      const rest = keeping();
      expect(await other.transcribe(call, { ...options, resume }, rest, never())).toEqual(whole);
      expect(rest.windows).toEqual(there.windows.slice(1));
    }
  });
});
