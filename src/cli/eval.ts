// `earshot eval`: how well long recordings are written down, on recordings whose every word and silence is known.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SAMPLE_RATE } from "../inference/audio.ts";
import { demoFolder, resolveModel } from "../inference/models.ts";
import { DEVICES, type Device } from "../inference/session.ts";
import { loadWhisper } from "../inference/whisper.ts";
import { type Option, type OptionTable, parseArguments, type ValuesOf } from "./arguments.ts";
import { describeMachine } from "./bench/machine.ts";
import { writeWav } from "./bench/wav.ts";
import { type EvalEngine, earshotEngines, WAYS, whisperCppEngines } from "./eval/engines.ts";
import { measure } from "./eval/measures.ts";
import { type EvalRecording, HOURS, RECORDINGS, type RecordingName, SMALL } from "./eval/recordings.ts";
import { readSpeech } from "./eval/speech.ts";
import { digitsTable, LEGEND, type RecordingResult, type Row, recordingTable } from "./eval/table.ts";
import { formatOptions } from "./help.ts";
import type { Io } from "./io.ts";
import { choice, flag, integer, list, orNone, text } from "./kinds.ts";

const what = <T>(option: Omit<Option<T>, "group">): Option<T> => ({ group: "What is measured", ...option });
const who = <T>(option: Omit<Option<T>, "group">): Option<T> => ({ group: "Who is measured", ...option });

const NAMES = Object.keys(RECORDINGS) as RecordingName[];

const OPTIONS = {
  recordings: what({
    kind: list(choice(NAMES), "NAMES", `one or several of ${NAMES.join(",")}`),
    fallback: NAMES,
    fallbackText: "all",
    help: `one or several of ${NAMES.join(",")}`,
  }),
  hours: what({ kind: flag, fallback: false, help: "recordings of an hour, an hour of silence among them" }),
  minutes: what({
    kind: orNone(integer({ atLeast: 1 })),
    fallback: undefined,
    help: "length of each recording, and windows of the one with names, instead of the usual ones",
  }),
  seed: what({ kind: integer({ atLeast: 1 }), fallback: 1, help: "the same seed gives the same recordings" }),
  speech: what({
    kind: text("FOLDER", "a folder"),
    fallback: join(demoFolder, "eval"),
    fallbackText: "the demo model's held-out clips",
    help: "clips with a refs.json to build the recordings from",
  }),
  model: who({ kind: text("NAME", "a name or a folder"), fallback: "demo", help: "as in `earshot transcribe`" }),
  ways: who({
    kind: list(choice(WAYS), "NAMES", `one or several of ${WAYS.join(",")}`),
    fallback: WAYS,
    fallbackText: "all",
    help: `Earshot's ways, and openai/whisper's algorithm: one or several of ${WAYS.join(",")}`,
  }),
  device: who<Device>({ kind: choice(DEVICES), fallback: "cpu", help: "where the model runs" }),
  threads: who({ kind: integer({ atLeast: 1 }), fallback: 1, help: "threads for each engine" }),
  "whisper-cpp": who({
    kind: orNone(text("FOLDER", "a folder")),
    fallback: undefined,
    help: "the folder with whisper.cpp's whisper-cli, which then does the same with the same weights",
  }),
  json: what({
    kind: orNone(text("FILE", "a file name")),
    fallback: undefined,
    help: "writes all figures to this file",
  }),
  keep: what({
    kind: orNone(text("FOLDER", "a folder")),
    fallback: undefined,
    help: "leaves the recordings there as WAV files, to be listened to",
  }),
} as const satisfies OptionTable;

type Values = ValuesOf<typeof OPTIONS>;

const HEAD = `Usage: earshot eval [options]

Builds long recordings from clips whose words are known, with pauses, noise, music
and the same names in every window, and says what is wrong in the transcripts.
docs/eval.md says how to read the figures.

`;

/**
 * @returns 0; 2 for a wrong command line; 130 after Ctrl-C
 * @throws UserError, InferenceError
 */
export async function evaluate(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, helpWanted, problems } = parseArguments(argv, OPTIONS);
  if (helpWanted) {
    io.stdout.write(HEAD + formatOptions(OPTIONS));
    return 0;
  }
  const all = [...problems, ...positionals.map((word) => `${word} is not an option.`)];
  if (all.length > 0) {
    for (const problem of all) io.stderr.write(`earshot eval: ${problem}\n`);
    io.stderr.write("All options are explained by: earshot eval --help\n");
    return 2;
  }
  const scratch = await mkdtemp(join(tmpdir(), "earshot-eval-"));
  try {
    await evaluateAll(values, scratch, io);
    return 0;
  } catch (error) {
    if (!io.signal.aborted) throw error;
    io.stderr.write("Stopped. A recording that was not finished is not counted.\n");
    return 130;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function evaluateAll(values: Values, scratch: string, io: Io): Promise<void> {
  const { device, threads } = values;
  const { path } = await resolveModel(values.model, { device, env: io.env });
  const whisper = await loadWhisper(values.model, { device, threads, env: io.env });
  try {
    const engines = earshotEngines(whisper, values.ways);
    const binaries = values["whisper-cpp"];
    if (binaries !== undefined) {
      engines.push(...(await whisperCppEngines({ binaries, modelFolder: path, folder: scratch, threads })));
    }
    const clips = await readSpeech(values.speech);
    const machine = describeMachine();
    io.stdout.write(
      `${machine.cpu}, ${threads} of ${machine.cores} cores, model ${whisper.name} (${whisper.graph.description}), ` +
        `seed ${values.seed}\n\n${LEGEND}\n`,
    );
    const results: RecordingResult[] = [];
    for (const name of values.recordings) {
      const recording = RECORDINGS[name](clips, lengthsOf(values), values.seed);
      if (recording === undefined) continue;
      const result = await evaluateOne(recording, engines, values, scratch, io);
      results.push(result);
      io.stdout.write(`${recordingTable(result)}\n`);
    }
    io.stdout.write(digitsTable(results));
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify({ machine, results }, null, 2)}\n`);
  } finally {
    await whisper.close();
  }
}

function lengthsOf({ hours, minutes }: Values) {
  const lengths = hours ? HOURS : SMALL;
  if (minutes === undefined) return lengths;
  return {
    talkMinutes: minutes,
    pausesMinutes: minutes,
    soundMinutes: minutes,
    jargonWindows: minutes,
    silenceMinutes: hours ? minutes : 0,
  };
}

async function evaluateOne(
  recording: EvalRecording,
  engines: readonly EvalEngine[],
  values: Values,
  scratch: string,
  io: Io,
): Promise<RecordingResult> {
  const path = join(values.keep ?? scratch, `${recording.name}.wav`);
  await writeWav(path, recording.samples);
  const rows: Row[] = [];
  for (const { name: engine, transcribe } of engines) {
    io.signal.throwIfAborted();
    if (io.stderr.isTTY) io.stderr.write(`\r\u001b[K${recording.name}: ${engine}`);
    const startedAt = performance.now();
    try {
      const heard = await transcribe(path, recording.prompt, io.signal);
      rows.push({ engine, measures: measure(recording, heard), wallMs: performance.now() - startedAt });
    } catch (error) {
      if (io.signal.aborted) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      rows.push({ engine, reason, wallMs: performance.now() - startedAt });
    }
  }
  if (io.stderr.isTTY) io.stderr.write("\r\u001b[K");
  if (values.keep === undefined) await rm(path);
  const { name, about, samples, utterances } = recording;
  const words = utterances.reduce((sum, utterance) => sum + utterance.words.length, 0);
  return { name, about, seconds: samples.length / SAMPLE_RATE, words, rows };
}
