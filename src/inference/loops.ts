// Finds where a model has caught itself in a loop: the same tokens again and again.

/** Part of a sequence of tokens that repeats itself. */
export interface Loop {
  /** Index at which its first round begins. */
  readonly start: number;
  /** Tokens in a round. */
  readonly period: number;
  /** Index after its last token. */
  readonly end: number;
}

/** Nobody says the same four times over sixteen tokens, or three times over 45; "no, no, no, no" is shorter. */
const LOOPS = [
  { rounds: 4, tokens: 16 },
  { rounds: 3, tokens: 45 },
] as const;
const LONGEST_PERIOD = 64;

/** The longest loop; what looks at tokens alone knows every language. */
export function findLoop(tokens: readonly number[]): Loop | undefined {
  let longest: Loop | undefined;
  const longestPeriod = Math.min(LONGEST_PERIOD, Math.floor(tokens.length / 3));
  for (let period = 1; period <= longestPeriod; period++) {
    let start = 0;
    for (let i = period; i <= tokens.length; i++) {
      if (i < tokens.length && tokens[i] === tokens[i - period]) continue;
      const length = i - start;
      const isLoop = LOOPS.some(({ rounds, tokens }) => length >= Math.max(rounds * period, tokens));
      if (isLoop && (longest === undefined || length > longest.end - longest.start))
        longest = { start, period, end: i };
      start = i - period + 1;
    }
  }
  return longest;
}
