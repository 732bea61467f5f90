// One recording of `earshot transcribe`: segments as they come, then the files and a summary.
import { setImmediate } from "node:timers/promises";
import { LANGUAGES } from "../core/languages.ts";
import { speakerPrefix } from "../core/render/speaker.ts";
import { formatTimestamp } from "../core/render/timestamp.ts";
import type { Segment, Transcript } from "../core/transcript.ts";
import { languageWarning } from "../inference/catalog.ts";
import { defined } from "../inference/defined.ts";
import type { Whisper } from "../inference/whisper.ts";
import type { Io } from "./io.ts";
import { type JsonLine, jsonLine } from "./json-lines.ts";
import type { Format, TranscribeValues } from "./options.ts";
import { outputPath } from "./output-files.ts";
import { startProgress } from "./progress.ts";
import { clippedSeconds, engineOptions, remainingClips } from "./request.ts";
import { spanText, speedText } from "./spans.ts";
import { writeTranscript } from "./write-transcript.ts";

/** What all recordings of one command have in common. */
export interface Run {
  readonly io: Io;
  readonly values: TranscribeValues;
  readonly formats: readonly Format[];
  readonly whisper: Whisper;
  /** Writes a sentence to stderr unless it was written before. */
  note(sentence: string): void;
}

type Unfinished = Omit<Transcript, "text"> & {
  /** Seconds up to which everything is in the segments. */
  readonly until: number;
};

const DEVICE_NAMES = { cuda: "CUDA", webgpu: "WebGPU", dml: "DirectML", coreml: "CoreML", cpu: "CPU" } as const;

/**
 * @returns "stopped" after Ctrl-C, when what was finished by then was written
 * @throws UserError, InferenceError
 */
export async function transcribeFile(file: string, run: Run): Promise<"done" | "stopped"> {
  const { io, values, whisper, note } = run;
  const startedAt = performance.now();
  const progress = startProgress(io, file, values.clip_timestamps[0] ?? 0, () => performance.now());
  const segments: Segment[] = [];
  let partial: Unfinished = { segments, language: values.language ?? "en", duration: 0, until: 0 };

  const transcription = whisper.transcribe(file === "-" ? io.stdin : file, {
    ...engineOptions(values),
    signal: io.signal,
    on: {
      language(language, probability) {
        partial = { ...partial, language };
        if (probability !== undefined && values.verbose) {
          io.stderr.write(`Detected language: ${LANGUAGES[language] ?? language}\n`);
        }
        const warning = languageWarning(whisper.name, values.language ?? language);
        if (warning !== undefined) note(warning);
      },
      progress(until, duration, work) {
        partial = { ...partial, until, duration };
        progress.update(until, duration, work);
      },
      checkpoint(checkpoint) {
        const { way, guards } = "tracks" in checkpoint ? checkpoint.inner : checkpoint;
        partial = { ...partial, ...defined({ way, guards }) };
      },
    },
  });
  let transcript: Transcript;
  try {
    let step = await transcription.next();
    for (; !step.done; step = await transcription.next()) {
      segments.push(step.value);
      const line = segmentLine(file, step.value, values);
      if (line !== undefined) progress.print(line);
    }
    transcript = step.value;
  } catch (error) {
    // The same Ctrl-C ends ffmpeg, and news of that may come before the signal.
    await setImmediate();
    if (!io.signal.aborted) throw error;
    progress.end();
    await leavePartialFiles(file, partial, run);
    return "stopped";
  } finally {
    progress.end();
  }

  const outputs = await writeFiles(file, transcript, run);
  const elapsed = (performance.now() - startedAt) / 1000;
  const heard = clippedSeconds(values.clip_timestamps, transcript.duration);
  io.stderr.write(
    `${file === "-" ? "Standard input" : file}: ${spanText(heard)} of audio in ${spanText(elapsed)}, ` +
      `${speedText(heard, elapsed)}, model ${whisper.name} on ${DEVICE_NAMES[whisper.device]}\n`,
  );
  const { text, language, duration, way, guards } = transcript;
  const { name: model, device } = whisper;
  const how = defined({ way, guards });
  writeJsonLine({ type: "done", file, text, language, duration, elapsed, model, device, ...how, outputs }, run);
  return "done";
}

function segmentLine(file: string, segment: Segment, values: TranscribeValues): string | undefined {
  if (values["json-lines"]) return jsonLine({ type: "segment", file, segment });
  if (!values.verbose || segment.text === "") return undefined;
  const times = `[${formatTimestamp(segment.start)} --> ${formatTimestamp(segment.end)}]`;
  return `${times} ${speakerPrefix(segment)}${segment.text}`;
}

async function leavePartialFiles(file: string, partial: Unfinished, run: Run): Promise<void> {
  const { io, values } = run;
  const { until, ...heard } = partial;
  const { duration } = heard;
  // Of several speakers' tracks the first come first: here they are put in order as far as they were heard.
  const segments = heard.segments.toSorted((a, b) => a.start - b.start);
  if (segments.length === 0) {
    io.stderr.write(`Stopped before anything of ${file} was finished: no file was written.\n`);
    writeJsonLine({ type: "stopped", file, until, outputs: [] }, run);
    return;
  }
  const text = segments.map((segment) => segment.text).join("");
  const outputs = await writeFiles(file, { text, ...heard, segments }, run);
  const written = outputs.length > 0 ? ` The text up to there is in ${outputs.join(", ")}.` : "";
  const rest = remainingClips(values.clip_timestamps, until).join(",");
  const another = outputs.length > 0 ? " and another --output_dir" : "";
  const goOn = segments.some(({ speaker }) => speaker !== undefined)
    ? "Its tracks are heard one after the other: the same command begins anew."
    : `To go on, give --clip_timestamps ${rest}${another}.`;
  io.stderr.write(`Stopped ${file} at ${formatTimestamp(until)} of ${formatTimestamp(duration)}.${written} ${goOn}\n`);
  writeJsonLine({ type: "stopped", file, until, outputs }, run);
}

function writeFiles(file: string, transcript: Transcript, { values, formats }: Run): Promise<string[]> {
  return writeTranscript(transcript, formats, values, (format) => outputPath(file, values.output_dir, format));
}

function writeJsonLine(line: JsonLine, { io, values }: Run): void {
  if (values["json-lines"]) io.stdout.write(`${jsonLine(line)}\n`);
}
