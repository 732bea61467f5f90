// `earshot start --nats`: from a recording in the chat to its answer, over a gateway that dies and a machine that comes late.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { answerTo, type Gateway, sendRecording, startGateway, until } from "../../support/gateway.ts";
import { hasNats, startPoolServers } from "../../support/nats.ts";
import { createPoolRig, type PoolRig } from "../../support/pool.ts";
import { sample } from "../../support/transcriber-recordings.ts";

vi.setConfig({ testTimeout: 180_000 });

describe.skipIf(!hasNats)("a gateway with a pool", () => {
  let rig: PoolRig;
  let data: string;
  let gateway: Gateway | undefined;
  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), "earshot-pool-start-"));
    rig = createPoolRig(await startPoolServers());
  });
  afterAll(async () => {
    await gateway?.kill("SIGKILL");
    await rig?.close();
    await rm(data, { recursive: true, force: true });
  });

  it("lets people wait, dies, and answers with what was finished without it", async () => {
    const { servers, credentialsPath = "", caPath = "" } = rig.servers.gateway;
    const env = { EARSHOT_NATS: servers.join(), EARSHOT_NATS_CREDS: credentialsPath, EARSHOT_NATS_CA: caPath };
    gateway = await startGateway(data, env);
    expect(gateway.output()).toMatch(/model +demo on pool/);
    expect(gateway.output()).toContain("No machine of the pool has it yet: start one with earshot worker --nats");
    const id = await sendRecording(gateway.url, "standup", sample("standup.flac"));
    await until(gateway.url, (messages) =>
      JSON.stringify(messages).includes("standup.flac is waiting for a transcriber, of which none is there now"),
    );
    await gateway.kill("SIGKILL");
    // Whatever it asks for now may have been asked for before.
    gateway = await startGateway(data, env);
    await vi.waitFor(async () => expect(await rig.count("work")).toBe(1), { timeout: 60_000 });
    await gateway.kill("SIGKILL");

    rig.worker("late");
    await vi.waitFor(async () => expect((await rig.log()).at(-1)?.kind).toBe("done"), { timeout: 60_000 });
    gateway = await startGateway(data, env);
    const answer = await until(gateway.url, answerTo(id));
    expect(answer.head).toMatch(/^standup\.flac · 0:0\d · English · \d+ words$/);
    expect((await rig.log()).filter(({ kind }) => kind === "began")).toHaveLength(1);
    const metrics = async () => (await fetch(`${gateway?.url}/metrics`)).text();
    await expect.poll(metrics, { timeout: 20_000 }).toMatch(/earshot_pool_worker_done\{worker="late",device="cpu"\} 1/);
    expect(await metrics()).toMatch(/earshot_pool_workers\{model="demo",device="cpu"\} 1/);
  });
});
