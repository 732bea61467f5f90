// `earshot transcribe` over a folder, a pattern or a list: many recordings, one display, and a summary at the end.
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Stopping } from "../core/errors.ts";
import type { Transcript } from "../core/transcript.ts";
import { wordCount } from "../core/word-count.ts";
import { defined } from "../inference/defined.ts";
import { type Counts, startDisplay } from "./bulk/display.ts";
import { type BulkRecording, findRecordings, standsForMany } from "./bulk/inputs.ts";
import { openSummary, type Summary } from "./bulk/summary.ts";
import { concernsOneFile, describeFailure } from "./failure.ts";
import type { Io } from "./io.ts";
import { errorLine, jsonLine } from "./json-lines.ts";
import type { Format, TranscribeValues } from "./options.ts";
import { prepareFolder, writeFailure } from "./output-files.ts";
import { spanText, speedText } from "./spans.ts";
import { writeTranscript } from "./write-transcript.ts";

/** What transcribes: the model in this process, or a pool of machines. */
export interface Engine {
  transcribe(
    path: string,
    progress: (seconds: number, duration: number) => void,
    signal: AbortSignal,
  ): Promise<Transcript & { readonly model: string; readonly device: string }>;
}

export interface Bulk {
  readonly io: Io;
  readonly values: TranscribeValues;
  readonly formats: readonly Format[];
  /** Undefined: the files lie beside their recordings. */
  readonly outputFolder: string | undefined;
  /** How many recordings are worked on at once. */
  readonly parallel: number;
}

export interface Work {
  readonly recordings: readonly BulkRecording[];
  /** Those whose files were all there, and newer than they are. */
  readonly doneBefore: readonly BulkRecording[];
  /** Where the summary lies. */
  readonly folder: string;
}

export async function isBulk(words: readonly string[]): Promise<boolean> {
  for (const word of words) if (await standsForMany(word)) return true;
  return false;
}

/** What is left to do of what was named. @throws UserError not_found, not_writable */
export async function findWork(words: readonly string[], bulk: Bulk): Promise<Work> {
  const { formats, outputFolder, values } = bulk;
  const all = await findRecordings(words, outputFolder);
  const isDone = await Promise.all(
    all.map(async (recording) => !values.overwrite && (await hasFiles(recording, formats))),
  );
  const recordings = all.filter((_, index) => !isDone[index]);
  const doneBefore = all.filter((_, index) => isDone[index]);
  const folder = outputFolder ?? (await commonFolder(words));
  await prepareFolder(folder);
  return { recordings, doneBefore, folder };
}

/**
 * @returns 0; 1 when a recording failed; 130 after Ctrl-C: the same command then goes on
 * @throws what concerns all recordings: UserError, InferenceError
 */
export async function transcribeMany(
  { recordings, doneBefore, folder }: Work,
  engine: Engine,
  bulk: Bulk,
): Promise<number> {
  const { io, parallel } = bulk;
  const summary = await openSummary(folder);
  for (const { name } of doneBefore) {
    if (!summary.knows(name)) await summary.note({ file: name, state: "done", at: new Date().toISOString() });
  }
  const display = startDisplay(io, () => performance.now());
  const state = startCounting(recordings, doneBefore.length);
  const fatal = new AbortController();
  const stopping = new AbortController();
  // A pool keeps what it has begun for the next run.
  const stop = () => stopping.abort(new Stopping());
  if (io.signal.aborted) stop();
  io.signal.addEventListener("abort", stop, { once: true });
  const signal = AbortSignal.any([stopping.signal, fatal.signal]);
  const startedAt = performance.now();

  async function transcribeOne(recording: BulkRecording): Promise<void> {
    const began = performance.now();
    const progress = (seconds: number, duration: number) => {
      state.progress(recording, duration > 0 ? Math.min(1, seconds / duration) : 0);
      display.update(state.counts());
    };
    try {
      progress(0, 1);
      const transcript = await engine.transcribe(recording.path, progress, signal);
      const outputs = await written(recording, transcript, bulk);
      const elapsed = (performance.now() - began) / 1000;
      await noteDone(recording, transcript, elapsed, summary);
      state.done(recording, transcript.duration);
      if (io.stderr.isTTY !== true) display.print(doneLine(recording, transcript.duration, elapsed));
      sayJson({ type: "done", file: recording.path, ...spoken(transcript), elapsed, outputs }, bulk);
    } catch (error) {
      state.stopped(recording);
      if (signal.aborted) return;
      if (!concernsOneFile(error)) throw error;
      const message = describeFailure(error, io.env).replaceAll(recording.path, recording.name);
      await summary.note({ file: recording.name, state: "failed", message, at: new Date().toISOString() });
      state.failed(recording);
      display.print(`Skipping ${recording.name}: ${message}`);
      sayJson(errorLine(recording.path, error, message), bulk);
    }
    display.update(state.counts());
  }

  const queue = recordings.values();
  async function loop(): Promise<void> {
    try {
      for (const recording of queue) {
        if (signal.aborted) return;
        await transcribeOne(recording);
      }
    } catch (error) {
      fatal.abort(error);
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallel, recordings.length) }, loop));
  display.end();
  const counts = state.counts();
  const files = await summary.write();
  if (fatal.signal.aborted) throw fatal.signal.reason;
  const elapsed = (performance.now() - startedAt) / 1000;
  io.stderr.write(`${closing(counts, doneBefore.length, elapsed)} The summary is in ${files.join(" and ")}.\n`);
  if (io.signal.aborted) {
    io.stderr.write("Stopped. The same command goes on with the rest.\n");
    return 130;
  }
  return counts.failed > 0 ? 1 : 0;
}

async function written(recording: BulkRecording, transcript: Transcript, { formats, values }: Bulk): Promise<string[]> {
  const pathOf = (format: Format) => `${recording.stem}.${format}`;
  const folder = dirname(recording.stem);
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw writeFailure(folder, cause);
  });
  return writeTranscript(transcript, formats, values, pathOf);
}

async function noteDone(
  { name }: BulkRecording,
  transcript: Transcript & { readonly model: string },
  elapsed: number,
  summary: Summary,
): Promise<void> {
  const { duration, language, model } = transcript;
  const words = wordCount(transcript);
  const rounded = { duration: round(duration), elapsed: round(elapsed) };
  await summary.note({ file: name, state: "done", ...rounded, language, model, words, at: new Date().toISOString() });
}

/** How far all of it is. Bytes stand for the time that a recording takes: its length is not known before it is read. */
function startCounting(recordings: readonly BulkRecording[], doneBefore: number) {
  const bytes = recordings.reduce((sum, recording) => sum + recording.bytes, 0);
  const running = new Map<BulkRecording, number>();
  let [done, failed, audioSeconds, endedBytes] = [doneBefore, 0, 0, 0];
  const end = (recording: BulkRecording) => {
    running.delete(recording);
    endedBytes += recording.bytes;
  };
  return {
    progress: (recording: BulkRecording, share: number) => void running.set(recording, share),
    stopped: (recording: BulkRecording) => void running.delete(recording),
    done(recording: BulkRecording, seconds: number) {
      end(recording);
      done++;
      audioSeconds += seconds;
    },
    failed(recording: BulkRecording) {
      end(recording);
      failed++;
    },
    counts(): Counts {
      let reached = endedBytes;
      for (const [recording, share] of running) reached += recording.bytes * share;
      const total = recordings.length + doneBefore;
      return { total, done, failed, running: running.size, audioSeconds, share: bytes > 0 ? reached / bytes : 1 };
    },
  };
}

function doneLine({ name }: BulkRecording, duration: number, elapsed: number): string {
  return `${name}: ${spanText(duration)} of audio in ${spanText(elapsed)}, ${speedText(duration, elapsed)}`;
}

function closing({ total, done, failed, audioSeconds }: Counts, doneBefore: number, elapsed: number): string {
  const before = doneBefore > 0 ? `, ${doneBefore} of them before` : "";
  const wrong = failed > 0 ? `, ${failed} failed` : "";
  const speed =
    audioSeconds > 0
      ? `: ${spanText(audioSeconds)} of audio in ${spanText(elapsed)}, ${speedText(audioSeconds, elapsed)}`
      : "";
  return `${done} of ${total} recordings done${before}${wrong}${speed}.`;
}

async function hasFiles({ stem, modifiedMs }: BulkRecording, formats: readonly Format[]): Promise<boolean> {
  const times = await Promise.all(
    formats.map((format) =>
      stat(`${stem}.${format}`).then(
        ({ mtimeMs }) => mtimeMs,
        () => Number.NEGATIVE_INFINITY,
      ),
    ),
  );
  return times.length > 0 && times.every((ms) => ms >= modifiedMs);
}

/** The folder itself, when it is all that was named; otherwise the one in which the command was given. */
async function commonFolder(words: readonly string[]): Promise<string> {
  const [word = "."] = words;
  const isFolder = words.length === 1 && (await stat(word).catch(() => undefined))?.isDirectory() === true;
  return resolve(isFolder ? word : ".");
}

function spoken(transcript: Transcript & { readonly model: string; readonly device: string }) {
  const { text, language, duration, model, device, way, guards } = transcript;
  return { text, language, duration, model, device, ...defined({ way, guards }) };
}

function sayJson(line: Parameters<typeof jsonLine>[0], { io, values }: Bulk): void {
  if (values["json-lines"]) io.stdout.write(`${jsonLine(line)}\n`);
}

function round(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}
