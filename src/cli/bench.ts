// `earshot bench`: Earshot beside other engines on the same weights, in rounds that take turns.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DEVICES, type Device } from "../inference/session.ts";
import { type Option, type OptionTable, parseArguments, type ValuesOf } from "./arguments.ts";
import { type Contestant, contestants } from "./bench/engines.ts";
import { describeMachine, loadAverage } from "./bench/machine.ts";
import { benchModel, MODEL_NAMES } from "./bench/models.ts";
import type { BenchReport, EngineResult, ModelResult, NotRun, SpeechResult } from "./bench/results.ts";
import { type TestSpeech, testSpeech } from "./bench/speech-files.ts";
import { LEGEND, modelTable, speechTable } from "./bench/table.ts";
import { wordErrorRate } from "./bench/words.ts";
import type { Engine, Round } from "./bench/work.ts";
import { formatOptions } from "./help.ts";
import type { Io } from "./io.ts";
import { choice, flag, integer, list, orNone, text } from "./kinds.ts";

const what = <T>(option: Omit<Option<T>, "group">): Option<T> => ({ group: "What is measured", ...option });
const who = <T>(option: Omit<Option<T>, "group">): Option<T> => ({ group: "Who is compared", ...option });

const OPTIONS = {
  models: what({
    kind: list(choice(MODEL_NAMES), "NAMES", `one or several of ${MODEL_NAMES.join(",")}`),
    fallback: ["demo", "tiny", "base"],
    fallbackText: "demo,tiny,base",
    help: "the demo model, and others by name with random weights",
  }),
  threads: what({
    kind: list(integer({ atLeast: 1 }), "NUMBERS", "one or several whole numbers"),
    fallback: [1, 2],
    fallbackText: "1,2",
    help: "threads for each engine",
  }),
  rounds: what({ kind: integer({ atLeast: 1 }), fallback: 5, help: "times that every engine does everything" }),
  quick: what({
    kind: flag,
    fallback: false,
    help: "demo and tiny, one thread, 3 rounds, short speech: under 2 minutes",
  }),
  device: what<Device>({ kind: choice(DEVICES), fallback: "cpu", help: "where the models run" }),
  "whisper-cpp": who({
    kind: orNone(text("FOLDER", "a folder")),
    fallback: undefined,
    help: "the folder with whisper.cpp's whisper-cli and whisper-quantize",
  }),
  peers: who({
    kind: orNone(text("FOLDER", "a folder")),
    fallback: undefined,
    help: "a folder whose node_modules holds @huggingface/transformers",
  }),
  folder: what({
    kind: text("FOLDER", "a folder"),
    fallback: "bench-models",
    help: "where models made for the measurement are kept",
  }),
  json: what({
    kind: orNone(text("FILE", "a file name")),
    fallback: undefined,
    help: "writes every round of every engine to this file",
  }),
} as const satisfies OptionTable;

type Values = ValuesOf<typeof OPTIONS>;

const HEAD = `Usage: earshot bench [options]

Measures encoder, decoder, prompt, a whole 30 s window, memory and, with the demo
model, real speech. Engines take turns in each round, so that all see the same
machine. docs/bench.md says how to read the figures. Long recordings are measured
by earshot bench long, the gateway and its database by earshot bench gateway, a
pool of machines by earshot bench pool.

`;

/**
 * @returns 0; 2 for a wrong command line; 130 after Ctrl-C
 * @throws UserError, InferenceError
 */
export async function bench(argv: readonly string[], io: Io): Promise<number> {
  if (argv[0] === "gateway") return (await import("./bench/gateway.ts")).benchGateway(argv.slice(1), io);
  if (argv[0] === "pool") return (await import("./bench/pool.ts")).benchPool(argv.slice(1), io);
  if (argv[0] === "long") return (await import("./bench/long.ts")).benchLong(argv.slice(1), io);
  const { values: parsed, given, positionals, helpWanted, problems } = parseArguments(argv, OPTIONS);
  if (helpWanted) {
    io.stdout.write(HEAD + formatOptions(OPTIONS));
    return 0;
  }
  const all = [...problems, ...positionals.map((word) => `${word} is not an option.`)];
  if (all.length > 0) {
    for (const problem of all) io.stderr.write(`earshot bench: ${problem}\n`);
    io.stderr.write("All options are explained by: earshot bench --help\n");
    return 2;
  }
  const values = parsed.quick ? { ...parsed, ...quickened(given, parsed) } : parsed;
  const scratch = await mkdtemp(join(tmpdir(), "earshot-bench-"));
  try {
    await mkdir(values.folder, { recursive: true });
    const report = await measureAll(values, scratch, io);
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
    return 0;
  } catch (error) {
    if (!io.signal.aborted) throw error;
    io.stderr.write("Stopped. Rounds that were not finished are not counted.\n");
    return 130;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What --quick stands for where the command line does not say otherwise. */
function quickened(given: ReadonlySet<keyof Values>, values: Values): Partial<Values> {
  return {
    models: given.has("models") ? values.models : ["demo", "tiny"],
    threads: given.has("threads") ? values.threads : [1],
    rounds: given.has("rounds") ? values.rounds : 3,
  };
}

async function measureAll(values: Values, scratch: string, io: Io): Promise<BenchReport> {
  const machine = describeMachine();
  const startedAt = new Date().toISOString();
  const loadBefore = loadAverage();
  io.stdout.write(
    `${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GB, ${machine.system}\n` +
      `Node ${machine.node}, onnxruntime ${machine.onnxruntime}, ${values.device}, ${values.rounds} rounds, ` +
      `load average ${loadBefore.toFixed(2)}\n\n${LEGEND}\n`,
  );
  const models: ModelResult[] = [];
  const speech: SpeechResult[] = [];
  for (const model of values.models) {
    const folder = await benchModel(model, values.folder, () =>
      io.stderr.write(`Making ${model} with random weights.\n`),
    );
    for (const threads of values.threads) {
      const candidates = contestants({
        modelName: model,
        folder,
        benchFolder: resolve(values.folder),
        threads,
        device: values.device,
        whisperCpp: values["whisper-cpp"],
        peers: values.peers,
        signal: io.signal,
      });
      const { engines, notRun } = await startAll(candidates, io);
      try {
        const result = await measureModel(model, threads, engines, notRun, values.rounds, io);
        models.push(result);
        io.stdout.write(`${modelTable(result)}\n`);
        const isLast = threads === values.threads.at(-1);
        const said =
          model === "demo" && isLast
            ? await testSpeech(join(scratch, "long.wav"), values.quick ? "clean" : undefined)
            : undefined;
        if (said === undefined) continue;
        const heard = await measureSpeech(model, threads, engines, said, io);
        speech.push(heard);
        io.stdout.write(`${speechTable(heard)}\n`);
      } finally {
        for (const engine of engines) await engine.close();
      }
    }
  }
  const loadAfter = loadAverage();
  io.stdout.write(`Load average at the end: ${loadAfter.toFixed(2)}\n`);
  return { machine, startedAt, loadAverage: [loadBefore, loadAfter], models, speech };
}

async function startAll(candidates: readonly Contestant[], io: Io): Promise<{ engines: Engine[]; notRun: NotRun[] }> {
  const engines: Engine[] = [];
  const notRun: NotRun[] = [];
  for (const candidate of candidates) {
    if ("obstacle" in candidate) {
      notRun.push({ name: candidate.name, reason: candidate.obstacle });
      continue;
    }
    try {
      engines.push(await candidate.start());
    } catch (error) {
      if (io.signal.aborted) throw error;
      notRun.push({ name: candidate.name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { engines, notRun };
}

async function measureModel(
  model: string,
  threads: number,
  engines: Engine[],
  notRun: readonly NotRun[],
  count: number,
  io: Io,
): Promise<ModelResult> {
  const rounds = new Map<Engine, Round[]>(engines.map((engine) => [engine, []]));
  const failed: NotRun[] = [];
  for (let i = 0; i < count; i++) {
    for (const [engine, done] of rounds) {
      io.signal.throwIfAborted();
      if (io.stderr.isTTY) io.stderr.write(`\r\u001b[K${model}, round ${i + 1} of ${count}: ${engine.name}`);
      try {
        done.push(await engine.round());
      } catch (error) {
        if (io.signal.aborted) throw error;
        failed.push({ name: engine.name, reason: error instanceof Error ? error.message : String(error) });
        rounds.delete(engine);
      }
    }
  }
  if (io.stderr.isTTY) io.stderr.write("\r\u001b[K");
  const results: EngineResult[] = [];
  for (const [{ name, precisionClass, description, weightBytes, peakBytes }, done] of rounds) {
    results.push({ name, precisionClass, description, weightBytes, peakBytes: await peakBytes(), rounds: done });
  }
  return { model, threads, engines: results, notRun: [...notRun, ...failed] };
}

async function measureSpeech(
  model: string,
  threads: number,
  engines: readonly Engine[],
  { said, seconds, ...files }: TestSpeech,
  io: Io,
): Promise<SpeechResult> {
  const results: SpeechResult["engines"][number][] = [];
  const notRun: NotRun[] = [];
  for (const engine of engines) {
    try {
      const heard = await engine.speech(files);
      results.push({ name: engine.name, ...heard, wordErrorRate: wordErrorRate(said, heard.texts) });
    } catch (error) {
      if (io.signal.aborted) throw error;
      notRun.push({ name: engine.name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { model, threads, files: said.length, seconds, engines: results, notRun };
}
