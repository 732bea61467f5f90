// Cues for vtt and srt: one per segment, or cut by words. Ref: openai/whisper utils.py `SubtitlesWriter`
import type { Segment, Word } from "../transcript.ts";
import { formatTimestamp, type TimestampStyle } from "./timestamp.ts";
import { strip, WHITESPACE } from "./whitespace.ts";

/** Without word timestamps these have no effect. */
export interface SubtitleOptions {
  /** Underlines each word while it is spoken. */
  readonly highlightWords?: boolean;
  /** Characters in a line. */
  readonly maxLineWidth?: number | undefined;
  /** Lines in a cue; needs `maxLineWidth`. */
  readonly maxLineCount?: number | undefined;
  /** No effect together with `maxLineWidth`. */
  readonly maxWordsPerLine?: number | undefined;
}

export interface Cue {
  /** Formatted times. */
  readonly start: string;
  readonly end: string;
  readonly text: string;
  readonly speaker?: string;
}

type WordsOf = Pick<Segment, "start"> & { readonly words: readonly Word[] };

/** A pause that begins a new cue, in seconds. */
const LONG_PAUSE = 3.0;
const UNLIMITED = 1000;

/** Cuts segments into cues; without word timestamps each segment is one. A cue has one speaker. */
export function* subtitles(
  segments: readonly Segment[],
  style: TimestampStyle,
  options: SubtitleOptions = {},
): Generator<Cue> {
  for (let from = 0; from < segments.length; ) {
    const speaker = segments[from]?.speaker;
    const next = segments.findIndex((segment, at) => at > from && segment.speaker !== speaker);
    const until = next < 0 ? segments.length : next;
    for (const cue of cuesOf(segments.slice(from, until), style, options)) {
      yield speaker === undefined ? cue : { ...cue, speaker };
    }
    from = until;
  }
}

function* cuesOf(segments: readonly Segment[], style: TimestampStyle, options: SubtitleOptions): Generator<Cue> {
  const timed = withWords(segments);
  if (timed === undefined) {
    for (const segment of segments) {
      yield {
        start: formatTimestamp(segment.start, style),
        end: formatTimestamp(segment.end, style),
        text: strip(segment.text).replaceAll("-->", "->"),
      };
    }
    return;
  }
  for (const words of groupWords(timed, options)) {
    const times = words.map((word) => ({
      start: formatTimestamp(word.start, style),
      end: formatTimestamp(word.end, style),
    }));
    const texts = words.map((word) => word.word);
    const text = texts.join("");
    const start = times[0]?.start ?? "";
    if (options.highlightWords !== true) {
      yield { start, end: times.at(-1)?.end ?? "", text };
      continue;
    }
    let last = start;
    for (const [index, time] of times.entries()) {
      if (last !== time.start) yield { start: last, end: time.start, text };
      yield { ...time, text: texts.map((word, other) => (other === index ? underlined(word) : word)).join("") };
      last = time.end;
    }
  }
}

/** The segments, when every one has its words: openai/whisper gives words to emptied segments even without being asked. */
function withWords(segments: readonly Segment[]): WordsOf[] | undefined {
  const timed: WordsOf[] = [];
  for (const { start, words } of segments) {
    if (words === undefined) return undefined;
    timed.push({ start, words });
  }
  return timed;
}

// Without the `m` flag Python's `$` also matches before a last newline, and its `.` takes all but a newline.
const LEADING_SPACE_AND_REST = new RegExp(`^([${WHITESPACE}]*)([^\\n]*)(\\n?)$`);

function underlined(word: string): string {
  return word.replace(LEADING_SPACE_AND_REST, "$1<u>$2</u>$3");
}

/** Python's `len`: characters, not UTF-16 units. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

function* groupWords(segments: readonly WordsOf[], options: SubtitleOptions): Generator<Word[]> {
  const { maxLineCount } = options;
  const preserveSegments = maxLineCount === undefined || options.maxLineWidth === undefined;
  const maxLineWidth = options.maxLineWidth ?? UNLIMITED;
  const maxWordsPerLine = options.maxWordsPerLine ?? UNLIMITED;

  let lineLength = 0;
  let lineCount = 1;
  let cue: Word[] = [];
  let last = segments.find((segment) => segment.words.length > 0)?.words[0]?.start ?? segments[0]?.start ?? 0;

  for (const { words } of segments) {
    for (const [index, word] of words.entries()) {
      const longPause = !preserveSegments && word.start - last > LONG_PAUSE;
      const hasRoom = lineLength + lengthOf(word.word) <= maxLineWidth;
      const segmentBreak = index % maxWordsPerLine === 0 && cue.length > 0 && preserveSegments;
      let text = word.word;
      if (lineLength > 0 && hasRoom && !longPause && !segmentBreak) {
        lineLength += lengthOf(text);
      } else {
        text = strip(text);
        const cueIsFull = cue.length > 0 && maxLineCount !== undefined && (longPause || lineCount >= maxLineCount);
        const lineLengthBefore = lineLength;
        lineLength = lengthOf(text);
        if (cueIsFull || segmentBreak) {
          yield cue;
          cue = [];
          lineCount = 1;
        } else if (lineLengthBefore > 0) {
          lineCount++;
          text = `\n${text}`;
        }
      }
      cue.push({ ...word, word: text });
      last = word.start;
    }
  }
  if (cue.length > 0) yield cue;
}
