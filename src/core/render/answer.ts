// The answer in the chat: a short text whole, of a long one the beginning, and one line about it.
import { compareTexts } from "../comparison.ts";
import { LANGUAGES } from "../languages.ts";
import { clock, noSpeech } from "../messages.ts";
import type { StoredTranscript } from "../ports.ts";
import type { Action, AnswerReply } from "../reply.ts";
import type { Settings } from "../settings.ts";
import { wordCount } from "../word-count.ts";
import { fileNames } from "./files.ts";
import { paragraphs, timedLines } from "./paragraphs.ts";

/** Fits on a screen or two of a phone, and into one message on every platform. */
const WHOLE_CHARACTERS = 1500;
/** What is shown of a longer one. */
const BEGINNING_CHARACTERS = 600;
/** Changes that are listed when two transcripts are compared, and what is shown of a long one. */
const LISTED_CHANGES = 10;
const CHANGE_CHARACTERS = 80;

export interface AnswerExtras {
  /** An earlier transcript of the same recording, to show what has changed. */
  readonly earlier?: StoredTranscript;
  /** Files were asked for by name, so they come whatever the length. */
  readonly wantsFiles?: boolean;
}

export function answerReply(stored: StoredTranscript, settings: Settings, extras: AnswerExtras = {}): AnswerReply {
  const { recording, duration, jobId, language } = stored;
  const whole = settings.timestamps ? timedLines(stored.segments).join("\n") : paragraphs(stored.segments).join("\n\n");
  const changes = comparison(stored, extras.earlier);
  if (whole === "") {
    return {
      kind: "answer",
      head: noSpeech({ name: recording.name, duration }),
      text: "",
      isCut: false,
      notes: [...changes, ...stored.notes],
      fileNames: [],
      actions: [{ name: "delete", label: "Delete", jobId }],
    };
  }
  const isCut = whole.length > WHOLE_CHARACTERS;
  const words = wordCount(stored);
  const spoken = LANGUAGES[language] ?? language;
  const head = [
    recording.name,
    clock(duration),
    stored.plan.task === "translate" ? `${spoken}, in English` : spoken,
    `${words.toLocaleString("en-US")} ${words === 1 ? "word" : "words"}`,
  ].join(" · ");
  const formats = isCut || extras.wantsFiles ? settings.formats : [];
  return {
    kind: "answer",
    head,
    text: isCut ? beginning(whole) : whole,
    isCut,
    notes: [...changes, ...stored.notes],
    fileNames: fileNames(stored, formats),
    actions: actionsFor(stored, isCut && !formats.includes("txt")),
  };
}

/** @param needsText the rest of the text stands in no file that is sent */
function actionsFor({ jobId, plan, language, model }: StoredTranscript, needsText: boolean): Action[] {
  const isEnglish = plan.task === "translate" || language === "en" || model.endsWith(".en");
  return [
    ...(needsText ? [{ name: "txt", label: "Text", jobId } as const] : []),
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
  const listed = changes.slice(0, LISTED_CHANGES).map(({ before, after, times }) => {
    const often = times > 1 ? ` (${times} times)` : "";
    return `${shortened(before)} → ${shortened(after)}${often}`;
  });
  const more = changes.length > LISTED_CHANGES ? ` and ${changes.length - LISTED_CHANGES} more` : "";
  return [`Changed: ${listed.join("; ")}${more}`];
}

function shortened(text: string): string {
  if (text === "") return "(nothing)";
  return text.length <= CHANGE_CHARACTERS ? text : `${wholeLetters(text.slice(0, CHANGE_CHARACTERS))} …`;
}

/** Ends with a whole sentence or word, where there is one far enough on. */
function beginning(text: string): string {
  const cut = text.slice(0, BEGINNING_CHARACTERS);
  const sentences = Array.from(cut.matchAll(/[.!?…](?=\s)|[。！？\n]/gu), (end) => end.index + 1);
  const end = [sentences.at(-1) ?? 0, cut.lastIndexOf(" ")].find((place) => place > BEGINNING_CHARACTERS / 2);
  return `${wholeLetters(cut.slice(0, end)).trimEnd()} …`;
}

/** Without the half of a letter that was cut in two. */
function wholeLetters(text: string): string {
  return text.replace(/[\uD800-\uDBFF]$/, "");
}
