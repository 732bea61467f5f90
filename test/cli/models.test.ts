import { randomBytes } from "node:crypto";
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Io, Output } from "../../src/cli/io.ts";
import { models } from "../../src/cli/models.ts";
import { demoFolder } from "../../src/inference/models.ts";
import { findFastLayout } from "../../src/inference/onnx/optimize.ts";
import { type HubServer, startHubServer } from "../support/hub-server.ts";

const repo = "onnx-community/whisper-base_timestamped";
const decoder = "onnx/decoder_model_merged_quantized.onnx";

let hub: HubServer;
let folder: string;
let stopping: AbortController;

beforeEach(async () => {
  hub = await startHubServer();
  folder = await mkdtemp(join(tmpdir(), "earshot-models-"));
  stopping = new AbortController();
  hub.repos.set(
    repo,
    new Map([
      ["config.json", randomBytes(100)],
      ["generation_config.json", randomBytes(100)],
      ["preprocessor_config.json", randomBytes(100)],
      ["tokenizer.json", randomBytes(1_000)],
      ["onnx/encoder_model_quantized.onnx", randomBytes(1_200_000)],
      [decoder, randomBytes(2_000_000)],
    ]),
  );
});

afterEach(async () => {
  await hub.close();
  await rm(folder, { recursive: true, force: true });
});

function sink(terminal?: { readonly columns: number }): { readonly output: Output; text(): string } {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return { output: Object.assign(stream, terminal ? { isTTY: true, ...terminal } : {}), text: () => chunks.join("") };
}

async function earshot(argv: readonly string[], terminal?: { readonly columns: number }) {
  const [stdout, stderr] = [sink(), sink(terminal)];
  const io: Io = {
    stdin: Readable.from([]),
    stdout: stdout.output,
    stderr: stderr.output,
    env: { EARSHOT_MODELS: folder, HF_ENDPOINT: hub.endpoint },
    signal: stopping.signal,
  };
  const exitCode = await models([...argv, "--device", "cpu"], io);
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
}

describe("earshot models list", () => {
  it("fits 80 columns, with every column in line, and tells what is on disk from what can be had", async () => {
    const before = await earshot(["list"]);
    const lines = before.stdout.split("\n");
    expect(lines[0]).toBe("NAME            ON DISK  SIZE     MEMORY   SPEED  GOOD FOR");
    expect(lines).toContain("base            -        ~74 MB   ~411 MB  7x     clear speech on any CPU");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    const rows = lines.slice(0, lines.indexOf(""));
    for (const row of rows) {
      for (const column of [16, 25, 34, 43, 50]) expect(row.slice(column - 1, column + 1)).toMatch(/^ \S$/);
    }
    expect(rows.map((row) => row.split(" ")[0])).toContain("large-v3-turbo");

    await earshot(["pull", "base"]);
    const after = await earshot(["list"]);
    expect(after.stdout).toMatch(/^base +yes +3 MB /m);
  });

  it("takes no name", async () => {
    const { exitCode, stderr } = await earshot(["list", "base"]);
    expect([exitCode, stderr.split("\n")[0]]).toEqual([2, 'earshot models: "models list" does not take base.']);
  });
});

describe("earshot models pull", () => {
  it("says what came from where, and logs a line for every tenth when no terminal is there", async () => {
    const { exitCode, stdout, stderr } = await earshot(["pull", "base"]);
    expect([exitCode, stdout]).toEqual([
      0,
      `base (q8, from ${repo}) is ready: 3 MB fetched.\n${join(folder, "base")}\n`,
    ]);
    const lines = stderr.trimEnd().split("\n");
    expect(lines.at(-1)).toBe("base:100% of 3 MB");
    expect(lines.length).toBeLessThanOrEqual(11);
    expect((await earshot(["pull", "base"])).stdout).toContain("was complete already");
  });

  it("draws a bar on a terminal, no wider than that, and takes it away", async () => {
    const { stderr } = await earshot(["pull", "base"], { columns: 60 });
    const drawn = stderr.split("\r\u001b[K").filter(Boolean);
    expect(drawn.at(-1)).toMatch(/^base \[=+\] 100% of 3 MB {2}.*\/s {2}00:00 left$/);
    for (const line of drawn) expect(line.length).toBeLessThan(60);
    expect(stderr.endsWith("\r\u001b[K")).toBe(true);
  });

  it("stops on Ctrl-C with 130 and goes on the next time", async () => {
    hub.faults.push({ path: decoder, kind: { stallAfterBytes: 500_000 } });
    setTimeout(() => stopping.abort(), 1_500);
    const { exitCode, stderr } = await earshot(["pull", "base"]);
    expect(exitCode).toBe(130);
    expect(stderr).toContain("Stopped. The same command goes on from here.");
    stopping = new AbortController();
    expect((await earshot(["pull", "base"])).exitCode).toBe(0);
    expect(hub.requests.at(-1)?.sentBytes).toBe(1_500_000);
  });

  it("leaves a failure to be told in one place", async () => {
    await expect(earshot(["pull", "huge"])).rejects.toMatchObject({ code: "not_found" });
    hub.faults.push({ path: decoder, kind: { content: randomBytes(2_000_000) } });
    await expect(earshot(["pull", "base"])).rejects.toMatchObject({ code: "download_failed" });
  });
});

describe("earshot models verify", () => {
  it("exits with 1 and names the wrong file and what mends it", async () => {
    await earshot(["pull", "base"]);
    expect(await earshot(["verify", "base"])).toMatchObject({ exitCode: 0, stdout: "base: 6 files, all right.\n" });
    await writeFile(join(folder, "base", decoder), randomBytes(2_000_000));
    const { exitCode, stdout } = await earshot(["verify", "base"]);
    expect(exitCode).toBe(1);
    expect(stdout).toBe(
      `base: ${join(folder, "base", decoder)} has the wrong checksum.\nMend it: earshot models pull base\n`,
    );
  });

  it("looks at every model on disk, the demo model included", async () => {
    await earshot(["pull", "base"]);
    const { exitCode, stdout } = await earshot(["verify"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^demo: \d+ files, all right\.\nbase: 6 files, all right\.\n$/);
  });
});

describe("earshot models optimize", () => {
  it("makes fast graphs out of a model's own, which are then found", async () => {
    await cp(demoFolder, join(folder, "copy"), { recursive: true });
    const { exitCode, stdout } = await earshot(["optimize", join(folder, "copy")]);
    expect([exitCode, stdout]).toEqual([0, "copy has fast graphs in int8; from now on the CPU runs them.\n"]);
    expect(await findFastLayout(join(folder, "copy"), "int8")).toBeDefined();
  });

  it("says which precisions it can make, and what is missing", async () => {
    await expect(earshot(["optimize", "demo", "--precision", "bnb4"])).rejects.toThrow(
      /one of int8, q8, q4, fp32, not/,
    );
    await expect(earshot(["optimize", "small"])).rejects.toThrow(/earshot models pull small/);
    expect((await earshot(["optimize"])).exitCode).toBe(2);
  });
});

describe("earshot models rm", () => {
  it("deletes the model", async () => {
    await earshot(["pull", "base"]);
    expect(await earshot(["rm", "base"])).toMatchObject({ exitCode: 0, stdout: `Deleted ${join(folder, "base")}\n` });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("earshot models", () => {
  it("explains itself, and a wrong command line ends with 2", async () => {
    const help = await earshot(["--help"]);
    expect(help.exitCode).toBe(0);
    for (const line of help.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect((await earshot([])).exitCode).toBe(2);
    expect((await earshot(["fetch"])).stderr).toContain('there is no "models fetch"');
    expect((await earshot(["pull"])).stderr).toContain("say which model: earshot models pull NAME");
    expect((await earshot(["pull", "a", "b"])).stderr).toContain('"models pull" does not take b.');
    expect((await earshot(["list", "--precision", "fp8"])).stderr).toContain("--precision must be one of fp32, fp16");
  });
});
