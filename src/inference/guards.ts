// Judges a window's segments by where somebody spoke, and drops what was invented.

import type { GuardKind, GuardNote } from "../core/transcript.ts";
import { FRAMES_PER_SECOND } from "./audio.ts";
import { isPhantom } from "./phantom-phrases.ts";
import { suspectedLeak } from "./prompt-leak.ts";
import type { Draft, Window } from "./segments.ts";
import type { Span } from "./speech-regions.ts";

export interface Evidence {
  /** Seconds of speech between two times. */
  speechWithin(start: number, end: number): number;
}

/** @param speech in order, in frames on the same clock as the times that are asked for */
export function evidenceOf(speech: readonly Span[]): Evidence {
  return {
    speechWithin(start, end) {
      const [from, to] = [start * FRAMES_PER_SECOND, end * FRAMES_PER_SECOND];
      let low = 0;
      let high = speech.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (speech[middle]!.end <= from) low = middle + 1;
        else high = middle;
      }
      let frames = 0;
      for (let i = low; i < speech.length && speech[i]!.start < to; i++) {
        frames += Math.max(0, Math.min(to, speech[i]!.end) - Math.max(from, speech[i]!.start));
      }
      return frames / FRAMES_PER_SECOND;
    },
  };
}

/** Models are sure of words more than of times: so far beside speech, a segment may still be of that speech. */
const TOLERANCE_SECONDS = 0.5;
/** With less speech in it than this, a segment that is suspect anyway was not spoken. */
const HARDLY_ANY_SECONDS = 0.1;

export interface Judged {
  readonly kept: Draft[];
  /** On the drafts' clock. */
  readonly notes: readonly GuardNote[];
}

/** @param initialPrompt whose words may have leaked into the text */
export function dropInvented(
  drafts: readonly Draft[],
  window: Window,
  evidence: Evidence,
  { language, initialPrompt }: { readonly language: string; readonly initialPrompt: string },
): Judged {
  const windowEnd = (window.seek + window.size) / FRAMES_PER_SECOND;
  const kept: Draft[] = [];
  const notes: GuardNote[] = [];
  for (const draft of drafts) {
    const kind = invented(draft);
    if (kind === undefined) kept.push(within(draft, windowEnd));
    else notes.push({ kind, start: draft.start, end: draft.end, text: draft.text.trim(), action: "dropped" });
  }
  return { kept, notes };

  function invented({ start, end, text }: Draft): GuardKind | undefined {
    if (text.trim() === "") return undefined;
    const isSuspect = (): GuardKind | undefined => {
      if (isPhantom(text, language)) return "phantom";
      return initialPrompt !== "" && suspectedLeak(text, initialPrompt) !== undefined ? "prompt_leak" : undefined;
    };
    const around = evidence.speechWithin(start - TOLERANCE_SECONDS, Math.min(end, windowEnd) + TOLERANCE_SECONDS);
    if (start >= windowEnd || around === 0) return isSuspect() ?? "silence";
    return evidence.speechWithin(start, end) < HARDLY_ANY_SECONDS ? isSuspect() : undefined;
  }
}

/** Past the window's end there is other sound than the model heard. */
function within(draft: Draft, windowEnd: number): Draft {
  const clipped = (time: number) => Math.min(time, windowEnd);
  draft.end = clipped(draft.end);
  for (const word of draft.words ?? []) {
    word.start = clipped(word.start);
    word.end = clipped(word.end);
  }
  return draft;
}
