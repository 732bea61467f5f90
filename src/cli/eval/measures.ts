// What is measured of a transcript whose truth is known.

import type { EvalRecording } from "./recordings.ts";

/** A word that an engine wrote. Without times of its own it has its segment's. */
export interface HeardWord {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly isTimed: boolean;
}

export interface Measures {
  /** Substitutions, insertions and deletions over the words that were said; NaN where nothing was said. */
  readonly wordErrorRate: number;
  /** Words written where nobody spoke. */
  readonly inSilence: readonly string[];
  /** Phrases that come again and again without having been said so. */
  readonly loops: readonly string[];
  /** Share of the names that were spelled as the glossary has them, by 30 s window. */
  readonly recall: readonly number[];
  /** Names of the glossary that were written where none was said. */
  readonly leaked: number;
  /** Seconds between the heard and the true start or end of each word that was heard right, with two beside it. */
  readonly timeErrors: readonly number[];
  /** The same for words with digits. */
  readonly digitErrors: readonly number[];
  /** Words with digits that were heard right, and how many of them have times. */
  readonly digits: { readonly heard: number; readonly timed: number };
}

/** Speech may sound on, and times be a little off: only what is further from it is in silence. */
const MARGIN = 0.5;
const WINDOW = 30;

export function measure(recording: EvalRecording, heard: readonly HeardWord[]): Measures {
  const said = recording.utterances.flatMap(({ words, term }) =>
    words.map((word) => ({ ...word, key: keyOf(word.text), term })).filter(({ key }) => key !== ""),
  );
  const written = heard.map((word) => ({ ...word, key: keyOf(word.text) })).filter(({ key }) => key !== "");
  const { errors, pairs } = align(
    said.map(({ key }) => key),
    written.map(({ key }) => key),
  );

  const timeErrors: number[] = [];
  const digitErrors: number[] = [];
  const digits = { heard: 0, timed: 0 };
  for (const [i, j] of inRuns(pairs)) {
    const truth = said[i];
    const word = written[j];
    if (truth?.start === undefined || truth.end === undefined || word === undefined) continue;
    const errorsHere = [Math.abs(word.start - truth.start), Math.abs(word.end - truth.end)];
    if (word.isTimed) timeErrors.push(...errorsHere);
    if (!/\d/.test(truth.key)) continue;
    digits.heard++;
    if (!word.isTimed) continue;
    digits.timed++;
    digitErrors.push(...errorsHere);
  }

  const spoken = new Set(pairs.map(([i]) => i));
  const matched = new Set(pairs.map(([, j]) => j));
  const terms = new Set(recording.utterances.flatMap(({ term }) => (term === undefined ? [] : [keyOf(term)])));
  const loopsSaid = loopsIn(said.map(({ key }) => key)).length;
  return {
    wordErrorRate: said.length === 0 ? Number.NaN : errors / said.length,
    inSilence: heard.filter((word) => keyOf(word.text) !== "" && isInSilence(word, recording)).map(({ text }) => text),
    loops: loopsIn(written.map(({ key }) => key)).slice(loopsSaid),
    recall: recallByWindow(recording, said, spoken),
    leaked: written.filter(({ key }, j) => terms.has(key) && !matched.has(j)).length,
    timeErrors,
    digitErrors,
    digits,
  };
}

/** Words that are alike by chance, such as one "the" of many, tell nothing of times: only those in a run of three count. */
function inRuns(pairs: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const isNext = (at: number) => {
    const [a, b] = [pairs[at], pairs[at + 1]];
    return a !== undefined && b !== undefined && b[0] === a[0] + 1 && b[1] === a[1] + 1;
  };
  return pairs.filter(
    (_, at) => (isNext(at - 2) && isNext(at - 1)) || (isNext(at - 1) && isNext(at)) || (isNext(at) && isNext(at + 1)),
  );
}

/** "Friday?" and "friday" are the same word, and so are "$45,000." and "$45000"; "6.2" stays as it is. */
export function keyOf(word: string): string {
  return word
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll("’", "'")
    .replace(/(?<=\d),(?=\d)/g, "")
    .replace(/^[^\p{L}\p{N}$€£]+|[^\p{L}\p{N}%]+$/gu, "");
}

function isInSilence({ start, end }: HeardWord, { utterances }: EvalRecording): boolean {
  return !utterances.some((said) => start < said.end + MARGIN && end > said.start - MARGIN);
}

function recallByWindow(
  { samples, utterances }: EvalRecording,
  said: readonly { readonly key: string; readonly term: string | undefined }[],
  heard: ReadonlySet<number>,
): number[] {
  const windows = Math.ceil(samples.length / 16_000 / WINDOW);
  const counts = Array.from({ length: windows }, () => ({ said: 0, heard: 0 }));
  let index = 0;
  for (const { start, words } of utterances) {
    const count = counts[Math.floor(start / WINDOW)];
    for (const word of words) {
      if (keyOf(word.text) === "") continue;
      const entry = said[index];
      if (count && entry?.term !== undefined && entry.key === keyOf(entry.term)) {
        count.said++;
        if (heard.has(index)) count.heard++;
      }
      index++;
    }
  }
  return counts.map((count) => (count.said === 0 ? Number.NaN : count.heard / count.said));
}

/** A phrase of up to ten words at least three times in a row, a single word at least four times. */
export function loopsIn(words: readonly string[]): string[] {
  const loops: string[] = [];
  for (let at = 0; at < words.length; ) {
    let end = at;
    let phrase = "";
    for (let size = 1; size <= 10; size++) {
      let next = at + size;
      while (sameWords(words, at, next, size)) next += size;
      const times = (next - at) / size;
      if (times >= (size === 1 ? 4 : 3) && next > end) {
        end = next;
        phrase = `${words.slice(at, at + size).join(" ")} (${times} times)`;
      }
    }
    if (phrase !== "") loops.push(phrase);
    at = Math.max(end, at + 1);
  }
  return loops;
}

function sameWords(words: readonly string[], a: number, b: number, size: number): boolean {
  if (b + size > words.length) return false;
  for (let i = 0; i < size; i++) if (words[a + i] !== words[b + i]) return false;
  return true;
}

/** @returns the fewest edits, and the pairs of equal words on that way */
export function align(said: readonly string[], heard: readonly string[]) {
  const width = heard.length + 1;
  // Which neighbour each cell came from, a byte each: an hour of talk is some 10,000 words a side.
  const trace = new Uint8Array((said.length + 1) * width);
  const [SAME, REPLACED, DELETED, INSERTED] = [0, 1, 2, 3] as const;
  let row = Int32Array.from({ length: width }, (_, column) => column);
  trace.fill(INSERTED, 1, width);
  for (let i = 1; i <= said.length; i++) {
    const next = new Int32Array(width);
    next[0] = i;
    trace[i * width] = DELETED;
    for (let j = 1; j < width; j++) {
      const isSame = said[i - 1] === heard[j - 1];
      let best = (row[j - 1] ?? 0) + (isSame ? 0 : 1);
      let way: number = isSame ? SAME : REPLACED;
      const deleted = (row[j] ?? 0) + 1;
      const inserted = (next[j - 1] ?? 0) + 1;
      if (deleted < best) [best, way] = [deleted, DELETED];
      if (inserted < best) [best, way] = [inserted, INSERTED];
      next[j] = best;
      trace[i * width + j] = way;
    }
    row = next;
  }
  const pairs: [number, number][] = [];
  for (let i = said.length, j = heard.length; i > 0 || j > 0; ) {
    const way = trace[i * width + j];
    if (way === SAME) pairs.push([i - 1, j - 1]);
    if (way !== INSERTED) i--;
    if (way !== DELETED) j--;
  }
  return { errors: row.at(-1) ?? 0, pairs: pairs.reverse() };
}

/** @param share 0.5 for the median */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function mean(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.length === 0 ? Number.NaN : known.reduce((sum, value) => sum + value, 0) / known.length;
}
