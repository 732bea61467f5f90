// Word times drawn in to where somebody speaks: a pause sticks to the word beside it, most of all to a sentence's first.

import { FRAMES_PER_SECOND } from "./audio.ts";
import type { Draft } from "./segments.ts";
import type { Span } from "./speech-regions.ts";

/** Shorter silences are within words, such as before a "t", or within numbers that are read out. */
const PAUSE_FRAMES = 25;

/**
 * Draws each word in to the stretch of speech that it shares most with, and the segments in to their words. A word that
 * shares nothing with any stays where it is.
 * @param regions of speech in order, in frames on the drafts' clock
 */
export function fitWordsToSpeech(drafts: readonly Draft[], regions: readonly Span[]): void {
  const stretches = withoutShortPauses(regions);
  let first = 0;
  for (const draft of drafts) {
    const words = draft.words ?? [];
    for (const word of words) {
      const [start, end] = [word.start * FRAMES_PER_SECOND, word.end * FRAMES_PER_SECOND];
      while (first > 0 && stretches[first - 1]!.end > start) first--;
      while (first < stretches.length && stretches[first]!.end <= start) first++;
      let best: { readonly start: number; readonly end: number } | undefined;
      for (let i = first; i < stretches.length && stretches[i]!.start < end; i++) {
        const shared = { start: Math.max(start, stretches[i]!.start), end: Math.min(end, stretches[i]!.end) };
        if (best === undefined || shared.end - shared.start > best.end - best.start) best = shared;
      }
      if (best === undefined) continue;
      word.start = best.start === start ? word.start : seconds(best.start);
      word.end = best.end === end ? word.end : seconds(best.end);
    }
    if (words.length === 0) continue;
    draft.start = words[0]!.start;
    draft.end = words.at(-1)!.end;
  }
}

function withoutShortPauses(regions: readonly Span[]): Span[] {
  const stretches: { start: number; end: number }[] = [];
  for (const { start, end } of regions) {
    const last = stretches.at(-1);
    if (last !== undefined && start - last.end < PAUSE_FRAMES) last.end = end;
    else stretches.push({ start, end });
  }
  return stretches;
}

const seconds = (frame: number) => Math.round(frame) / FRAMES_PER_SECOND;
