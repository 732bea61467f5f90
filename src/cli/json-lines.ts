// The lines of --json-lines: one JSON object each, for programs. Segments have openai/whisper's field names.
import { InferenceError, UserError } from "../core/errors.ts";
import type { GuardNote, Segment, Way } from "../core/transcript.ts";

export type JsonLine =
  | { readonly type: "segment"; readonly file: string; readonly segment: Segment }
  | {
      readonly type: "done";
      readonly file: string;
      readonly text: string;
      readonly language: string;
      /** Seconds. */
      readonly duration: number;
      readonly elapsed: number;
      readonly model: string;
      readonly device: string;
      readonly way?: Way;
      readonly guards?: readonly GuardNote[];
      /** The files that were written. */
      readonly outputs: readonly string[];
    }
  | { readonly type: "error"; readonly file: string; readonly code: string; readonly message: string }
  | {
      readonly type: "stopped";
      readonly file: string;
      /** Everything before this time, in seconds, was given out. */
      readonly until: number;
      readonly outputs: readonly string[];
    };

export function jsonLine(line: JsonLine): string {
  if (line.type !== "segment") return JSON.stringify(line);
  const { avgLogprob, compressionRatio, noSpeechProb, words, ...rest } = line.segment;
  return JSON.stringify({
    type: line.type,
    file: line.file,
    ...rest,
    avg_logprob: avgLogprob,
    compression_ratio: compressionRatio,
    no_speech_prob: noSpeechProb,
    words,
  });
}

export function errorLine(file: string, error: unknown, message: string): JsonLine {
  const code = error instanceof UserError || error instanceof InferenceError ? error.code : "bug";
  return { type: "error", file, code, message };
}
