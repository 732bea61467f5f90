// In which order waiting jobs are claimed: short ones first, nothing starves, and channels take turns.
//
// A job's place is one number, settled when it is added (in ms since 1970); the smallest is claimed first:
//
//   turn  = the later of now and the end of the turn before it, of the same channel and about the same length
//   place = turn + expected length of the recording
//
// Short first: of two jobs added at once, the place of the shorter is smaller. Aging: a job yields to those that are
// added within its own length after its turn and to no later ones, so a two-hour meeting waits at most for what comes in
// the next two hours. Channels: each turn ends one length after it begins, so the second of two hours that a channel posts
// at once stands behind the first hour of every other channel, and one that posted much a moment ago still pays
// for it; a channel that was quiet starts from now. Lengths are told apart by powers of two, so that the voice note of
// a channel does not wait for the channel's own meeting.
import type { JobSteps } from "../core/job.ts";
import type { Recording } from "../core/recording.ts";

/** The lane "short" takes what is known to be at most this long. */
export const SHORT_SECONDS = 120;

const LONGEST_GUESS_SECONDS = 4 * 3600;
/** For a recording of unknown length and size. */
const UNKNOWN_SECONDS = 3600;
/** 32 kbit/s, a usual voice message; whatever is stored in better quality is overestimated and so never jumps ahead. */
const GUESSED_BYTES_PER_SECOND = 4_000;

export interface Length {
  readonly seconds: number;
  /** Known, not guessed from the file's size, and at most `SHORT_SECONDS`. */
  readonly isShort: boolean;
  /** The power of two of the seconds. */
  readonly sizeClass: number;
}

export function lengthOf(recording: Recording, steps: Pick<JobSteps, "durationSeconds"> = {}): Length {
  const known = steps.durationSeconds ?? recording.durationSeconds;
  const guess =
    recording.bytes === undefined
      ? UNKNOWN_SECONDS
      : Math.min(recording.bytes / GUESSED_BYTES_PER_SECOND, LONGEST_GUESS_SECONDS);
  const seconds = Math.max(1, known ?? guess);
  return {
    seconds,
    isShort: known !== undefined && known <= SHORT_SECONDS,
    sizeClass: Math.floor(Math.log2(seconds)),
  };
}

export interface Turn {
  readonly turnAtMs: number;
  readonly turnUntilMs: number;
}

/** @param lastUntilMs end of the last turn of the same channel and size class */
export function nextTurn(length: Length, nowMs: number, lastUntilMs: number | undefined): Turn {
  const turnAtMs = Math.max(nowMs, lastUntilMs ?? 0);
  return { turnAtMs, turnUntilMs: turnAtMs + Math.round(length.seconds * 1000) };
}

/** Where a job stands among the waiting ones. */
export function claimOrder(length: Length, turnAtMs: number): number {
  return turnAtMs + Math.round(length.seconds * 1000);
}
