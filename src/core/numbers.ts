// English numbers from ten on in digits: "twenty-five percent" -> "25%", "two hundred dollars" -> "$200".
import { changePieces, joined, type Piece } from "./pieces.ts";
import type { Transcript } from "./transcript.ts";

const ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const TEENS = [
  "ten",
  "eleven",
  "twelve",
  "thirteen",
  "fourteen",
  "fifteen",
  "sixteen",
  "seventeen",
  "eighteen",
  "nineteen",
];
const TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const SCALES: Readonly<Record<string, number>> = { thousand: 1e3, million: 1e6, billion: 1e9 };
/** Below it words read better. */
const LEAST = 10;
/** From this on digits are grouped, so that years stay years. */
const GROUPED = 10_000;

/** @param language of the text; other languages' numbers stay as they are */
export function withDigits<T extends Transcript>(transcript: T, language: string): T {
  return changePieces(transcript, (pieces, segment) =>
    (segment.language ?? language) === "en" ? digits(pieces) : pieces,
  );
}

function digits(pieces: readonly Piece[]): readonly Piece[] {
  const result: Piece[] = [];
  let isChanged = false;
  for (let at = 0; at < pieces.length; ) {
    const run = runAt(pieces, at);
    const value = run === undefined ? undefined : numberOf(run.words);
    if (run === undefined || value === undefined || value < LEAST) {
      const count = run?.count ?? 1;
      result.push(...pieces.slice(at, at + count));
      at += count;
      continue;
    }
    const unit = unitOf(pieces[at + run.count], run.end);
    const count = run.count + (unit === undefined ? 0 : 1);
    const end = unit === undefined ? run.end : unit.end;
    const figure = value >= GROUPED ? value.toLocaleString("en-US") : String(value);
    const text = `${run.space}${unit?.before ?? ""}${figure}${unit?.after ?? ""}${end}`;
    result.push(joined(pieces.slice(at, at + count), text));
    isChanged = true;
    at += count;
  }
  return isChanged ? result : pieces;
}

interface Run {
  readonly words: readonly string[];
  /** Pieces. */
  readonly count: number;
  readonly space: string;
  /** Punctuation after the last. */
  readonly end: string;
}

/** The longest run of number words that begins here. "and" belongs to it between two of them. */
function runAt(pieces: readonly Piece[], at: number): Run | undefined {
  const words: string[] = [];
  let count = 0;
  let end = "";
  let space = "";
  for (let i = at; i < pieces.length && end === ""; i++) {
    const match = /^(\s*)([\p{L}-]+)([^\p{L}\p{N}\s]*)$/u.exec(pieces[i]?.text ?? "");
    if (match === null) break;
    const [, before = "", word = "", after = ""] = match;
    const parts = word.toLowerCase().split("-");
    const isAnd = word === "and" && words.length > 0 && after === "" && startsNumber(pieces[i + 1]);
    if (!isAnd && !parts.every(isNumberWord)) break;
    if (words.length === 0) space = before;
    words.push(...parts);
    count = i - at + 1;
    end = after;
  }
  return count === 0 ? undefined : { words, count, space, end };
}

function startsNumber(piece: Piece | undefined): boolean {
  const word = /^\s*([\p{L}]+)/u.exec(piece?.text ?? "")?.[1]?.toLowerCase() ?? "";
  return isNumberWord(word) && word !== "hundred" && !(word in SCALES);
}

function isNumberWord(word: string): boolean {
  return (
    [...ONES, ...TEENS].includes(word) ||
    (word !== "" && TENS.includes(word)) ||
    word === "hundred" ||
    Object.hasOwn(SCALES, word)
  );
}

/** undefined: these words are not one number, such as "twenty twenty" or "one two three". */
export function numberOf(words: readonly string[]): number | undefined {
  let total = 0;
  let part: number | undefined;
  let lastScale = Number.POSITIVE_INFINITY;
  /** What may be added to `part`: less than this. */
  let room = Number.POSITIVE_INFINITY;
  for (const [i, word] of words.entries()) {
    if (word === "and") {
      const before = words[i - 1] ?? "";
      if (before !== "hundred" && !Object.hasOwn(SCALES, before)) return undefined;
      continue;
    }
    const scale = SCALES[word];
    if (scale !== undefined) {
      if (part === undefined || scale >= lastScale) return undefined;
      total += part * scale;
      lastScale = scale;
      part = undefined;
      room = Number.POSITIVE_INFINITY;
      continue;
    }
    if (word === "hundred") {
      if (part === undefined || part < 1 || part > 9) return undefined;
      part *= 100;
      room = 100;
      continue;
    }
    const [value, left] = ONES.includes(word)
      ? [ONES.indexOf(word), 1]
      : TEENS.includes(word)
        ? [10 + TEENS.indexOf(word), 1]
        : [10 * TENS.indexOf(word), 10];
    if (value >= room || (value === 0 && words.length > 1)) return undefined;
    part = (part ?? 0) + value;
    room = left;
  }
  return total + (part ?? 0);
}

interface Unit {
  readonly before: string;
  readonly after: string;
  readonly end: string;
}

const UNITS: Readonly<Record<string, Omit<Unit, "end">>> = {
  percent: { before: "", after: "%" },
  dollars: { before: "$", after: "" },
  euros: { before: "€", after: "" },
};

function unitOf(piece: Piece | undefined, endOfNumber: string): Unit | undefined {
  const [, word = "", end = ""] = /^\s+([a-z]+)([^\p{L}\p{N}\s]*)$/u.exec(piece?.text ?? "") ?? [];
  return endOfNumber === "" && Object.hasOwn(UNITS, word) ? { before: "", after: "", ...UNITS[word], end } : undefined;
}
