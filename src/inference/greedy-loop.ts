// Calls the fast layout's loop until every row has ended: each call samples some tokens of all rows that go on.

import { type GreedyRun, TOKEN_STATES, type TokenRules } from "./graph.ts";
import { Tensor } from "./session.ts";
import { floats, int64, scalar, takeRows } from "./tensors.ts";

/** Tokens that one call samples, in about `CALL_MS`: between two calls an abort is heard. */
const FIRST_TURNS = 16;
const MIN_TURNS = 4;
const MAX_TURNS = 64;
const CALL_MS = 500;
const CHOSEN = ["sampled_tokens", "sampled_logprobs", "final_no_speech_prob", "final_state", "final_last_timestamp"];

export interface Cached {
  /** Runs the graph on what the cache does not hold yet. */
  run(feeds: Record<string, Tensor>, outputs: readonly string[]): Promise<Record<string, Tensor>>;
  /** Keeps only these rows of the cache, in this order. */
  keep(rows: readonly number[]): void;
}

/**
 * @param rows the initial tokens of each row
 * @param wanted positions whose logits are needed: that of the no-speech probability, and the last
 */
export async function runGreedyLoop(
  cached: Cached,
  rows: readonly (readonly number[])[],
  wanted: readonly number[],
  rules: TokenRules,
  sampleLen: number,
  signal: AbortSignal | undefined,
): Promise<readonly GreedyRun[]> {
  const runs = rows.map(() => ({ tokens: [] as number[], sumLogprob: 0, noSpeechProb: Number.NaN }));
  /** The run that each row of the cache belongs to. */
  let living = [...runs];
  let feeds: Record<string, Tensor> = {
    ...choiceFeeds(rules, rows.length),
    tokens: int64(rows.flat(), [rows.length, rows[0]!.length]),
    wanted: int64(wanted, [wanted.length]),
  };
  let turns = FIRST_TURNS;
  for (let sampled = 0; sampled < sampleLen && living.length > 0; ) {
    signal?.throwIfAborted();
    const startedAt = performance.now();
    // Rows that have ended cost as much as the others: the call ends when they are half of all.
    const few = scalar(living.length >> 1);
    const outputs = await cached.run({ ...feeds, few, turns: scalar(Math.min(turns, sampleLen - sampled)) }, CHOSEN);
    const done = append(living, outputs, rules.eot);
    if (sampled === 0 && rules.noSpeech !== undefined) {
      for (const [row, run] of living.entries()) run.noSpeechProb = floats(outputs["final_no_speech_prob"]!)[row]!;
    }
    sampled += done;
    turns = Math.max(MIN_TURNS, Math.min(MAX_TURNS, Math.round((CALL_MS * done) / (performance.now() - startedAt))));

    let [state, lastTimestamp] = [outputs["final_state"]!, outputs["final_last_timestamp"]!];
    const going = living.flatMap(({ tokens }, row) => (tokens.at(-1) === rules.eot ? [] : [row]));
    if (going.length <= living.length >> 1) {
      living = going.map((row) => living[row]!);
      cached.keep(going);
      [state, lastTimestamp] = [takeRows(state, going), takeRows(lastTimestamp, going)];
    }
    feeds = {
      ...feeds,
      tokens: int64(
        living.map(({ tokens }) => tokens.at(-1)!),
        [living.length, 1],
      ),
      wanted: int64([0], [1]),
      state,
      last_timestamp: lastTimestamp,
    };
  }
  return runs;
}

/** @returns how many turns there were */
function append(
  living: readonly { readonly tokens: number[]; sumLogprob: number }[],
  outputs: Record<string, Tensor>,
  eot: number,
): number {
  const tokens = outputs["sampled_tokens"]!.data as BigInt64Array;
  const logprobs = floats(outputs["sampled_logprobs"]!);
  const turns = tokens.length / living.length;
  for (let turn = 0; turn < turns; turn++) {
    for (const [row, run] of living.entries()) {
      if (run.tokens.at(-1) === eot) continue;
      run.tokens.push(Number(tokens[turn * living.length + row]));
      run.sumLogprob += logprobs[turn * living.length + row]!;
    }
  }
  return turns;
}

function choiceFeeds(rules: TokenRules, rows: number): Record<string, Tensor> {
  const { masks, eot, noSpeech, timestampBegin, timestamps } = rules;
  const states = Object.keys(TOKEN_STATES).length;
  return {
    masks: new Tensor("float32", masks, [states, masks.length / states]),
    eot: scalar(eot),
    no_speech: scalar(noSpeech ?? 0),
    timestamp_begin: int64([timestampBegin], [1]),
    timestamps: new Tensor("bool", [timestamps], [1]),
    state: int64(new Array<number>(rows).fill(TOKEN_STATES.first), [rows]),
    last_timestamp: int64(new Array<number>(rows).fill(timestampBegin - 1), [rows, 1]),
  };
}

/** For passes whose logits are read outside, while the graph's own choice is not. */
export function anyToken(rows: number): Record<string, Tensor> {
  return {
    masks: new Tensor("float32", new Float32Array(1), [1, 1]),
    eot: scalar(0),
    few: scalar(0),
    no_speech: scalar(0),
    timestamp_begin: int64([1], [1]),
    timestamps: new Tensor("bool", [false], [1]),
    state: int64(new Array<number>(rows).fill(0), [rows]),
    last_timestamp: int64(new Array<number>(rows).fill(0), [rows, 1]),
  };
}
