// The whole transcript as JSON, in the very text Python's `json.dump` gives. Ref: openai/whisper utils.py `WriteJSON`
import type { Chapter, GuardNote, Segment, Transcript, Word } from "../transcript.ts";

/** With openai/whisper's keys, and after them the way, what the guards did, and chapters, where a transcript tells these. */
export function renderJson(
  transcript: Pick<Transcript, "text" | "segments" | "language" | "way" | "guards" | "chapters">,
): string {
  const entries: [string, string][] = [
    ["text", string(transcript.text)],
    ["segments", array(transcript.segments.map(segmentJson))],
    ["language", string(transcript.language)],
  ];
  if (transcript.way !== undefined) entries.push(["way", string(transcript.way)]);
  if (transcript.guards !== undefined) entries.push(["guards", array(transcript.guards.map(guardJson))]);
  if (transcript.chapters !== undefined) entries.push(["chapters", array(transcript.chapters.map(chapterJson))]);
  return object(entries);
}

function segmentJson(segment: Segment): string {
  const entries: [string, string][] = [
    ["id", String(segment.id)],
    ["seek", String(segment.seek)],
    ["start", float(segment.start)],
    ["end", float(segment.end)],
    ["text", string(segment.text)],
    ["tokens", array(segment.tokens.map(String))],
    ["temperature", float(segment.temperature)],
    ["avg_logprob", float(segment.avgLogprob)],
    ["compression_ratio", float(segment.compressionRatio)],
    ["no_speech_prob", float(segment.noSpeechProb)],
  ];
  if (segment.words !== undefined) entries.push(["words", array(segment.words.map(wordJson))]);
  if (segment.language !== undefined) entries.push(["language", string(segment.language)]);
  if (segment.speaker !== undefined) entries.push(["speaker", string(segment.speaker)]);
  return object(entries);
}

function chapterJson({ start, end, title }: Chapter): string {
  return object([
    ["start", float(start)],
    ["end", float(end)],
    ["title", string(title)],
  ]);
}

function guardJson({ kind, start, end, text, action }: GuardNote): string {
  return object([
    ["kind", string(kind)],
    ["start", float(start)],
    ["end", float(end)],
    ["text", string(text)],
    ["action", string(action)],
  ]);
}

function wordJson(word: Word): string {
  return object([
    ["word", string(word.word)],
    ["start", float(word.start)],
    ["end", float(word.end)],
    ["probability", float(word.probability)],
  ]);
}

function object(entries: readonly (readonly [string, string])[]): string {
  return `{${entries.map(([key, value]) => `"${key}": ${value}`).join(", ")}}`;
}

function array(values: readonly string[]): string {
  return `[${values.join(", ")}]`;
}

/** `ensure_ascii`: everything outside of printable ASCII is escaped, UTF-16 unit by unit. */
function string(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Python's `repr` of a float: the same digits as JavaScript's, but `1.0`, `1e-05` and `1e+16`. */
function float(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (Object.is(value, -0)) return "-0.0";
  const [digits = "", exponentText = "0"] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
