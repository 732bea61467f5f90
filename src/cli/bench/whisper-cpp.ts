// whisper.cpp under measurement: its own command line, whose timings are read.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceError, UserError } from "../../core/errors.ts";
import { writeGgml } from "./ggml.ts";
import { peakMemory } from "./peak-memory.ts";
import { timed } from "./stopwatch.ts";
import { writeWav } from "./wav.ts";
import { type Engine, noise, PROMPT_TOKENS, type Round, type Speech, type SpeechFiles, WINDOW_TOKENS } from "./work.ts";

const CLASSES = { f16: "float", q8_0: "int8", q4_0: "int4" } as const;
const MEMORY_POLL_MS = 20;

export interface WhisperCppOptions {
  /** The folder with whisper-cli and, for int8, whisper-quantize. */
  readonly binaries: string;
  readonly modelFolder: string;
  /** Where the ggml files are kept: made once. */
  readonly ggmlFolder: string;
  readonly modelName: string;
  readonly threads: number;
  readonly weights: keyof typeof CLASSES;
  /** Whether a GPU that it could find is left alone. */
  readonly onCpu: boolean;
  readonly signal: AbortSignal;
}

/** @throws UserError not_found; InferenceError child_died */
export async function startWhisperCpp(options: WhisperCppOptions): Promise<Engine> {
  const { binaries, threads, weights, onCpu, signal } = options;
  const cli = program(binaries, "whisper-cli");
  const model = await ggmlFile(options);
  const folder = await mkdtemp(join(tmpdir(), "earshot-bench-"));
  const wav = join(folder, "noise.wav");
  await writeWav(wav, noise());
  let peak: number | undefined;

  async function run(parameters: readonly string[]): Promise<Output> {
    const always = [
      "-m",
      model,
      "-t",
      String(threads),
      "-l",
      "en",
      "-bs",
      "1",
      "-bo",
      "1",
      "-nf",
      ...(onCpu ? ["-ng"] : []),
    ];
    const output = await collectOutput(cli, [...always, ...parameters], signal);
    if (output.peakBytes !== undefined) peak = Math.max(peak ?? 0, output.peakBytes);
    return output;
  }

  return {
    name: `whisper.cpp ${weights}`,
    precisionClass: CLASSES[weights],
    description: `whisper-cli, ${weights}, flash attention on`,
    weightBytes: statSync(model).size,
    async round(): Promise<Round> {
      // Random weights and noise never reach the end of text: each window has the 220 tokens that it may have.
      const bare = timings((await run(["-f", wav, "-nt"])).stderr);
      const prompted = timings((await run(["-f", wav, "-nt", "--prompt", longPrompt, ...promptLimit])).stderr);
      const token = (bare.decode.ms + bare.sample.ms) / bare.decode.runs;
      const prompt = prompted.prompt.ms;
      const window = prompted.mel.ms + prompted.encode.ms + prompt + WINDOW_TOKENS * token;
      const outside = (prompted.mel.ms + WINDOW_TOKENS * (bare.sample.ms / bare.decode.runs)) / window;
      return { mel: bare.mel.ms, encode: bare.encode.ms, token, prompt, window, outside };
    },
    async speech({ paths, longPath }: SpeechFiles): Promise<Speech> {
      const long = await run(["-f", longPath]);
      const firstSegmentMs = long.firstLineMs - timings(long.stderr).load.ms;
      const bases = paths.map((_, i) => join(folder, String(i)));
      const files = paths.flatMap((path, i) => ["-f", path, "-of", bases[i] ?? ""]);
      const [output, wallMs] = await timed(() => run([...files, "-otxt"]));
      const texts = await Promise.all(bases.map((base) => readFile(`${base}.txt`, "utf8").catch(() => "")));
      return { texts, wallMs: wallMs - timings(output.stderr).load.ms, firstSegmentMs };
    },
    peakBytes: async () => peak,
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/** More tokens than fit, of which the last 200 are kept. */
const longPrompt = "a glossary of terms ".repeat(PROMPT_TOKENS);
const promptLimit = ["-mc", String(PROMPT_TOKENS + 1)];

export function program(binaries: string, name: string): string {
  const path = join(binaries, process.platform === "win32" ? `${name}.exe` : name);
  if (existsSync(path)) return path;
  throw new UserError(
    "not_found",
    `${path} is missing: --whisper-cpp takes the folder that whisper.cpp was built into.`,
  );
}

export async function ggmlFile({
  binaries,
  modelFolder,
  ggmlFolder,
  modelName,
  weights,
  signal,
}: Omit<WhisperCppOptions, "threads" | "onCpu">) {
  const path = (kind: string) => join(ggmlFolder, `ggml-${modelName}-${kind}.bin`);
  const graph = statSync(join(modelFolder, "onnx", "encoder_model.onnx"));
  const isCurrent = (file: string) => existsSync(file) && statSync(file).mtimeMs >= graph.mtimeMs;
  if (!isCurrent(path("f16"))) await writeGgml(modelFolder, path("f16"));
  if (weights !== "f16" && !isCurrent(path(weights))) {
    await collectOutput(program(binaries, "whisper-quantize"), [path("f16"), path(weights), weights], signal);
  }
  return path(weights);
}

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
  /** From the start of the process to its first line of text. */
  readonly firstLineMs: number;
  readonly peakBytes: number | undefined;
}

export async function collectOutput(path: string, parameters: readonly string[], signal: AbortSignal): Promise<Output> {
  const startedAt = performance.now();
  const child = spawn(path, parameters, { stdio: ["ignore", "pipe", "pipe"], signal });
  const watch = watchMemory(child);
  let stdout = "";
  let stderr = "";
  let firstLineMs = Number.NaN;
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString("latin1");
    if (Number.isNaN(firstLineMs) && /\S/.test(stdout)) firstLineMs = performance.now() - startedAt;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("latin1");
  });
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  }).finally(watch.stop);
  signal.throwIfAborted();
  if (exitCode !== 0) {
    throw new InferenceError("child_died", `${path} failed: ${stderr.trim().split("\n").at(-1) ?? "no reason given"}`);
  }
  return { stdout, stderr, firstLineMs, peakBytes: watch.peakBytes() };
}

function watchMemory(child: ChildProcess) {
  let peak: number | undefined;
  const timer = setInterval(async () => {
    const bytes = await peakMemory(child.pid ?? 0);
    if (bytes !== undefined) peak = bytes;
  }, MEMORY_POLL_MS);
  return { stop: () => clearInterval(timer), peakBytes: () => peak };
}

interface Timing {
  readonly ms: number;
  readonly runs: number;
}

type TimingName = "load" | "mel" | "sample" | "encode" | "decode" | "prompt";

/** Ref: ggml-org/whisper.cpp whisper_print_timings; a prompt of fewer than 16 tokens is counted under "batchd". */
export function timings(stderr: string): Readonly<Record<TimingName, Timing>> {
  const read = (name: TimingName): Timing => {
    const match = new RegExp(`${name} time = +([\\d.]+) ms(?: / +(\\d+) runs)?`).exec(stderr);
    if (!match) throw new InferenceError("child_died", `whisper-cli printed no ${name} time. Use a newer build of it.`);
    return { ms: Number(match[1]), runs: Number(match[2] ?? 1) };
  };
  return {
    load: read("load"),
    mel: read("mel"),
    sample: read("sample"),
    encode: read("encode"),
    decode: read("decode"),
    prompt: read("prompt"),
  };
}
