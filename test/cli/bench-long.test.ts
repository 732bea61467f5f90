import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import { writeLongRecording } from "../../src/cli/bench/long-recording.ts";
import type { LongResult } from "../../src/cli/bench/long-table.ts";
import { samplesOf } from "../../src/cli/bench/wav.ts";
import { bench } from "../../src/cli/bench.ts";
import type { Io } from "../../src/cli/io.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-bench-long-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function run(argv: readonly string[], signal = new AbortController().signal) {
  const texts = { stdout: "", stderr: "" };
  const sink = (name: keyof typeof texts) =>
    new Writable({
      write(chunk, _encoding, done) {
        texts[name] += chunk;
        done();
      },
    });
  const io: Io = { stdin: Readable.from([]), stdout: sink("stdout"), stderr: sink("stderr"), env: {}, signal };
  return { exitCode: await bench(["long", ...argv], io), ...texts };
}

it("goes every way through a recording, counts what was done, and says who did not run", async () => {
  const json = join(folder, "figures.json");
  const argv = ["--models", "demo", "--minutes", "0.8", "--rounds", "1", "--memory", "0.2", "--batch-size", "2"];
  const { exitCode, stdout, stderr } = await run([...argv, "--folder", join(folder, "made"), "--json", json]);
  expect([exitCode, stderr]).toEqual([0, ""]);
  const [result, series] = JSON.parse(await readFile(json, "utf8")) as LongResult[];
  expect(Object.keys(result!.runs)).toEqual(["Earshot sequential", "Earshot sequential, VAD", "Earshot batched, VAD"]);
  for (const [name, [only]] of Object.entries(result!.runs)) {
    expect(stdout).toContain(`  ${name} `);
    expect(only!.duration, name).toBeCloseTo(48);
    expect(only!.windows, name).toBeGreaterThan(1);
    expect(only!.tokens, name).toBeGreaterThan(5);
    expect(only!.wordErrors, name).toBeLessThan(1.5);
    expect(only!.outside, name).toBeGreaterThan(0);
    expect(only!.outside! + only!.voiceDetection!, name).toBeLessThan(1);
    expect(only!.peakBytes, name).toBeGreaterThan(50e6);
  }
  const voiceDetection = Object.values(result!.runs).map(([only]) => only!.voiceDetection!);
  expect(Math.abs(voiceDetection[0]!)).toBeLessThan(0.02);
  expect(Math.min(...voiceDetection.slice(1))).toBeGreaterThan(0.005);
  expect(stdout).toMatch(/^demo, 0\.2 minutes, batched, 8 tokens a window: peak \d+ MB$/m);
  // Never more than were asked for in each window, whatever the weights write.
  const [short] = series!.runs["Earshot batched, VAD"]!;
  expect(short!.tokens! / short!.windows!).toBeLessThanOrEqual(8);
  expect(stdout).toMatch(/^demo, a voice note of 10 s through the inference child: cold \d+ ms, warm \d+ ms$/m);
  expect(stdout).toContain("whisper.cpp: not run: --whisper-cpp takes the folder of its programs");
}, 240_000);

it("makes a recording of exactly the length that is asked for, the same each time", async () => {
  const [a, b] = [join(folder, "a.wav"), join(folder, "b.wav")];
  const { seconds, said } = await writeLongRecording(a, 0.2);
  await writeLongRecording(b, 0.2);
  expect(seconds).toBe(12);
  expect(said.split(" ").length).toBeGreaterThan(3);
  expect(await readFile(a)).toEqual(await readFile(b));
  const samples = await samplesOf(a);
  expect(samples).toHaveLength(192_000);
  expect(samples.some((sample) => Math.abs(sample) > 0.05)).toBe(true);
});

it("explains itself, says what is wrong, and stops at Ctrl-C", async () => {
  const help = await run(["--help"]);
  for (const option of ["--minutes", "--memory", "--batch-size", "--whisper-cpp", "--quick"]) {
    expect(help.stdout).toContain(option);
  }
  const wrong = await run(["--minutes", "0", "--hours", "1"]);
  expect(wrong.exitCode).toBe(2);
  expect(wrong.stderr).toContain("--minutes must be");
  expect(wrong.stderr).toContain("There is no option --hours.");
  const stopped = await run(["--minutes", "0.1", "--models", "demo", "--folder", folder], AbortSignal.abort());
  expect([stopped.exitCode, stopped.stderr]).toEqual([130, "Stopped. Runs that were not finished are not counted.\n"]);
});
