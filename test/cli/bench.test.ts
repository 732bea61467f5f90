import { closeSync, openSync, readSync, statSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeGgml } from "../../src/cli/bench/ggml.ts";
import { type BenchReport, median, spread } from "../../src/cli/bench/results.ts";
import { timings } from "../../src/cli/bench/whisper-cpp.ts";
import { wordErrorRate } from "../../src/cli/bench/words.ts";
import { bench } from "../../src/cli/bench.ts";
import type { Io } from "../../src/cli/io.ts";
import { readModelConfig } from "../../src/inference/model-config.ts";
import { demoFolder } from "../../src/inference/models.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-bench-test-"));
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
  return { exitCode: await bench(argv, io), ...texts };
}

describe("earshot bench", () => {
  it("measures the demo model in every layout, says who did not run and why, and writes all of it as JSON", async () => {
    const json = join(folder, "figures.json");
    const made = join(folder, "made");
    const argv = ["--quick", "--models", "demo", "--rounds", "1", "--folder", made, "--json", json];
    const { exitCode, stdout, stderr } = await run([...argv, "--whisper-cpp", folder]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout.split("\n").filter((line) => line.length > 100)).toEqual([]);
    expect(stdout).toMatch(/^demo, 1 thread$/m);
    const figure = String.raw` +\d+(\.\d+)? +\d+\.\d+x`;
    for (const name of ["public fp32", "fast fp32", "fast int8", "fast int4"]) {
      expect(stdout).toMatch(new RegExp(`^ {4}Earshot ${name}(${figure}){5} +-?\\d+\\.\\d% +(\\d+|-)$`, "m"));
      expect(stdout).toMatch(new RegExp(`^ {4}Earshot ${name} +\\d+\\.\\d +\\d+\\.\\dx +\\d+ ms +\\d+\\.\\d%$`, "m"));
    }
    const unwrapped = stdout.replaceAll(/\s+/g, " ");
    expect(unwrapped).toMatch(/whisper\.cpp f16: not run: .*whisper-cli is missing: --whisper-cpp takes the folder/);
    expect(unwrapped).toMatch(/transformers\.js fp32: not run: --peers takes a folder/);

    const report = JSON.parse(await readFile(json, "utf8")) as BenchReport;
    const engines = report.models.flatMap((model) => model.engines);
    expect(engines.length).toBeGreaterThanOrEqual(4);
    for (const { name, rounds, weightBytes } of engines) {
      expect(weightBytes).toBeGreaterThan(1e6);
      expect(rounds).toHaveLength(1);
      const [{ mel, encode, token, prompt, window, outside }] = rounds as [
        BenchReport["models"][0]["engines"][0]["rounds"][0],
      ];
      for (const time of [mel, encode, token, prompt, window]) expect(time, name).toBeGreaterThan(0);
      // A whole window holds the encoder and 100 tokens; what is outside of the operators is a part of it.
      expect(window, name).toBeGreaterThan(token);
      expect(outside, name).toBeGreaterThan(0);
      expect(outside, name).toBeLessThan(1);
    }
    const float = report.speech[0]?.engines.filter(({ name }) => name.endsWith("fp32"));
    // The same weights in float32 hear the same words, whatever the layout.
    expect(new Set(float?.map(({ texts }) => texts.join("\n"))).size).toBe(1);
  }, 240_000);

  it("says everything that is wrong with a command line", async () => {
    const { exitCode, stdout, stderr } = await run(["--modles", "tiny", "--rounds=0", "--device", "abacus", "fast"]);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("earshot bench: There is no option --modles. Did you mean --models?\n");
    expect(stderr).toContain('--rounds must be a whole number of at least 1, not "0".');
    expect(stderr).toContain("--device must be one of");
    expect(stderr).toContain("fast is not an option.");
  });

  it("explains its options", async () => {
    const { exitCode, stdout } = await run(["--help"]);
    expect(exitCode).toBe(0);
    for (const option of ["--models", "--threads", "--rounds", "--quick", "--whisper-cpp", "--peers", "--json"]) {
      expect(stdout).toContain(option);
    }
  });

  it("stops at Ctrl-C", async () => {
    const stopped = await run(["--quick", "--models", "demo", "--folder", folder], AbortSignal.abort());
    expect([stopped.exitCode, stopped.stderr]).toEqual([
      130,
      "Stopped. Rounds that were not finished are not counted.\n",
    ]);
  });
});

describe("the file for whisper.cpp", () => {
  it("holds every tensor of the demo model under the name and sizes that whisper.cpp looks for", async () => {
    const { dims } = await readModelConfig(demoFolder);
    const path = join(folder, "ggml-demo.bin");
    await writeGgml(demoFolder, path);
    expect(await readdir(folder)).toEqual(["ggml-demo.bin"]);
    const { sizes, tensors } = readGgml(path);
    expect(sizes).toEqual([
      51865,
      dims.nAudioCtx,
      dims.nAudioState,
      dims.nAudioHead,
      dims.nAudioLayer,
      dims.nTextCtx,
      dims.nTextState,
      dims.nTextHead,
      dims.nTextLayer,
      dims.nMels,
      1,
    ]);
    // Ref: ggml-org/whisper.cpp whisper_model_load: 10 tensors outside of the layers, 15 and 24 in each.
    expect(tensors.size).toBe(11 + 15 * dims.nAudioLayer + 24 * dims.nTextLayer);
    expect(tensors.get("encoder.conv1.weight")).toEqual([3, dims.nMels, dims.nAudioState]);
    expect(tensors.get("encoder.conv1.bias")).toEqual([1, dims.nAudioState]);
    expect(tensors.get("decoder.token_embedding.weight")).toEqual([dims.nTextState, 51865]);
    expect(tensors.get("decoder.blocks.0.cross_attn.key.weight")).toEqual([dims.nTextState, dims.nTextState]);
    expect(tensors.get("encoder.blocks.0.mlp.0.weight")).toEqual([dims.nAudioState, 4 * dims.nAudioState]);
    expect(tensors.has("encoder.ln_post.weight") && tensors.has("decoder.ln.bias")).toBe(true);
  });
});

/** Walks through a whole ggml file; throws when its parts do not end where the file does. */
function readGgml(path: string): { sizes: number[]; tensors: Map<string, number[]> } {
  const file = openSync(path, "r");
  let at = 0;
  const bytes = (count: number) => {
    const buffer = Buffer.alloc(count);
    at += readSync(file, buffer, 0, count, at);
    return buffer;
  };
  const int32s = (count: number) => Array.from({ length: count }, () => bytes(4).readInt32LE());
  expect(int32s(1)).toEqual([0x67676d6c]);
  const sizes = int32s(11);
  const [nMels = 0, nFrequencies = 0] = int32s(2);
  at += 4 * nMels * nFrequencies;
  const [nTokens = 0] = int32s(1);
  for (let i = 0; i < nTokens; i++) {
    const [length = 0] = int32s(1);
    at += length;
  }
  const tensors = new Map<string, number[]>();
  while (at < statSync(path).size) {
    const [nDims = 0, nameLength = 0, type = 0] = int32s(3);
    const shape = int32s(nDims);
    tensors.set(bytes(nameLength).toString(), shape);
    at += (type === 1 ? 2 : 4) * shape.reduce((product, size) => product * size, 1);
  }
  expect(at).toBe(statSync(path).size);
  closeSync(file);
  return { sizes, tensors };
}

describe("figures", () => {
  it("reads whisper.cpp's timings", () => {
    const printed = `
whisper_print_timings:     load time =    69.06 ms
whisper_print_timings:     fallbacks =   0 p /   0 h
whisper_print_timings:      mel time =   132.50 ms
whisper_print_timings:   sample time =    12.72 ms /     1 runs (    12.72 ms per run)
whisper_print_timings:   encode time =   768.46 ms /     1 runs (   768.46 ms per run)
whisper_print_timings:   decode time =   731.48 ms /   106 runs (     6.90 ms per run)
whisper_print_timings:   batchd time =    49.22 ms /     3 runs (    16.41 ms per run)
whisper_print_timings:   prompt time =   300.25 ms /   205 runs (     1.46 ms per run)
whisper_print_timings:    total time = 19048.23 ms
`;
    const { mel, decode, prompt } = timings(printed);
    expect([mel, decode, prompt]).toEqual([
      { ms: 132.5, runs: 1 },
      { ms: 731.48, runs: 106 },
      { ms: 300.25, runs: 205 },
    ]);
    expect(() => timings("whisper_print_timings: nothing")).toThrow("whisper-cli printed no load time");
  });

  it("takes the middle of an odd and of an even number of rounds, and how far the quarters are apart", () => {
    const rounds = [100, 400, 200, 300].map((window) => ({
      mel: 1,
      encode: 1,
      token: 1,
      prompt: 1,
      window,
      outside: 0,
    }));
    expect(median(rounds, "window")).toBe(250);
    expect(median(rounds.slice(1), "window")).toBe(300);
    expect(spread(rounds)).toBeCloseTo(150 / 250);
  });

  it("counts wrong words, not capitals or full stops", () => {
    expect(wordErrorRate(["Ticket 694 is open.", "Who knows?"], ["ticket 694 is open", "Who knows"])).toBe(0);
    expect(wordErrorRate(["Ticket 694 is open.", ""], ["ticket 649 is", "um"])).toBe(3 / 4);
  });
});
