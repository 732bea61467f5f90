// Finds segments that were likely invented in silence, from their word times. Ref: openai/whisper transcribe.py.

import { CHUNK_LENGTH, FRAMES_PER_SECOND } from "./audio.ts";
import type { Draft, DraftWord, Window } from "./segments.ts";

const PUNCTUATION = "\"'“¿([{-\"'.。,，!！?？:：”)]}、";

export interface SilenceSkip {
  readonly segments: Draft[];
  readonly nextSeek: number;
  /** The window began with silence and something improbable: all of it is dropped and decoded anew after the gap. */
  readonly skippedLeadingSilence: boolean;
}

/**
 * Drops what looks invented and says from where to listen again.
 * @param threshold seconds of silence that make an improbable segment suspect
 * @param contentFrames length of the recording in frames
 */
export function skipHallucinations(
  drafts: readonly Draft[],
  window: Window,
  nextSeek: number,
  singleTimestampEnding: boolean,
  threshold: number,
  lastSpeechTimestamp: number,
  contentFrames: number,
): SilenceSkip {
  const timeOffset = window.seek / FRAMES_PER_SECOND;
  const windowEnd = timeOffset + CHUNK_LENGTH;
  const audioEnd = timeOffset + window.size / FRAMES_PER_SECOND;
  const segments = [...drafts];
  let seek = nextSeek;

  if (!singleTimestampEnding) {
    const lastWordEnd = endOf(segments);
    if (lastWordEnd !== undefined && lastWordEnd > timeOffset) {
      seek =
        windowEnd - lastWordEnd > threshold ? Math.round(lastWordEnd * FRAMES_PER_SECOND) : window.seek + window.size;
    }
  }

  const first = segments.find(hasWords);
  if (first && isAnomaly(first)) {
    const gap = first.start - timeOffset;
    if (gap > threshold) {
      const nextSeek = window.seek + Math.round(gap * FRAMES_PER_SECOND);
      return { segments: [], nextSeek, skippedLeadingSilence: true };
    }
  }

  let lastEnd = lastSpeechTimestamp;
  for (const [i, segment] of segments.entries()) {
    if (!hasWords(segment)) continue;
    if (isAnomaly(segment)) {
      const next = segments.slice(i + 1).find(hasWords);
      const nextStart = next ? next.words![0]!.start : audioEnd;
      const silenceBefore =
        segment.start - lastEnd > threshold || segment.start < threshold || segment.start - timeOffset < 2;
      const silenceAfter =
        nextStart - segment.end > threshold || (next && isAnomaly(next)) || windowEnd - segment.end < 2;
      if (silenceBefore && silenceAfter) {
        const nearTheEnd = contentFrames / FRAMES_PER_SECOND - segment.end < threshold;
        seek = nearTheEnd ? contentFrames : Math.round(Math.max(timeOffset + 1, segment.start) * FRAMES_PER_SECOND);
        return { segments: segments.slice(0, i), nextSeek: seek, skippedLeadingSilence: false };
      }
    }
    lastEnd = segment.end;
  }
  return { segments, nextSeek: seek, skippedLeadingSilence: false };
}

/** Where the last word ends, or the last segment when none has words. */
export function endOf(segments: readonly Draft[]): number | undefined {
  const last = segments.findLast(hasWords) ?? segments.at(-1);
  return last?.words?.at(-1)?.end ?? last?.end;
}

function hasWords(segment: Draft): boolean {
  return (segment.words?.length ?? 0) > 0;
}

/** Words that are very long, very short or improbable. */
function anomalyScore({ start, end, probability }: DraftWord): number {
  const duration = end - start;
  let score = 0;
  if (probability < 0.15) score += 1;
  if (duration < 0.133) score += (0.133 - duration) * 15;
  if (duration > 2) score += duration - 2;
  return score;
}

function isAnomaly(segment: Draft): boolean {
  const words = (segment.words ?? []).filter(({ word }) => !PUNCTUATION.includes(word)).slice(0, 8);
  const score = words.reduce((sum, word) => sum + anomalyScore(word), 0);
  return score >= 3 || score + 0.01 >= words.length;
}
