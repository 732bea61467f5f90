// Chapters of a long transcript: where its words change and somebody pauses.
// Ref: M. Hearst, TextTiling: Segmenting Text into Multi-paragraph Subtopic Passages, 1997
import type { Chapter, Segment, Transcript } from "./transcript.ts";

/** Below this a transcript is read as it is. Seconds. */
const WORTH_CUTTING = 360;
/** Chapters are at least this long. */
const LEAST_SECONDS = 120;
/** Words before and after a place that are compared. */
const BLOCK = 80;
/** A pause of this many seconds or more counts for as much as a third of a complete change of words. */
const LONG_PAUSE = 4;
const PAUSE_WEIGHT = 0.33;
const TITLE_WORDS = 3;

/** None where the transcript is short or of one piece. The first begins with the first segment, each ends where the next begins. */
export function chaptersOf({ segments, language }: Pick<Transcript, "segments" | "language">): readonly Chapter[] {
  const spoken = segments.filter(({ text }) => text.trim() !== "");
  const [first, last] = [spoken[0], spoken.at(-1)];
  if (first === undefined || last === undefined || last.end - first.start < WORTH_CUTTING) return [];
  const words = spoken.map((segment) => topicWords(segment.text, segment.language ?? language));
  const cuts = chosenCuts(spoken, scoresOf(spoken, words));
  if (cuts.length === 0) return [];
  const starts = [0, ...cuts];
  const parts = starts.map((start, i) => words.slice(start, starts[i + 1]).flat());
  return starts.map((start, i) => ({
    start: spoken[start]?.start ?? 0,
    end: spoken[starts[i + 1] ?? spoken.length]?.start ?? last.end,
    title: titleOf(parts, i),
  }));
}

/** How much speaks for a cut before each segment; 0 for the first. */
function scoresOf(segments: readonly Segment[], words: readonly (readonly string[])[]): number[] {
  const similar = segments.map((_, at) => similarity(lastWords(words.slice(0, at)), firstWords(words.slice(at))));
  return segments.map((segment, at) => {
    if (at === 0) return 0;
    const pause = Math.min(1, Math.max(0, segment.start - (segments[at - 1]?.end ?? segment.start)) / LONG_PAUSE);
    return depthAt(similar, at) + PAUSE_WEIGHT * pause;
  });
}

/** How far the likeness falls here below what it climbs to on both sides. */
function depthAt(similar: readonly number[], at: number): number {
  const climb = (step: 1 | -1) => {
    let peak = similar[at] ?? 0;
    for (let i = at + step; i > 0 && i < similar.length && (similar[i] ?? 0) >= peak; i += step) peak = similar[i] ?? 0;
    return peak;
  };
  return climb(-1) + climb(1) - 2 * (similar[at] ?? 0);
}

/** The best places first, each far enough from the others and from both ends. */
function chosenCuts(segments: readonly Segment[], scores: readonly number[]): number[] {
  const candidates = scores.slice(1);
  const mean = candidates.reduce((sum, score) => sum + score, 0) / Math.max(1, candidates.length);
  const deviation = Math.sqrt(
    candidates.reduce((sum, score) => sum + (score - mean) ** 2, 0) / Math.max(1, candidates.length),
  );
  const least = Math.max(mean + deviation, 0.1);
  const begin = segments[0]?.start ?? 0;
  const end = segments.at(-1)?.end ?? 0;
  const cuts: number[] = [];
  const startOf = (at: number) => segments[at]?.start ?? 0;
  const order = scores.map((score, at) => ({ score, at })).sort((a, b) => b.score - a.score || a.at - b.at);
  for (const { score, at } of order) {
    if (at === 0 || score <= least) continue;
    const time = startOf(at);
    if (time - begin < LEAST_SECONDS || end - time < LEAST_SECONDS) continue;
    if (cuts.every((cut) => Math.abs(startOf(cut) - time) >= LEAST_SECONDS)) cuts.push(at);
  }
  return cuts.sort((a, b) => a - b);
}

/** Cosine of the counts: 1 for the same words, 0 for none in common. */
export function similarity(a: readonly string[], b: readonly string[]): number {
  const [one, other] = [countsOf(a), countsOf(b)];
  let product = 0;
  for (const [word, count] of one) product += count * (other.get(word) ?? 0);
  const length = (counts: ReadonlyMap<string, number>) =>
    Math.sqrt([...counts.values()].reduce((sum, count) => sum + count ** 2, 0));
  return product === 0 ? 0 : product / (length(one) * length(other));
}

function countsOf(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word.toLowerCase(), (counts.get(word.toLowerCase()) ?? 0) + 1);
  return counts;
}

function lastWords(parts: readonly (readonly string[])[]): string[] {
  const words: string[] = [];
  for (let i = parts.length - 1; i >= 0 && words.length < BLOCK; i--) words.unshift(...(parts[i] ?? []));
  return words;
}

function firstWords(parts: readonly (readonly string[])[]): string[] {
  const words: string[] = [];
  for (let i = 0; i < parts.length && words.length < BLOCK; i++) words.push(...(parts[i] ?? []));
  return words;
}

/** What a text is about rather than how it is put: longer words, and in languages without spaces all that are words. */
function topicWords(text: string, language: string): string[] {
  if (/[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmr}\p{sc=Mymr}]/u.test(text)) {
    const parts = new Intl.Segmenter(language, { granularity: "word" }).segment(text);
    return Array.from(parts).flatMap(({ segment, isWordLike }) => (isWordLike && segment.length > 1 ? [segment] : []));
  }
  return (text.match(/\p{L}[\p{L}\p{M}\p{N}'’-]*/gu) ?? []).filter((word) => word.length >= 4 && !isCommon(word));
}

/** Long words that say nothing of a topic, in the languages that are spoken most. */
const COMMON = new Set(
  (
    "about after again also another because been before being could does doing done down each even ever every from going gonna good " +
    "have having here into just know like little look make many maybe mean more most much need only other over people please really " +
    "right said same should some something still such take than thank thanks that that's their them then there these they they're " +
    "thing things think this those through time very want well were what what's when where which while will with would yeah your " +
    "aber alle also andere auch beim dann dass denn diese dieser dieses doch eine einem einen einer eines etwas gibt habe haben hier " +
    "immer kann können machen mehr mein nach nicht noch oder schon sehr sein sich sind soll über unser unter viel wann warum wenn " +
    "werden wieder wird wurde zwar avec alors aussi avoir bien cela cette comme dans donc elle encore être fait faire mais même nous " +
    "parce pour plus quand sont tout très vous como cuando desde donde esta este esto estos hacer había muy nada para pero porque " +
    "puede sobre también tiene todo entonces"
  ).split(" "),
);
const isCommon = (word: string) => COMMON.has(word.toLowerCase().replaceAll("’", "'"));

/** The words that are frequent in this chapter and not in the others, as they are mostly spelled. */
function titleOf(parts: readonly (readonly string[])[], index: number): string {
  const own = parts[index] ?? [];
  const counts = countsOf(own);
  const others = parts.map(countsOf);
  const weight = (word: string, count: number) => {
    const elsewhere = others.filter((other) => other.has(word)).length;
    return count * Math.log(1 + parts.length / elsewhere);
  };
  const best = [...counts]
    .sort(([a, m], [b, n]) => weight(b, n) - weight(a, m) || own.findIndex(same(a)) - own.findIndex(same(b)))
    .slice(0, TITLE_WORDS)
    .map(([word]) => mostSpelled(own.filter(same(word))));
  if (best.length === 0) return `Part ${index + 1}`;
  const title = best.join(", ");
  return title.charAt(0).toUpperCase() + title.slice(1);
}

const same = (key: string) => (word: string) => word.toLowerCase() === key;

function mostSpelled(spellings: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const spelling of spellings) counts.set(spelling, (counts.get(spelling) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? "";
}
