// `earshot transcribe FOLDER --pool`: a real nats-server, real workers, the demo model; stopped, killed and gone on with.
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { transcribe } from "../../src/cli/transcribe.ts";
import {
  hasNats,
  natsArguments,
  type PoolServers,
  startPoolServers,
  startWorker,
  type WorkerProcess,
} from "../support/nats.ts";
import { speechPath } from "../support/speech.ts";
import { type TerminalOptions, terminal } from "../support/terminal.ts";

vi.setConfig({ testTimeout: 120_000 });

const CLIPS = ["clean_000", "clean_001", "clean_002", "clean_004"];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-bulk-pool-"));
  await mkdir(join(folder, "in"));
  for (const clip of CLIPS) await copyFile(speechPath(clip), join(folder, "in", `${clip}.flac`));
  await writeFile(join(folder, "in", "bad.mp3"), "no sound at all");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function run(argv: readonly string[], options?: TerminalOptions) {
  const shown = terminal(options);
  const asked = [join(folder, "in"), "--model", "demo", "--language", "en", "-f", "txt", "--json-lines", ...argv];
  return { exitCode: await transcribe(asked, shown.io), ...shown };
}
const textOf = (clip: string) => readFile(join(folder, "in", `${clip}.txt`), "utf8");

describe.skipIf(!hasNats)("a pool", () => {
  let servers: PoolServers;
  let workers: WorkerProcess[];
  beforeAll(async () => {
    servers = await startPoolServers();
    workers = ["one", "two"].map((name) => startWorker(name, servers.worker));
  });
  afterAll(async () => {
    for (const worker of workers) await worker.kill("SIGTERM");
    await servers?.close();
  });

  it("transcribes a folder as this machine would, says what failed, and sums up", async () => {
    const { exitCode, stderr } = await run([...natsArguments(servers.gateway)]);
    expect(stderr()).toMatch(/Skipping bad\.mp3: bad\.mp3 is not audio or video/);
    expect(exitCode).toBe(1);
    expect(stderr()).toMatch(/4 of 5 recordings done, 1 failed/);
    const texts = await Promise.all(CLIPS.map(textOf));
    await run(["--overwrite", "--device", "cpu", "--beam_size", "None"]);
    expect(await Promise.all(CLIPS.map(textOf))).toEqual(texts);
  });

  it("goes on after Ctrl-C, also when a worker dies meanwhile", async () => {
    const nats = natsArguments(servers.gateway);
    const stopped = await run([...nats, "--parallel", "1"], {
      onStdout: (text, interrupt) => text.includes('"done"') && interrupt.abort(),
    });
    expect(stopped.exitCode).toBe(130);
    expect(stopped.stderr()).toContain("The same command goes on with the rest.");
    await workers[0]?.kill("SIGKILL");
    const rest = await run(nats);
    expect(rest.stderr()).toMatch(/4 of 5 recordings done, [1-3] of them before, 1 failed/);
    for (const clip of CLIPS) expect((await textOf(clip)).length).toBeGreaterThan(10);
  });
});

describe("a pool that is asked for wrongly", () => {
  it("needs an address, and does not hear of options for this machine", async () => {
    const { exitCode, stderr } = await run(["--pool", "--beam_size", "3", "--clip_timestamps", "0,10"]);
    expect(exitCode).toBe(2);
    expect(stderr()).toContain("--pool needs the address of its NATS server");
    expect(stderr()).toContain("--beam_size is for this machine and does not reach a pool");
    expect(stderr()).toContain("--clip_timestamps is for this machine");
  });
});
