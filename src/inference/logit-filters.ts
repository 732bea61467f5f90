// Rules that forbid tokens before the next one is chosen. Ref: openai/whisper decoding.py `LogitFilter`.

import type { Tokenizer } from "./tokenizer.ts";

/**
 * Masks logits in place.
 * @param logits [nVocab] of one sequence at the current step
 * @param sampled what this sequence has sampled so far, without the initial tokens
 */
export type LogitFilter = (logits: Float32Array, sampled: readonly number[]) => void;

const NEVER = Number.NEGATIVE_INFINITY;

/** The first token may be neither a blank nor the end. */
export function suppressBlank(tokenizer: Pick<Tokenizer, "encode" | "eot">): LogitFilter {
  const blanks = [...tokenizer.encode(" "), tokenizer.eot];
  return (logits, sampled) => {
    if (sampled.length === 0) for (const token of blanks) logits[token] = NEVER;
  };
}

export function suppressTokens(tokens: readonly number[]): LogitFilter {
  return (logits) => {
    for (const token of tokens) logits[token] = NEVER;
  };
}

/**
 * Timestamps come in pairs, never decrease, and come whenever together they are likelier than any text token.
 * @param maxInitialIndex the latest first timestamp, in steps of 0.02 s; undefined: any
 */
export function applyTimestampRules(
  { timestampBegin, eot, noTimestamps }: Pick<Tokenizer, "timestampBegin" | "eot" | "noTimestamps">,
  maxInitialIndex: number | undefined,
): LogitFilter {
  return (logits, sampled) => {
    logits[noTimestamps] = NEVER;

    const lastWasTimestamp = sampled.length >= 1 && sampled.at(-1)! >= timestampBegin;
    const penultimateWasTimestamp = sampled.length < 2 || sampled.at(-2)! >= timestampBegin;
    if (lastWasTimestamp) {
      if (penultimateWasTimestamp) logits.fill(NEVER, timestampBegin);
      else logits.fill(NEVER, 0, eot);
    }

    const last = sampled.findLast((token) => token >= timestampBegin);
    if (last !== undefined) {
      // A segment has a length above zero, or decoding could stand still for ever.
      const earliest = lastWasTimestamp && !penultimateWasTimestamp ? last : last + 1;
      logits.fill(NEVER, timestampBegin, earliest);
    }

    if (sampled.length === 0) {
      logits.fill(NEVER, 0, timestampBegin);
      if (maxInitialIndex !== undefined) logits.fill(NEVER, timestampBegin + maxInitialIndex + 1);
    }

    if (timestampsOutweighText(logits, timestampBegin)) logits.fill(NEVER, 0, timestampBegin);
  };
}

/** Whether the timestamps' summed probability is above that of every text token; the softmax's divisor cancels out. */
function timestampsOutweighText(logits: Float32Array, timestampBegin: number): boolean {
  let text = NEVER;
  for (let i = 0; i < timestampBegin; i++) if (logits[i]! > text) text = logits[i]!;
  return logSumExp(logits, timestampBegin) > text;
}

/** log(sum(exp(logits[from…]))), -Infinity when every entry is masked. */
export function logSumExp(logits: Float32Array, from = 0): number {
  let max = NEVER;
  for (let i = from; i < logits.length; i++) if (logits[i]! > max) max = logits[i]!;
  if (max === NEVER) return NEVER;
  let sum = 0;
  for (let i = from; i < logits.length; i++) {
    const below = logits[i]! - max;
    // e^-30 is under float32's resolution even 50,000 times over, and most tokens lie below it.
    if (below > -30) sum += Math.exp(below);
  }
  return max + Math.log(sum);
}
