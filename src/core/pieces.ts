// A segment as its words with the space before each, so that text and word times are changed alike.
import type { Segment, Transcript, Word } from "./transcript.ts";

/** A word with its leading space; times where the segment has word times. */
export interface Piece {
  readonly text: string;
  readonly times?: Omit<Word, "word">;
}

export function piecesOf({ text, words }: Segment): readonly Piece[] {
  // Words that were changed apart from their text could not be put together again.
  if (words !== undefined && words.map(({ word }) => word).join("") === text) {
    return words.map(({ word, ...times }) => ({ text: word, times }));
  }
  return (text.match(/\s*\S+/gu) ?? []).map((piece) => ({ text: piece }));
}

/** What several words become together: from the first's start to the last's end. */
export function joined(pieces: readonly Piece[], text: string): Piece {
  const [first, last] = [pieces[0]?.times, pieces.at(-1)?.times];
  if (first === undefined || last === undefined) return { text };
  const probability = pieces.reduce((sum, { times }) => sum + (times?.probability ?? 0), 0) / pieces.length;
  return { text, times: { start: first.start, end: last.end, probability } };
}

/** Changes each segment's pieces; segments of which nothing is left go. Tokens stay as the model gave them. */
export function changePieces<T extends Transcript>(
  transcript: T,
  change: (pieces: readonly Piece[], segment: Segment) => readonly Piece[],
): T {
  const segments = transcript.segments.flatMap((segment) => {
    const before = piecesOf(segment);
    const after = change(before, segment);
    if (after === before) return [segment];
    if (after.length === 0 && before.length > 0) return [];
    const words = after.flatMap(({ text, times }) => (times === undefined ? [] : [{ word: text, ...times }]));
    const text = after.map((piece) => piece.text).join("");
    return [{ ...segment, text, ...(words.length === 0 ? {} : { words }) }];
  });
  const isChanged = segments.some((segment, i) => segment !== transcript.segments[i]);
  if (!isChanged && segments.length === transcript.segments.length) return transcript;
  return { ...transcript, segments, text: segments.map(({ text }) => text).join("") };
}
