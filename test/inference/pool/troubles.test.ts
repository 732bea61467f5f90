// What a pool says when it cannot work: each trouble in a sentence, and what each user may not do.

import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, nkeyAuthenticator, PermissionViolationError } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { doctor } from "../../../src/cli/doctor.ts";
import { worker } from "../../../src/cli/worker.ts";
import { ConfigError } from "../../../src/core/errors.ts";
import type { NatsSettings } from "../../../src/inference/pool/server-options.ts";
import { createPoolTranscriber, type PoolTranscriber } from "../../../src/inference/pool-transcriber.ts";
import {
  hasNats,
  natsArguments,
  type PoolServers,
  startPlainServer,
  startPoolServers,
  startWorker,
} from "../../support/nats.ts";
import { createPoolRig, transcribing } from "../../support/pool.ts";
import { sample } from "../../support/transcriber-recordings.ts";

vi.setConfig({ testTimeout: 60_000 });

async function refusal(nats: NatsSettings): Promise<{ readonly error: unknown; readonly told: readonly string[] }> {
  const told: string[] = [];
  const pool = createPoolTranscriber({ nats, log: (line) => told.push(line) });
  try {
    return {
      error: await pool.engine("demo").then(
        (engine) => engine,
        (reason: unknown) => reason,
      ),
      told,
    };
  } finally {
    await pool.close();
  }
}

describe.skipIf(!hasNats)("a pool", () => {
  let servers: PoolServers;
  beforeAll(async () => {
    servers = await startPoolServers();
  });
  afterAll(() => servers?.close());

  it("on a server without JetStream is refused at the start", async () => {
    const plain = await startPlainServer("");
    const { error } = await refusal({ servers: [plain.url] });
    await plain.close();
    expect(error).toBeInstanceOf(ConfigError);
    expect(String(error)).toMatch(/switch JetStream on/);
  });

  it("that does not fit on the server is refused at the start", async () => {
    const small = await startPlainServer("jetstream { store_dir: STORE, max_file_store: 10MB }");
    const { error } = await refusal({ servers: [small.url] });
    await small.close();
    expect(String(error)).toMatch(/ConfigError.*raise max_file_store/);
  });

  it.each([
    ["of nobody", "nobody"],
    ["without any", "none"],
    ["whose signature is not known", "no ca"],
  ])("with credentials %s is refused at the start", async (_, kind) => {
    const { credentialsPath = "", caPath = "", servers: urls } = servers.gateway;
    const stranger = join(credentialsPath, "..", "stranger.nk");
    await writeFile(stranger, "SUAMGFC7MLICMIUOXBJJDMFMXGJPHY5XRVGKHPTYU355FTVDURQB4ZFX7I");
    const nats: Record<string, NatsSettings> = {
      nobody: { servers: urls, credentialsPath: stranger, caPath },
      none: { servers: urls, caPath },
      "no ca": { servers: urls, credentialsPath },
    };
    const { error } = await refusal(nats[kind] ?? { servers: [] });
    expect(error).toBeInstanceOf(ConfigError);
    expect(String(error)).toMatch(kind === "no ca" ? /EARSHOT_NATS_CA/ : /refuses this user.*EARSHOT_NATS_CREDS/);
  });

  it("whose settings name files that are not there says which", () => {
    const open = (more: Partial<NatsSettings>) => () =>
      createPoolTranscriber({ nats: { ...servers.gateway, ...more }, log: () => {} });
    expect(open({ credentialsPath: "/not/there" })).toThrow(/EARSHOT_NATS_CREDS names \/not\/there/);
    expect(open({ caPath: "/not/there" })).toThrow(/EARSHOT_NATS_CA names \/not\/there/);
    expect(open({ credentialsPath: servers.gateway.caPath ?? "" })).toThrow(/neither a .creds file nor the seed/);
  });

  it("whose server is not there yet starts without it, says so, and works once it comes", async () => {
    const rig = createPoolRig(await startPoolServers({ areStarted: false }));
    try {
      const gateway = rig.gateway();
      const worker = rig.worker("early");
      const engine = await gateway.engine("demo");
      expect(engine.notes.join()).toMatch(/cannot be reached \(ECONNREFUSED\): trying again until it answers/);
      const run = transcribing(gateway, sample("standup.flac"));
      await vi.waitUntil(() => run.reasons.includes("connection"), { timeout: 10_000 });
      await vi.waitUntil(() => worker.output().includes("cannot be reached"), { timeout: 30_000 });
      await rig.servers.servers[0]?.start();
      expect((await run.result).text).not.toBe("");
      expect(await gateway.engine("demo")).toMatchObject({ model: "demo", device: "cpu" });
      expect(rig.told.filter((line) => line.includes("cannot be reached"))).toHaveLength(1);
    } finally {
      await rig.close();
    }
  });

  it("lets a machine wait for the first gateway, and tells it from there", async () => {
    const fresh = await startPoolServers();
    const machine = startWorker("first", fresh.worker);
    let pool: PoolTranscriber | undefined;
    try {
      await vi.waitUntil(() => machine.output().includes("There is no pool on this NATS server yet"), {
        timeout: 30_000,
      });
      pool = createPoolTranscriber({ nats: fresh.gateway, log: () => {} });
      await vi.waitUntil(() => pool?.members().length === 1, { timeout: 30_000 });
    } finally {
      await machine.kill();
      await pool?.close();
      await fresh.close();
    }
  });

  it("is looked at by the doctor, with a gateway's rights and with a machine's", async () => {
    const rig = createPoolRig(await startPoolServers());
    try {
      const gateway = rig.gateway();
      rig.worker("one");
      await vi.waitUntil(() => gateway.members().length === 1, { timeout: 30_000 });
      const asGateway = await examine(rig.servers.gateway);
      expect(asGateway).toMatch(/ok +pool .*rights of a gateway/);
      expect(asGateway).toMatch(/one: demo on cpu/);
      expect(await examine(rig.servers.worker)).toMatch(/ok +pool .*rights of a worker/);
      await rig.servers.servers[0]?.kill();
      expect(await examine(rig.servers.gateway)).toMatch(/mend +pool .*cannot be reached/);
    } finally {
      await rig.close();
    }
  });

  it("gives a machine no more than it needs", async () => {
    const pool = createPoolTranscriber({ nats: servers.gateway, log: () => {} });
    await pool.engine("demo");
    const { credentialsPath = "", caPath = "", servers: urls } = servers.worker;
    const nc = await connect({
      servers: [...urls],
      authenticator: nkeyAuthenticator(readFileSync(credentialsPath)),
      tls: { ca: readFileSync(caPath, "utf8") },
      inboxPrefix: "_INBOX_worker",
    });
    const violations: string[] = [];
    void (async () => {
      for await (const status of nc.status()) {
        if (status.type === "error" && status.error instanceof PermissionViolationError) {
          violations.push(`${status.error.operation} ${status.error.subject}`);
        }
      }
    })();
    try {
      const jsm = await jetstreamManager(nc);
      const js = jetstream(nc);
      await expect(jsm.streams.add({ name: "MINE", subjects: ["mine"] })).rejects.toThrow();
      await expect(jsm.streams.delete("EARSHOT_LOG")).rejects.toThrow();
      await expect(jsm.streams.purge("EARSHOT_WORK")).rejects.toThrow();
      await expect(js.publish("earshot.work.demo.short.abc", "{}")).rejects.toThrow();
      await expect(js.publish("$O.earshot-audio.C.abc", "x")).rejects.toThrow();
      for (const subject of ["_INBOX_gateway.>", "earshot.log.*", "earshot.work.>", ">"]) {
        nc.subscribe(subject, { callback: () => {} });
      }
      await nc.flush();
      await vi.waitUntil(() => violations.length >= 9, { timeout: 10_000 });
    } finally {
      await nc.close();
      await pool.close();
    }
  });
});

describe("earshot worker", () => {
  it.each([
    [[], /--nats is missing/],
    [["--nats", "nats://127.0.0.1:1", "extra"], /does not take "extra"/],
    [["--nats", "nats://127.0.0.1:1", "--device", "abacus"], /--device must be one of/],
  ])("%j is a wrong command line", async (argv, sentence) => {
    const { io, text } = terminal();
    expect(await worker(argv, io)).toBe(2);
    expect(text()).toMatch(sentence);
  });

  it("explains itself", async () => {
    const { io, text } = terminal();
    expect(await worker(["--help"], io)).toBe(0);
    expect(text()).toMatch(/one of a pool.*--nats URL.*EARSHOT_NATS_CREDS.*docs\/pool\.md/s);
    expect(
      Math.max(
        ...text()
          .split("\n")
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(80);
  });
});

function terminal() {
  const out = new PassThrough();
  let said = "";
  out.on("data", (bytes) => {
    said += bytes;
  });
  const io = { stdin: new PassThrough(), stdout: out, stderr: out, env: {}, signal: new AbortController().signal };
  return { io, text: () => said };
}

/** What the doctor says, on one line each. */
async function examine(nats: NatsSettings): Promise<string> {
  const { io, text } = terminal();
  await doctor(natsArguments(nats), { ...io, env: { ...process.env } });
  return text().replace(/\n {20,}/g, " ");
}
