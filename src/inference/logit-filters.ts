// Rules that forbid tokens before the next one is chosen. Ref: openai/whisper decoding.py `LogitFilter`.

import { TOKEN_STATES, type TokenState } from "./graph.ts";
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
 * Timestamps come in pairs and never decrease.
 * @param maxInitialIndex the latest first timestamp, in steps of 0.02 s; undefined: any
 */
export function pairTimestamps(
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
  };
}

/**
 * Timestamps come whenever together they are likelier than any text token; the softmax's divisor cancels out. Comes
 * after all other filters.
 */
export function preferTimestamps({ timestampBegin }: Pick<Tokenizer, "timestampBegin">): LogitFilter {
  return (logits) => {
    let text = NEVER;
    for (let i = 0; i < timestampBegin; i++) if (logits[i]! > text) text = logits[i]!;
    if (logSumExp(logits, timestampBegin) > text) logits.fill(NEVER, 0, timestampBegin);
  };
}

/**
 * What filters that look at no logits forbid in each state of a sequence, for a graph that chooses tokens itself. The
 * graph adds that timestamps never decrease, which depends on more than the state.
 * @returns 0 or minus infinity: [4, nVocab]
 */
export function tabulate(filters: readonly LogitFilter[], timestampBegin: number, nVocab: number): Float32Array {
  const text = 0;
  const examples: Record<TokenState, readonly number[]> = {
    first: [],
    text: [text],
    opened: [text, timestampBegin],
    closed: [timestampBegin],
  };
  const masks = new Float32Array(Object.keys(examples).length * nVocab);
  for (const [name, state] of Object.entries(TOKEN_STATES)) {
    const row = masks.subarray(state * nVocab, (state + 1) * nVocab);
    for (const filter of filters) filter(row, examples[name as TokenState]);
  }
  return masks;
}

/** log(sum(exp(logits[from…]))) to 7 digits, -Infinity when every entry is masked. */
export function logSumExp(logits: Float32Array, from = 0): number {
  let max = NEVER;
  for (let i = from; i < logits.length; i++) if (logits[i]! > max) max = logits[i]!;
  if (max === NEVER) return NEVER;
  return max + Math.log(sumOfPowers(logits, from, max));
}

/** 2^-n for n = 0 … 44. */
const HALVINGS = Float64Array.from({ length: 45 }, (_, n) => 2 ** -n);

/**
 * sum(exp(logits[from…] - max)). Math.exp over 51,866 logits for each token would take longer than all else that is done
 * outside the graph. Here exp(-x) = 2^-n * exp(r) with |r| <= ln(2) / 2, where Taylor's polynomial is exact to 2e-10.
 */
function sumOfPowers(logits: Float32Array, from: number, max: number): number {
  let sum = 0;
  for (let i = from; i < logits.length; i++) {
    const halvings = (max - logits[i]!) * Math.LOG2E;
    // 2^-44 is under float32's resolution even 50,000 times over.
    if (halvings >= 44) continue;
    const n = (halvings + 0.5) | 0;
    const r = (n - halvings) * Math.LN2;
    const high = 1 / 120 + r * (1 / 720 + r * (1 / 5040 + r * (1 / 40320)));
    sum += HALVINGS[n]! * (1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * high)))));
  }
  return sum;
}
