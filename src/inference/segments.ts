// Cuts a decoded window into segments at its timestamp tokens. Ref: openai/whisper transcribe.py.

import { FRAMES_PER_SECOND, TOKENS_PER_SECOND } from "./audio.ts";
import type { DecodingResult } from "./decoding.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface DraftWord {
  word: string;
  start: number;
  end: number;
  probability: number;
}

/** A segment whose times may still be drawn in to its words. */
export interface Draft {
  start: number;
  end: number;
  readonly text: string;
  readonly tokens: readonly number[];
  words?: DraftWord[];
}

export interface Window {
  /** First frame, of 10 ms. */
  readonly seek: number;
  /** Frames that hold audio, at most 3000. */
  readonly size: number;
}

export interface WindowSegments {
  readonly segments: Draft[];
  /** Frame from which to go on. */
  readonly nextSeek: number;
  /** No speech follows the last timestamp. */
  readonly singleTimestampEnding: boolean;
}

const SECONDS_PER_TIMESTAMP = 1 / TOKENS_PER_SECOND;
const FRAMES_PER_TIMESTAMP = FRAMES_PER_SECOND / TOKENS_PER_SECOND;

export function splitSegments(
  { tokens }: Pick<DecodingResult, "tokens">,
  window: Window,
  tokenizer: Pick<Tokenizer, "eot" | "timestampBegin" | "decode">,
): WindowSegments {
  const timeOffset = window.seek / FRAMES_PER_SECOND;
  const isTimestamp = (token: number | undefined) => token !== undefined && token >= tokenizer.timestampBegin;
  const timestampAt = (token: number) => token - tokenizer.timestampBegin;
  const draft = (start: number, end: number, part: readonly number[]): Draft => ({
    start,
    end,
    text: tokenizer.decode(part.filter((token) => token < tokenizer.eot)),
    tokens: part,
  });

  const singleTimestampEnding = tokens.length >= 2 && !isTimestamp(tokens.at(-2)) && isTimestamp(tokens.at(-1));
  const cuts = tokens.flatMap((token, i) => (i > 0 && isTimestamp(tokens[i - 1]) && isTimestamp(token) ? [i] : []));

  if (cuts.length > 0) {
    if (singleTimestampEnding) cuts.push(tokens.length);
    const segments = cuts.map((cut, i) => {
      const part = tokens.slice(i === 0 ? 0 : cuts[i - 1], cut);
      const start = timestampAt(part[0]!) * SECONDS_PER_TIMESTAMP;
      const end = timestampAt(part.at(-1)!) * SECONDS_PER_TIMESTAMP;
      return draft(timeOffset + start, timeOffset + end, part);
    });
    // What follows the last pair is unfinished: the next window begins there and hears it again.
    const lastTimestamp = timestampAt(tokens[cuts.at(-1)! - 1]!);
    const advance = singleTimestampEnding ? window.size : lastTimestamp * FRAMES_PER_TIMESTAMP;
    return { segments, nextSeek: window.seek + advance, singleTimestampEnding };
  }

  const last = tokens.findLast(isTimestamp);
  const duration =
    last !== undefined && last !== tokenizer.timestampBegin
      ? timestampAt(last) * SECONDS_PER_TIMESTAMP
      : window.size / FRAMES_PER_SECOND;
  return {
    segments: [draft(timeOffset, timeOffset + duration, tokens)],
    nextSeek: window.seek + window.size,
    singleTimestampEnding,
  };
}
