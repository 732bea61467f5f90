// `earshot bench long`: a recording of an hour by every way through it, beside whisper.cpp, and the memory that it takes.
import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceError, UserError } from "../../core/errors.ts";
import { optimizeModel } from "../../inference/onnx/optimize.ts";
import { type OptionTable, parseArguments, type ValuesOf } from "../arguments.ts";
import { formatOptions } from "../help.ts";
import type { Io } from "../io.ts";
import { choice, flag, integer, list, number, orNone, text } from "../kinds.ts";
import type { LongFigures, LongOptions } from "./long-child.ts";
import { type LongRecording, writeLongRecording } from "./long-recording.ts";
import { type LongResult, longTable, type Run } from "./long-table.ts";
import { describeMachine, loadAverage } from "./machine.ts";
import { benchModel, MODEL_NAMES } from "./models.ts";
import { measureVoiceNote } from "./voice-note.ts";
import { collectOutput, ggmlFile, program, timings } from "./whisper-cpp.ts";
import { wordErrorRate } from "./words.ts";

const group = "Options";
const PRECISIONS = ["int8", "int4", "float32"] as const;

const OPTIONS = {
  models: {
    group,
    kind: list(choice(MODEL_NAMES), "NAMES", `one or several of ${MODEL_NAMES.join(",")}`),
    fallback: ["demo", "tiny", "base"],
    fallbackText: "demo,tiny,base",
    help: "the demo model, and others by name with random weights",
  },
  minutes: { group, kind: number({ above: 0 }), fallback: 60, help: "how long the recording is" },
  memory: {
    group,
    kind: list(number({ above: 0 }), "MINUTES", "one or several numbers"),
    fallback: [10, 60, 180],
    fallbackText: "10,60,180",
    help: "lengths of the recordings whose peak memory is compared",
  },
  precision: { group, kind: choice(PRECISIONS), fallback: "int8", help: "of the weights" },
  threads: { group, kind: integer({ atLeast: 1 }), fallback: 2, help: "threads for each engine" },
  "batch-size": { group, kind: integer({ atLeast: 1 }), fallback: 4, help: "windows that are decoded together" },
  rounds: { group, kind: integer({ atLeast: 1 }), fallback: 3, help: "times that every way is gone" },
  quick: { group, kind: flag, fallback: false, help: "demo and tiny, 5 minutes, one round, no series of lengths" },
  "whisper-cpp": {
    group,
    kind: orNone(text("FOLDER", "a folder")),
    fallback: undefined,
    help: "the folder with whisper.cpp's whisper-cli and whisper-quantize",
  },
  folder: {
    group,
    kind: text("FOLDER", "a folder"),
    fallback: "bench-models",
    help: "where models made for the measurement are kept",
  },
  json: {
    group,
    kind: orNone(text("FILE", "a file name")),
    fallback: undefined,
    help: "writes every run to this file",
  },
} as const satisfies OptionTable;

type Values = ValuesOf<typeof OPTIONS>;

const HEAD = `Usage: earshot bench long [options]

Measures a long recording made of the test speech: sequentially, with voice activity
detection, and several windows at once, beside whisper.cpp. Weights that are random
write a fixed number of tokens for each window. docs/bench.md says how to read it.

`;

/** Of a window of random weights: 30 s of quick speech; and where only the memory counts. */
const TOKENS = 100;
const FEW_TOKENS = 8;
const VOICE_NOTE_SECONDS = 10;

const WAYS = [
  { name: "Earshot sequential", way: "sequential", vad: false },
  { name: "Earshot sequential, VAD", way: "sequential", vad: true },
  { name: "Earshot batched, VAD", way: "batched", vad: true },
] as const;

/** @returns 0; 2 for a wrong command line; 130 after Ctrl-C */
export async function benchLong(argv: readonly string[], io: Io): Promise<number> {
  const { values: parsed, given, positionals, helpWanted, problems } = parseArguments(argv, OPTIONS);
  if (helpWanted) {
    io.stdout.write(HEAD + formatOptions(OPTIONS));
    return 0;
  }
  const wrong = [...problems, ...positionals.map((word) => `${word} is not an option.`)];
  if (wrong.length > 0) {
    for (const problem of wrong) io.stderr.write(`earshot bench long: ${problem}\n`);
    return 2;
  }
  const quickly = { models: ["demo", "tiny"], minutes: 5, rounds: 1, memory: [] } as const;
  const short = Object.entries(quickly).filter(([name]) => !given.has(name as keyof Values));
  const values: Values = parsed.quick ? { ...parsed, ...Object.fromEntries(short) } : parsed;
  const scratch = await mkdtemp(join(tmpdir(), "earshot-bench-long-"));
  try {
    const results = await measureAll(values, scratch, io);
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`);
    return 0;
  } catch (error) {
    if (!io.signal.aborted) throw error;
    io.stderr.write("Stopped. Runs that were not finished are not counted.\n");
    return 130;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function measureAll(values: Values, scratch: string, io: Io): Promise<readonly LongResult[]> {
  const machine = describeMachine();
  io.stdout.write(
    `${machine.cpu}, ${machine.cores} cores, ${machine.system}\nNode ${machine.node}, onnxruntime ` +
      `${machine.onnxruntime}, ${values.threads} threads, ${values.rounds} rounds, load average ${loadAverage().toFixed(2)}\n\n`,
  );
  await mkdir(values.folder, { recursive: true });
  io.signal.throwIfAborted();
  const recording = await writeLongRecording(join(scratch, "recording.wav"), values.minutes);
  const results: LongResult[] = [];
  for (const model of values.models) {
    const making = () => io.stderr.write(`Making ${model} with random weights.\n`);
    const folder = await benchModel(model, values.folder, making);
    await optimizeModel(folder, values);
    const result = await measureModel(model, folder, recording, values, scratch, io);
    results.push(result);
    io.stdout.write(`${longTable(result, recording.seconds)}\n`);
  }
  const model = values.models.find((name) => name !== "demo") ?? "demo";
  for (const minutes of values.memory) {
    const { path } = await writeLongRecording(join(scratch, "series.wav"), minutes);
    const options = { ...childOptions(join(values.folder, model), path, values), fixedTokens: FEW_TOKENS };
    const figures = await runChild({ ...options, way: "batched", vad: true }, io.signal);
    const peak = Math.round((figures.peakBytes ?? Number.NaN) / 1e6);
    io.stdout.write(`${model}, ${minutes} minutes, batched, ${FEW_TOKENS} tokens a window: peak ${peak} MB\n`);
    results.push({ model, minutes, runs: { "Earshot batched, VAD": [figures] }, notRun: undefined });
  }
  if (values.models.includes("demo")) await tellVoiceNote(values, scratch, io);
  io.stdout.write(`Load average at the end: ${loadAverage().toFixed(2)}\n`);
  return results;
}

async function tellVoiceNote(values: Values, scratch: string, io: Io): Promise<void> {
  const { path } = await writeLongRecording(join(scratch, "note.wav"), VOICE_NOTE_SECONDS / 60);
  const folder = resolve(values.folder, "demo");
  const { coldMs, warmMs } = await measureVoiceNote(folder, path, values.threads, 2 * values.rounds + 1, io.signal);
  const warm = warmMs.toSorted((a, b) => a - b)[values.rounds] ?? Number.NaN;
  io.stdout.write(
    `demo, a voice note of ${VOICE_NOTE_SECONDS} s through the inference child: ` +
      `cold ${Math.round(coldMs)} ms, warm ${Math.round(warm)} ms\n`,
  );
}

function childOptions(folder: string, path: string, { precision, threads, ...values }: Values) {
  return { folder, path, precision, threads, batchSize: values["batch-size"] };
}

async function measureModel(
  model: Values["models"][number],
  folder: string,
  recording: LongRecording,
  values: Values,
  scratch: string,
  io: Io,
): Promise<LongResult> {
  const runs: Record<string, Run[]> = {};
  let notRun: string | undefined;
  const base = childOptions(folder, recording.path, values);
  for (let round = 0; round < values.rounds; round++) {
    for (const { name, ...way } of WAYS) {
      io.signal.throwIfAborted();
      const fixed = model === "demo" ? {} : { fixedTokens: TOKENS };
      const figures = await runChild({ ...base, ...way, ...fixed }, io.signal);
      const errors = model === "demo" ? { wordErrors: wordErrorRate([recording.said], [figures.text]) } : {};
      const { text: _, ...rest } = figures;
      runs[name] = [...(runs[name] ?? []), { ...rest, ...errors }];
    }
    if (values["whisper-cpp"] === undefined) notRun = "--whisper-cpp takes the folder of its programs";
    else {
      const run = await whisperCpp(model, folder, recording, values["whisper-cpp"], values, scratch, io.signal);
      runs["whisper.cpp"] = [...(runs["whisper.cpp"] ?? []), run];
    }
  }
  return { model, minutes: values.minutes, runs, notRun };
}

async function runChild(options: LongOptions, signal: AbortSignal): Promise<LongFigures> {
  // The compiled file, also when this one is run from src: Node 20 runs no TypeScript.
  const path = fileURLToPath(new URL("../../../dist/cli/bench/long-child.js", import.meta.url));
  if (!existsSync(path)) throw new UserError("not_found", `${path} is missing. Run first: npm run build`);
  const child = fork(path, [JSON.stringify(options)], { stdio: ["ignore", "ignore", "pipe", "ipc"], signal });
  let figures: LongFigures | undefined;
  let complaint = "";
  child.on("message", (message) => {
    figures = message as LongFigures;
  });
  child.on("error", () => {});
  child.stderr?.on("data", (chunk: Buffer) => {
    complaint = `${complaint}${chunk}`.slice(-2000);
  });
  await new Promise((resolve) => child.once("close", resolve));
  signal.throwIfAborted();
  if (figures === undefined) throw new InferenceError("child_died", `The run of ${options.folder} died: ${complaint}`);
  return figures;
}

const WEIGHTS = { int8: "q8_0", int4: "q4_0", float32: "f16" } as const;

/** With random weights each window has the 220 tokens that it may have: the time of those beyond ours is taken off. */
async function whisperCpp(
  modelName: Values["models"][number],
  modelFolder: string,
  { path, said }: LongRecording,
  binaries: string,
  { folder: ggmlFolder, threads, precision }: Values,
  scratch: string,
  signal: AbortSignal,
): Promise<Run> {
  const isDemo = modelName === "demo";
  const model = await ggmlFile({ binaries, modelFolder, ggmlFolder, modelName, weights: WEIGHTS[precision], signal });
  const out = join(scratch, "whisper-cpp");
  const startedAt = performance.now();
  const parameters = ["-m", model, "-f", path, "-t", String(threads), "-l", "en", "-bs", "1", "-bo", "1", "-ng"];
  const more = isDemo ? ["-otxt", "-of", out] : ["-nf", "-nt"];
  const output = await collectOutput(program(binaries, "whisper-cli"), [...parameters, ...more], signal);
  const { load, decode, sample, encode } = timings(output.stderr);
  const wall = performance.now() - startedAt - load.ms;
  const surplus = isDemo ? 0 : Math.max(0, decode.runs - TOKENS * encode.runs);
  const wallMs = wall - surplus * ((decode.ms + sample.ms) / decode.runs);
  const heard = isDemo ? { wordErrors: wordErrorRate([said], [await readFile(`${out}.txt`, "utf8")]) } : {};
  return { wallMs, windows: encode.runs, tokens: decode.runs - surplus, peakBytes: output.peakBytes, ...heard };
}
