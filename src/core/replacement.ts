// Puts right what the model wrote wrong: replacement pairs and sounds-like forms, on whole words, in text and word times.
import type { Glossary } from "./glossary.ts";
import type { Segment, Transcript, Word } from "./transcript.ts";

type Spellings = Pick<Glossary, "terms" | "pairs">;

interface Match {
  /** Positions in the text, the end exclusive. */
  readonly start: number;
  readonly end: number;
  readonly right: string;
}

type FindMatches = (text: string) => readonly Match[];

/**
 * The transcript with wrong -> right and sounds-like -> term, each on whole words and without regard to case. In `words`
 * a match over several of them becomes one, from the first's start to the last's end. Tokens stay as the model gave them.
 */
export function applyPairs<T extends Transcript>(transcript: T, glossary: Spellings): T {
  const find = matcher(glossary);
  if (find === undefined) return transcript;
  const isJoined = transcript.text === transcript.segments.map((segment) => segment.text).join("");
  const segments = transcript.segments.map((segment) => correctedSegment(segment, find));
  const text = isJoined ? segments.map((segment) => segment.text).join("") : corrected(transcript.text, find);
  return { ...transcript, text, segments };
}

/** The terms that the transcript holds as whole words, in any case, as the glossary spells them. */
export function termsFound(transcript: Pick<Transcript, "text">, glossary: Pick<Glossary, "terms">): string[] {
  return glossary.terms
    .filter((term) => wholeWords([term.text])?.test(transcript.text) ?? false)
    .map((term) => term.text);
}

function matcher(glossary: Spellings): FindMatches | undefined {
  const rightByKey = new Map<string, string>();
  const offer = (wrong: string, right: string) => {
    const key = keyOf(wrong);
    if (key !== "" && !rightByKey.has(key)) rightByKey.set(key, right);
  };
  for (const level of ["channel", "workspace"] as const) {
    for (const pair of glossary.pairs) if (pair.level === level) offer(pair.wrong, pair.right);
    for (const term of glossary.terms) {
      if (term.level === level) for (const wrong of term.soundsLike) offer(wrong, term.text);
    }
  }
  if (rightByKey.size === 0) return undefined;
  // What is right already stays: "kube" -> "Kube Control" must not make "Kube Control Control".
  const rights = [...rightByKey.values()].filter((right) => !rightByKey.has(keyOf(right)));
  const pattern = wholeWords([...rightByKey.keys(), ...rights]);
  return (text) => {
    const matches: Match[] = [];
    for (const found of pattern === undefined ? [] : text.matchAll(pattern)) {
      const right = rightByKey.get(keyOf(found[0]));
      if (right !== undefined) matches.push({ start: found.index, end: found.index + found[0].length, right });
    }
    return matches;
  };
}

/** What two spellings of the same words have in common. */
function keyOf(text: string): string {
  return text
    .normalize("NFC")
    .toLowerCase()
    .replaceAll("’", "'")
    .replace(/[\s\-‐‑]+/gu, " ")
    .trim();
}

// Scripts that put no space between words have no whole words that could be seen.
const LETTER =
  "[[\\p{L}\\p{N}\\p{M}_]--[\\p{sc=Han}\\p{sc=Hira}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmr}\\p{sc=Mymr}\\p{sc=Tibt}]]";
// "C" is no whole word in "C++", nor "node" in "node.js", nor "don" in "don't"; "Ann" is one in "Ann's".
const NOT_AFTER_WORD = `(?<!${LETTER}|${LETTER}['’.\\&@]|[+#])`;
const NOT_BEFORE_WORD = `(?!${LETTER}|[.\\&@]${LETTER}|['’](?!s(?!${LETTER}))${LETTER}|[+#])`;

/** One pattern for all of them, the longest first, so that each place is replaced once. */
function wholeWords(spellings: readonly string[]): RegExp | undefined {
  const sources = spellings
    .map(keyOf)
    .filter((key) => key !== "")
    .sort((a, b) => b.length - a.length)
    .map((key) =>
      key
        .split(" ")
        .map((word) => word.replace(/[\^$\\.*+?()[\]{}|/]/g, "\\$&").replaceAll("'", "['’]"))
        .join("[\\s\\-‐‑]+"),
    );
  if (sources.length === 0) return undefined;
  return new RegExp(`${NOT_AFTER_WORD}(?:${sources.join("|")})${NOT_BEFORE_WORD}`, "giv");
}

function corrected(text: string, find: FindMatches): string {
  return replaced(text, 0, find(text));
}

/** @param offset where `text` stands in the text that was searched */
function replaced(text: string, offset: number, matches: readonly Match[]): string {
  let result = "";
  let from = 0;
  for (const match of matches) {
    result += text.slice(from, match.start - offset) + match.right;
    from = match.end - offset;
  }
  return result + text.slice(from);
}

function correctedSegment(segment: Segment, find: FindMatches): Segment {
  const text = corrected(segment.text, find);
  return segment.words === undefined
    ? { ...segment, text }
    : { ...segment, text, words: correctedWords(segment.words, find) };
}

function correctedWords(words: readonly Word[], find: FindMatches): Word[] {
  const matches = find(words.map((word) => word.word).join(""));
  const result: Word[] = [];
  let position = 0;
  let next = 0;
  for (let index = 0; index < words.length; ) {
    const start = position;
    const merged: Word[] = [];
    const inside: Match[] = [];
    do {
      const word = words[index++];
      if (word === undefined) break;
      merged.push(word);
      position += word.word.length;
      for (let match = matches[next]; match !== undefined && match.start < position; match = matches[++next]) {
        inside.push(match);
      }
    } while ((inside.at(-1)?.end ?? 0) > position);
    result.push(mergedWord(merged, start, inside));
  }
  return result;
}

function mergedWord(words: readonly Word[], offset: number, matches: readonly Match[]): Word {
  const text = words.map((word) => word.word).join("");
  return {
    word: replaced(text, offset, matches),
    start: words[0]?.start ?? 0,
    end: words.at(-1)?.end ?? 0,
    probability: words.reduce((sum, word) => sum + word.probability, 0) / Math.max(1, words.length),
  };
}
