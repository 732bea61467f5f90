// The answer in the chat: a short text whole, of a long one the beginning, and one line about it.
import { compareTexts } from "../comparison.ts";
import { LANGUAGES } from "../languages.ts";
import { clock, noSpeech } from "../messages.ts";
import type { StoredTranscript } from "../ports.ts";
import type { Action, AnswerReply } from "../reply.ts";
import type { Settings } from "../settings.ts";
import type { Segment } from "../transcript.ts";
import { fileName } from "./files.ts";

/** Fits on a screen or two of a phone, and into one message on every platform. */
const WHOLE_CHARACTERS = 1500;
/** What is shown of a longer one. */
const BEGINNING_CHARACTERS = 600;
/** A pause that begins a new paragraph, in seconds. */
const PARAGRAPH_PAUSE = 2;
/** Changes that are listed when two transcripts are compared. */
const LISTED_CHANGES = 10;

export interface AnswerExtras {
  /** An earlier transcript of the same recording, to show what has changed. */
  readonly earlier?: StoredTranscript;
  /** Files were asked for by name, so they come whatever the length. */
  readonly wantsFiles?: boolean;
}

export function answerReply(stored: StoredTranscript, settings: Settings, extras: AnswerExtras = {}): AnswerReply {
  const { recording, duration, jobId, language, model } = stored;
  const whole = textOf(stored.segments, settings.timestamps);
  if (whole === "") {
    return {
      kind: "answer",
      head: noSpeech({ name: recording.name, duration }),
      text: "",
      isCut: false,
      notes: stored.notes,
      fileNames: [],
      actions: [{ name: "delete", label: "Delete", jobId }],
    };
  }
  const isCut = whole.length > WHOLE_CHARACTERS;
  const words = stored.text.split(/\s+/).filter((word) => word !== "").length;
  const spoken = LANGUAGES[language] ?? language;
  const head = [
    recording.name,
    clock(duration),
    stored.plan.task === "translate" ? `${spoken}, in English` : spoken,
    `${words} ${words === 1 ? "word" : "words"}`,
  ].join(" · ");
  const formats = isCut || extras.wantsFiles ? settings.formats : [];
  return {
    kind: "answer",
    head,
    text: isCut ? beginning(whole) : whole,
    isCut,
    notes: [...comparison(stored, extras.earlier), ...stored.notes],
    fileNames: formats.map((format) => fileName(recording.name, format)),
    actions: actionsFor(jobId, stored.plan.task === "translate" || language === "en" || model.endsWith(".en")),
  };
}

function actionsFor(jobId: string, isEnglish: boolean): Action[] {
  return [
    { name: "srt", label: "SRT", jobId },
    { name: "vtt", label: "VTT", jobId },
    { name: "json", label: "JSON", jobId },
    { name: "html", label: "Page", jobId },
    ...(isEnglish ? [] : [{ name: "translate", label: "Translate", jobId } as const]),
    { name: "delete", label: "Delete", jobId },
  ];
}

function comparison(stored: StoredTranscript, earlier: StoredTranscript | undefined): string[] {
  if (earlier === undefined) return [];
  const changes = compareTexts(earlier.text, stored.text);
  if (changes.length === 0) return ["Nothing changed against the last time."];
  const listed = changes
    .slice(0, LISTED_CHANGES)
    .map(({ before, after }) => `${before === "" ? "(nothing)" : before} → ${after === "" ? "(nothing)" : after}`);
  const more = changes.length > LISTED_CHANGES ? ` and ${changes.length - LISTED_CHANGES} more` : "";
  return [`Changed: ${listed.join("; ")}${more}`];
}

/** Paragraphs by pauses, or a line with its time for each segment. */
function textOf(segments: readonly Segment[], withTimes: boolean): string {
  const spoken = segments.filter((segment) => segment.text.trim() !== "");
  if (withTimes) return spoken.map(({ start, text }) => `[${clock(start)}] ${text.trim()}`).join("\n");
  let text = "";
  let lastEnd = 0;
  for (const segment of spoken) {
    const gap = text === "" ? "" : segment.start - lastEnd >= PARAGRAPH_PAUSE ? "\n\n" : " ";
    text += gap + segment.text.trim();
    lastEnd = segment.end;
  }
  return text;
}

/** Ends with a whole sentence or word. */
function beginning(text: string): string {
  const cut = text.slice(0, BEGINNING_CHARACTERS);
  const sentence = Math.max(cut.lastIndexOf(". "), cut.lastIndexOf("? "), cut.lastIndexOf("! "), cut.lastIndexOf("\n"));
  const end = sentence > BEGINNING_CHARACTERS / 2 ? sentence + 1 : cut.lastIndexOf(" ");
  return `${(end > 0 ? cut.slice(0, end) : cut).trimEnd()} …`;
}
