// The recording without its long silences: which frames are heard, one after the other, and when they were spoken.
//
// "Heard" times and frames count only what is heard; the others count the whole recording.

import { FRAMES_PER_SECOND } from "./audio.ts";
import type { MelSpectrogram } from "./mel.ts";
import type { Span } from "./speech-regions.ts";

export interface HeardTime {
  /** Frames that are heard. */
  readonly frames: number;
  /** The recording's frame of a heard one. Where a silence was left out, it is the one after it. */
  recorded(frame: number): number;
  /** The heard frame of a recording's. Within a silence that was left out, it is the one after it. */
  heard(frame: number): number;
  /** Seconds of the recording at which something begins or ends, from seconds of what is heard. */
  startOf(seconds: number): number;
  endOf(seconds: number): number;
  /** A window of what is heard: see `MelSpectrogram.window`. */
  window(mel: Pick<MelSpectrogram, "window">, seek: number, size: number, into?: Float32Array): Promise<Float32Array>;
}

/** @param spans of the recording that are heard, in order and apart from each other */
export function heardTime(spans: readonly Span[]): HeardTime {
  /** Heard frames before each span, and in the end of all. */
  const before = [0];
  for (const { start, end } of spans) before.push(before.at(-1)! + end - start);
  const frames = before.at(-1)!;

  /** The last span that begins at or before a heard frame. */
  function spanAt(frame: number): number {
    let low = 0;
    let high = spans.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (before[middle]! <= frame) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** By how many frames a span was moved. */
  const shift = (span: number) => (spans[span]?.start ?? 0) - before[span]!;

  function moved(seconds: number, span: number): number {
    const frames = shift(span);
    return frames === 0 ? seconds : Math.round((seconds + frames / FRAMES_PER_SECOND) * 1000) / 1000;
  }

  /** Times are whole frames but for the last bit. */
  const frameOf = (seconds: number) => Math.round(seconds * FRAMES_PER_SECOND * 100) / 100;

  return {
    frames,
    recorded: (frame) => frame + shift(spanAt(frame)),
    heard(frame) {
      let low = 0;
      let high = spans.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (spans[middle]!.end <= frame) low = middle + 1;
        else high = middle;
      }
      const span = spans[low];
      return span === undefined ? frames : before[low]! + Math.max(0, frame - span.start);
    },
    startOf: (seconds) => moved(seconds, spanAt(frameOf(seconds))),
    endOf(seconds) {
      const frame = frameOf(seconds);
      const span = spanAt(frame);
      return moved(seconds, span > 0 && before[span] === frame ? span - 1 : span);
    },
    async window(mel, seek, size, into) {
      let window = into;
      let done = 0;
      for (let span = spanAt(seek); done < size; span++) {
        const from = seek + done;
        const part = span < spans.length ? Math.min(size - done, before[span + 1]! - from) : size - done;
        window = await mel.window(from + shift(Math.min(span, spans.length - 1)), part, window, done);
        done += part;
      }
      return window ?? (await mel.window(0, 0, into));
    },
  };
}

/** Heard before speech and after it, so that no soft beginning is lost: 0.4 s, as in faster-whisper. */
export const MARGIN_FRAMES = 0.4 * FRAMES_PER_SECOND;
/** Pauses up to this long stay, for they tell sentences apart; longer ones are left out but for the margins. */
const LONGEST_PAUSE_FRAMES = 2 * FRAMES_PER_SECOND;

/** What is to be heard of a recording: speech with its margins and short pauses, where it lies within the clips. */
export function spansOf(speech: readonly Span[], clips: readonly Span[]): Span[] {
  const spans: { start: number; end: number }[] = [];
  for (const { start, end } of speech) {
    const last = spans.at(-1);
    if (last !== undefined && start - (last.end - MARGIN_FRAMES) <= LONGEST_PAUSE_FRAMES) {
      last.end = end + MARGIN_FRAMES;
    } else spans.push({ start: Math.max(0, start - MARGIN_FRAMES), end: end + MARGIN_FRAMES });
  }
  return intersection(spans, clips);
}

/** What lies in both; each in order and without overlap. */
export function intersection(some: readonly Span[], others: readonly Span[]): Span[] {
  const both: Span[] = [];
  for (let i = 0, j = 0; i < some.length && j < others.length; ) {
    const [one, other] = [some[i]!, others[j]!];
    const start = Math.max(one.start, other.start);
    const end = Math.min(one.end, other.end);
    if (start < end) both.push({ start, end });
    if (one.end < other.end) i++;
    else j++;
  }
  return both;
}
