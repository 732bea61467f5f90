// `--model auto` at the first start: it fetches the recommended model, and goes on with the demo model where it cannot.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { transcribe } from "../../src/cli/transcribe.ts";
import { autoModel } from "../../src/inference/auto-model.ts";
import { demoFolder, installedModels } from "../../src/inference/models.ts";
import { type HubServer, startHubServer } from "../support/hub-server.ts";
import { speechPath } from "../support/speech.ts";
import { terminal } from "../support/terminal.ts";

const QUICK = ["--device", "cpu", "--threads", "1", "--language", "en", "--temperature_increment_on_fallback", "None"];
const RECOMMENDED = "onnx-community/whisper-base_timestamped";

vi.setConfig({ testTimeout: 240_000 });

let hub: HubServer;
let folder: string;
let env: Record<string, string>;

beforeEach(async () => {
  hub = await startHubServer();
  folder = await mkdtemp(join(tmpdir(), "earshot-auto-"));
  env = { EARSHOT_MODELS: join(folder, "models"), HF_ENDPOINT: hub.endpoint };
});

afterEach(async () => {
  await hub.close();
  await rm(folder, { recursive: true, force: true });
});

async function run(signal?: AbortSignal) {
  const shown = terminal();
  const io = { ...shown.io, env, ...(signal ? { signal } : {}) };
  const exitCode = await transcribe([speechPath("clean_000"), ...QUICK, "-o", join(folder, "out")], io);
  return { exitCode, stderr: shown.stderr() };
}

/** The demo model's own files under the name of a real one: what is in them is not the point. */
async function publish(): Promise<void> {
  const files = new Map<string, Buffer>();
  for (const name of await readdir(demoFolder)) {
    if (name.endsWith(".json")) files.set(name, await readFile(join(demoFolder, name)));
  }
  for (const name of await readdir(join(demoFolder, "onnx"))) {
    if (name.endsWith(".onnx")) files.set(`onnx/${name}`, await readFile(join(demoFolder, "onnx", name)));
  }
  hub.repos.set(RECOMMENDED, files);
}

describe("with a hub", () => {
  it("fetches the recommended model once, and transcribes with it", async () => {
    await publish();
    const first = await run();
    expect(first.exitCode).toBe(0);
    expect(first.stderr).toContain("There is no model on this machine yet: fetching base, once.\n");
    expect(first.stderr).toMatch(/base is ready: \d+ MB in /);
    expect(first.stderr).toContain("model base on CPU");
    expect(first.stderr).not.toContain("Demo model");
    const requests = hub.requests.length;
    const second = await run();
    expect(second.stderr).not.toContain("fetching");
    expect(hub.requests.length).toBe(requests);
  });

  it("stops at Ctrl-C, and goes on from there the next time", async () => {
    await publish();
    hub.faults.push({ path: ".onnx", kind: { stallAfterBytes: 100_000 } });
    const controller = new AbortController();
    const stopping = run(controller.signal);
    await vi.waitFor(() => expect(hub.requests.some(({ server }) => server === "cdn")).toBe(true), 10_000);
    controller.abort();
    const stopped = await stopping;
    expect(stopped.exitCode).toBe(130);
    expect(stopped.stderr).toContain("Stopped. The same command goes on from here.");
    expect(installedModels(env)).toEqual([]);
    expect((await run()).stderr).toContain("model base on CPU");
  });
});

describe("without one", () => {
  it.each<[string, () => Promise<string>]>([
    [
      "nobody listens there",
      async () => {
        const server = createServer().listen(0, "127.0.0.1");
        await new Promise((resolve) => server.once("listening", resolve));
        const { port } = server.address() as AddressInfo;
        await new Promise((resolve) => server.close(resolve));
        return `http://127.0.0.1:${port}`;
      },
    ],
    ["it has no such model", async () => hub.endpoint],
  ])("says so and lets the demo model serve: %s", async (_, endpoint) => {
    env = { ...env, HF_ENDPOINT: await endpoint() };
    const { exitCode, stderr } = await run();
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/base could not be fetched\. http:\/\/127.+(cannot be reached|has none of)/);
    expect(stderr).toContain("Demo model: ");
    expect(stderr).toContain("model demo on CPU");
  });
});

describe("autoModel", () => {
  it("names what is missing, lets the demo model serve meanwhile, and fetches it for another part of Earshot", async () => {
    await publish();
    const { serving, missing } = await autoModel({ device: "cpu", env });
    expect(serving.isDemo).toBe(true);
    expect(missing?.name).toBe("base");
    await missing?.fetch({ signal: new AbortController().signal });
    expect(await autoModel({ device: "cpu", env })).toEqual({
      serving: { name: "base", path: join(folder, "models", "base"), isDemo: false, notes: [] },
    });
    // A model that is there and does not fit is no reason to fetch another.
    expect(await autoModel({ device: "cpu", env, memoryBytes: 1e6 })).toEqual({
      serving: expect.objectContaining({ isDemo: true }),
    });
  });
});
