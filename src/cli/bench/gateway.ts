// `earshot bench gateway`: the database under load, with a queue and a store of transcripts as large as a big workspace's.
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../../core/errors.ts";
import type { Recording } from "../../core/recording.ts";
import type { Segment } from "../../core/transcript.ts";
import { type Database, openDatabase } from "../../storage/database.ts";
import { createQueue } from "../../storage/queue.ts";
import { createTranscriptStore } from "../../storage/transcripts.ts";
import { type OptionTable, parseArguments } from "../arguments.ts";
import { formatOptions } from "../help.ts";
import type { Io } from "../io.ts";
import { integer, text } from "../kinds.ts";
import type { GatewayFigures } from "./gateway-child.ts";
import { describeMachine, loadAverage } from "./machine.ts";

const OPTIONS = {
  jobs: {
    group: "Options",
    kind: integer({ atLeast: 10 }),
    fallback: 100_000,
    help: "how many jobs the queue holds",
  },
  transcripts: {
    group: "Options",
    kind: integer({ atLeast: 10 }),
    fallback: 10_000,
    help: "how many transcripts are searched",
  },
  folder: {
    group: "Options",
    kind: text("FOLDER", "a folder"),
    fallback: tmpdir(),
    fallbackText: "the system's own for temporary files",
    help: "on which disk the database lies",
  },
} satisfies OptionTable;

const HEAD = `Usage: earshot bench gateway [options]

Measures what the gateway itself costs: from an event to the durable job, claims,
search and memory, on a database that is made for it and deleted afterwards.
docs/bench-gateway.md says how to read the figures.

`;

/** In words of 30 s: a five-minute recording. */
const SEGMENTS = 40;
const WORDS_PER_SEGMENT = 12;
/** At most. */
const MEASURED_ADDS = 2_000;
const MEASURED_SAVES = 200;
/** A fifth of all recordings is in the busiest of them, as a few channels always talk most. */
const CHANNELS = 100;

/** @returns 0; 2 for a wrong command line; 130 after Ctrl-C */
export async function benchGateway(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, helpWanted, problems } = parseArguments(argv, OPTIONS);
  if (helpWanted) {
    io.stdout.write(HEAD + formatOptions(OPTIONS));
    return 0;
  }
  const wrong = [...problems, ...positionals.map((word) => `${word} is not an option.`)];
  if (wrong.length > 0) {
    for (const problem of wrong) io.stderr.write(`earshot bench gateway: ${problem}\n`);
    return 2;
  }
  const folder = await mkdtemp(join(values.folder, "earshot-bench-gateway-"));
  try {
    return await measure(folder, values, io);
  } catch (error) {
    if (!io.signal.aborted) throw error;
    io.stderr.write("Stopped.\n");
    return 130;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string, sizes: { jobs: number; transcripts: number }, io: Io): Promise<number> {
  const machine = describeMachine();
  io.stdout.write(
    `${machine.cpu}, ${machine.cores} cores, ${machine.system}\n` +
      `Node ${machine.node}, load average ${loadAverage().toFixed(2)}\n\n`,
  );
  const path = join(folder, "earshot.db");
  const database = openDatabase(path);
  try {
    // What is not measured need not outlive a power cut.
    const durable = (isDurable: boolean) =>
      database.prepare<[]>(`PRAGMA synchronous = ${isDurable ? "FULL" : "OFF"}`).run();
    durable(false);
    await saveTranscripts(database, 0, sizes.transcripts, io.signal);
    durable(true);
    const saves = Math.min(MEASURED_SAVES, sizes.transcripts);
    const saved = await saveTranscripts(database, sizes.transcripts, saves, io.signal);
    durable(false);
    await addJobs(database, 0, sizes.jobs, io.signal);
    durable(true);
    io.stdout.write(`${sizes.transcripts} transcripts and ${sizes.jobs} waiting jobs\n\n`);
    io.stdout.write(`a transcript saved: ${spread(saved)}\n`);
    const adds = Math.min(MEASURED_ADDS, sizes.jobs);
    const startedAt = performance.now();
    const added = await addJobs(database, sizes.jobs, adds, io.signal);
    const perSecond = adds / ((performance.now() - startedAt) / 1000);
    io.stdout.write(`event to durable job: ${spread(added)}\njobs added per second: ${perSecond.toFixed(0)}\n`);
  } finally {
    database.close();
  }
  const figures = await measuredApart(path, io.signal);
  for (const [name, times] of Object.entries(figures.times)) io.stdout.write(`${name}: ${spread(times)}\n`);
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  io.stdout.write(
    `memory of a process with the database open: ${megabytes(figures.bytesAfter)} ` +
      `(${megabytes(figures.bytesBefore)} before it was opened)\n` +
      `database on disk: ${megabytes((await stat(path)).size)}\nload average at the end: ${loadAverage().toFixed(2)}\n`,
  );
  return 0;
}

/** In a fresh process, whose memory has seen nothing else. */
async function measuredApart(path: string, signal: AbortSignal): Promise<GatewayFigures> {
  // The compiled file, also when this one is run from src: Node 20 runs no TypeScript.
  const program = fileURLToPath(new URL("../../../dist/cli/bench/gateway-child.js", import.meta.url));
  if (!existsSync(program)) throw new UserError("not_found", `${program} is missing. Run first: npm run build`);
  const child = fork(program, [path], { signal });
  const [message] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`the measuring process ended with ${code}`))),
  ]);
  return message as GatewayFigures;
}

function recording(number: number, channel: string, durationSeconds: number): Recording {
  return {
    key: `bench-${number}`,
    place: {
      platform: "slack",
      workspace: "T1",
      channel,
      isDirect: false,
      message: `${number}`,
      user: "U1",
      reach: "thread",
    },
    kind: "audio",
    name: `recording-${number}.m4a`,
    durationSeconds,
    bytes: durationSeconds * 8000,
    source: { file: `F${number}`, channel },
  };
}

async function saveTranscripts(
  database: Database,
  from: number,
  count: number,
  signal: AbortSignal,
): Promise<number[]> {
  const queue = createQueue(database);
  const transcripts = createTranscriptStore(database);
  const next = sequence(1 + from);
  const times: number[] = [];
  for (let number = from; number < from + count; number++) {
    signal.throwIfAborted();
    const one = recording(number, `C${number % 5 === 0 ? 0 : number % CHANNELS}`, SEGMENTS * 7.5);
    await queue.add(one, {});
    const job = await queue.claim("bench", 60_000, "any");
    if (job === undefined || job.recording.key !== one.key) throw new Error("the queue has lost a job");
    const segments = Array.from({ length: SEGMENTS }, (_, id) => segment(id, next));
    const startedAt = performance.now();
    await transcripts.save({
      text: segments.map((one) => one.text).join(""),
      segments,
      language: "en",
      duration: SEGMENTS * 7.5,
      jobId: job.id,
      recording: job.recording,
      plan: { model: "tiny", task: "transcribe", initialPrompt: "" },
      model: "tiny",
      device: "cpu",
      createdAtMs: Date.now(),
      waitMs: 1000,
      notes: [],
    });
    times.push(performance.now() - startedAt);
    await queue.settle(job, { kind: "done" });
  }
  return times;
}

async function addJobs(database: Database, from: number, count: number, signal: AbortSignal): Promise<number[]> {
  const queue = createQueue(database);
  const next = sequence(2 + from);
  const times: number[] = [];
  for (let number = from; number < from + count; number++) {
    signal.throwIfAborted();
    const one = recording(1_000_000 + number, `C${number % CHANNELS}`, 5 + Math.floor(next() ** 3 * 3600));
    const startedAt = performance.now();
    await queue.add(one, {});
    times.push(performance.now() - startedAt);
  }
  return times;
}

function segment(id: number, next: () => number): Segment {
  const words = Array.from({ length: WORDS_PER_SEGMENT }, () => word(next));
  return {
    id,
    seek: Math.floor((id * 7.5) / 30) * 3000,
    start: id * 7.5,
    end: (id + 1) * 7.5,
    text: ` ${words.join(" ")}.`,
    tokens: Array.from({ length: WORDS_PER_SEGMENT + 2 }, () => Math.floor(next() * 50_000)),
    temperature: 0,
    avgLogprob: -0.25,
    compressionRatio: 1.4,
    noSpeechProb: 0.02,
  };
}

/** The word of a rank; words are as frequent as one over their rank, as in speech. */
export function wordOfRank(rank: number): string {
  let rest = rank;
  let made = "";
  do {
    made += "btkdlmnrsv"[rest % 10] ?? "";
    made += "aeiou"[Math.floor(rest / 10) % 5] ?? "";
    rest = Math.floor(rest / 50);
  } while (rest > 0);
  return made;
}

const VOCABULARY = 20_000;

function word(next: () => number): string {
  return wordOfRank(Math.floor(VOCABULARY ** next()) - 1);
}

/** Numbers from 0 to 1 which are the same in each run. Ref: Numerical Recipes, the quick generator. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function quantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function ms(time: number): string {
  return `${time.toFixed(time < 10 ? 2 : 0)} ms`;
}

function spread(times: readonly number[]): string {
  return `p50 ${ms(quantile(times, 0.5))}, p99 ${ms(quantile(times, 0.99))}, longest ${ms(Math.max(...times))}`;
}
