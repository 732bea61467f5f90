// Cuts what is heard into windows of at most 30 s that begin and end in silence, to be decoded independently.

import { N_FRAMES } from "./audio.ts";
import { MARGIN_FRAMES } from "./heard-time.ts";
import type { Span } from "./speech-regions.ts";

/** From here on a window may end: at the longest pause that is left. */
const SHORTEST_FRAMES = (N_FRAMES * 2) / 3;

/**
 * Every region is in exactly one window.
 * @param speech regions of speech in heard frames, in order, each with its margins at most 30 s long
 * @param pauses frames of silence after each region, the left out ones included
 * @param frames that are heard
 */
export function speechWindows(speech: readonly Span[], pauses: readonly number[], frames: number): Span[] {
  const begin = (i: number) => speech[i]!.start - marginBetween(speech[i - 1]?.end ?? 0, speech[i]!.start, i === 0);
  const end = (i: number) =>
    speech[i]!.end + marginBetween(speech[i]!.end, speech[i + 1]?.start ?? frames, i === speech.length - 1);

  const windows: Span[] = [];
  for (let first = 0; first < speech.length; ) {
    const start = begin(first);
    let last = first;
    while (last + 1 < speech.length && end(last + 1) - start <= N_FRAMES) last++;
    if (last < speech.length - 1) last = longestPause(first, last, (i) => end(i) - start >= SHORTEST_FRAMES, pauses);
    windows.push({ start, end: Math.min(end(last), start + N_FRAMES) });
    first = last + 1;
  }
  return windows;
}

/** The region after which to cut; of equal pauses the latest. */
function longestPause(
  first: number,
  last: number,
  isLongEnough: (region: number) => boolean,
  pauses: readonly number[],
): number {
  let best = last;
  for (let i = last - 1; i >= first && isLongEnough(i); i--) if (pauses[i]! > pauses[best]!) best = i;
  return best;
}

/** Two neighbours share the pause between them; nobody else wants the one at an edge. */
function marginBetween(end: number, start: number, isEdge: boolean): number {
  return Math.min(MARGIN_FRAMES, isEdge ? start - end : Math.floor((start - end) / 2));
}
