// `earshot bench gateway` on a small database, with the compiled measuring process.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { wordOfRank } from "../../src/cli/bench/gateway.ts";
import { bench } from "../../src/cli/bench.ts";
import { terminal } from "../support/terminal.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-bench-gateway-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function run(argv: readonly string[], isAborted = false) {
  const screen = terminal();
  if (isAborted) screen.interrupt.abort();
  const exitCode = await bench(["gateway", ...argv], screen.io);
  return { exitCode, stdout: screen.stdout(), stderr: screen.stderr() };
}

const small = () => ["--jobs", "20", "--transcripts", "10", "--folder", folder];

describe("earshot bench gateway", () => {
  it("measures adding, claiming, searching and memory, and leaves nothing behind", async () => {
    const { exitCode, stdout } = await run(small());
    expect(exitCode).toBe(0);
    for (const figure of [
      "event to durable job",
      "jobs added per second",
      "search, a frequent word",
      "claim",
      "memory",
    ]) {
      expect(stdout).toMatch(new RegExp(`^${figure}.*: .*\\d`, "m"));
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it("stops at Ctrl-C and cleans up", async () => {
    expect(await run(small(), true)).toMatchObject({ exitCode: 130, stderr: "Stopped.\n" });
    expect(await readdir(folder)).toEqual([]);
  });

  it("explains itself, and what is wrong with a command line", async () => {
    expect((await run(["--help"])).stdout).toContain("--transcripts");
    expect(await run(["--jobs", "1", "x"])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("x is not an"),
    });
  });

  it("makes a different word for each rank", () => {
    const words = new Set(Array.from({ length: 20_000 }, (_, rank) => wordOfRank(rank)));
    expect(words.size).toBe(20_000);
  });
});
