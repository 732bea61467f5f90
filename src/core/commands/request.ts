// What words ask for: a recording, a language, a model, a translation, files. Also as people say it when they mention the bot.
import { UserError } from "../errors.ts";
import type { JobRequest } from "../job.ts";
import { closeLanguages, LANGUAGES, languageCode } from "../languages.ts";
import { FORMATS, type Format } from "../settings.ts";
import { nearest } from "./words.ts";

export interface Wish {
  readonly request: JobRequest;
  readonly link?: string;
  /** An earlier recording, by its job. */
  readonly jobId?: string;
}

const EXAMPLE = "For example: `/transcribe latest german srt`";

/** What people say around a wish; none of it is a language, a model or a format. */
const FILLERS = wordSet(
  "a again an and as attached audio can could do for from give hello hey i in into it kindly language last latest me " +
    "message model my need newest now of one our please pls recording recordings of same thank thanks that the then this " +
    "to transcribe transcript transcription us using video voice want we with would you file files format formats note",
);
/** Where one of these stands, people talk to the bot, and "it" is no Italian. */
const TALK = wordSet(
  "can could hello hey i kindly me need please pls thanks that the this transcribe us want would you",
);
/** Codes of languages that are English words too. */
const LANGUAGE_OR_WORD = wordSet("am as be ha he hi id is it la no or so to");
const FORMAT_NAMES: Readonly<Record<string, Format>> = {
  ...Object.fromEntries(FORMATS.map((format) => [format, format])),
  ...{ text: "txt", subtitles: "srt", captions: "srt", webvtt: "vtt", page: "html" },
};

/**
 * @param words as they were typed, without the command's name
 * @param models names that may be asked for
 * @throws UserError unknown_command, for a word that means nothing; bad_option, for two that contradict each other
 */
export function readRequest(words: readonly string[], models: readonly string[]): Wish {
  const parts = words.flatMap((word) => (isLink(word) ? [word] : splitWord(word)));
  const isTalk = parts.some((part) => TALK.has(part));
  const isTranslation = parts.some((part) => isTranslate(part));
  const languages = new Set<string>();
  const formats = new Set<Format>();
  const found: { model?: string; link?: string; jobId?: string } = {};
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] ?? "";
    const before = parts[index - 1] ?? "";
    const after = parts[index + 1];
    const two = after === undefined ? undefined : languageCode(`${part} ${after}`);
    const code = two ?? languageOf(part, before, isTalk);
    const format = Object.hasOwn(FORMAT_NAMES, part) ? FORMAT_NAMES[part] : undefined;
    if (two !== undefined) index++;
    if (isLink(part)) found.link = part.replace(/^<|[>.,]*$/g, "").replace(/\|.*$/, "");
    else if (code !== undefined && isTranslation && /^(to|into)$/.test(before)) checkTarget(code);
    else if (code !== undefined) languages.add(code);
    else if (models.includes(part) || part === "auto") found.model = oneModel(found.model, part);
    else if (format !== undefined) formats.add(format);
    else if (isTranslate(part) || FILLERS.has(part) || LANGUAGE_OR_WORD.has(part)) continue;
    else if (/^[0-9a-f]{6}$/.test(part)) found.jobId = part;
    else throw new UserError("unknown_command", `I do not know "${part}".${hintFor(part, models)} ${EXAMPLE}`);
  }
  const [language, other] = [...languages].map((code) => LANGUAGES[code] ?? code);
  if (other !== undefined) {
    throw new UserError("bad_option", `${language} or ${other}? Name one, or none to let me find out. ${EXAMPLE}`);
  }
  const [code] = languages;
  const { model, ...where } = found;
  return {
    ...where,
    request: {
      ...(code === undefined ? {} : { language: code }),
      ...(model === undefined ? {} : { model }),
      ...(isTranslation ? { translate: true } : {}),
      ...(formats.size === 0 ? {} : { formats: [...formats] }),
    },
  };
}

function wordSet(words: string): ReadonlySet<string> {
  return new Set(words.split(" "));
}

function isLink(word: string): boolean {
  return /^<?https?:\/\//i.test(word);
}

/** `--language=de` -> `de`; `srt,vtt` -> `srt`, `vtt`; `German!` -> `german`; someone's mention -> nothing. */
function splitWord(word: string): string[] {
  if (/^<[@#!][^>]*>$/.test(word)) return [];
  return word
    .toLowerCase()
    .replace(/^(?:-+|—)/, "")
    .replace(/^(?:language|lang|model|formats?)[=:](?=.)/, "")
    .split(/[,;]/)
    .map((part) => part.replace(/^[.,:;!?()]+|[.,:;!?()]+$/g, ""))
    .filter((part) => part !== "");
}

function isTranslate(part: string): boolean {
  return /^translat(e|ed|ion)$/.test(part);
}

function languageOf(part: string, before: string, isTalk: boolean): string | undefined {
  const isNamed = /^(in|from|language)$/.test(before);
  if (LANGUAGE_OR_WORD.has(part) && isTalk && !isNamed) return undefined;
  // "as" and "my" are Assamese and Burmese only where a language is named.
  if (FILLERS.has(part) && !(isNamed && LANGUAGE_OR_WORD.has(part)) && !(part === "it" && !isTalk)) return undefined;
  return languageCode(part);
}

function checkTarget(code: string): void {
  if (code === "en") return;
  throw new UserError(
    "bad_option",
    `I can translate into English only. Leave out "translate" for what is spoken in ${LANGUAGES[code]}. ${EXAMPLE}`,
  );
}

function oneModel(before: string | undefined, model: string): string {
  if (before === undefined || before === model) return model;
  throw new UserError("bad_option", `${before} or ${model}? Name one model. ${EXAMPLE}`);
}

function hintFor(word: string, models: readonly string[]): string {
  const near = nearest(word, [...models, ...Object.keys(FORMAT_NAMES), "translate", "latest"]);
  const meant = near ?? closeLanguages(word)[0];
  return meant === undefined ? "" : ` Did you mean ${meant}?`;
}
