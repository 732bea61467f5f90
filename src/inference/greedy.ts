// Greedy decoding of several windows together, for graphs that give logits and leave the choice to us.

import type { GreedyRun, Inference } from "./graph.ts";
import { type LogitFilter, logSumExp } from "./logit-filters.ts";
import { seededRandom } from "./random.ts";
import { greedyDecoder, untilEnd } from "./token-decoders.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * @param rows the initial tokens of each row, equally many
 * @returns one run for each row
 */
export async function decodeByLogits(
  inference: Inference,
  rows: readonly (readonly number[])[],
  filters: readonly LogitFilter[],
  { eot, sot, noSpeech }: Pick<Tokenizer, "eot" | "sot" | "noSpeech">,
  sampleLen: number,
  signal: AbortSignal | undefined,
): Promise<readonly GreedyRun[]> {
  const decoder = greedyDecoder(0, eot, seededRandom(0));
  const first = await inference.logits(rows);
  const runs: GreedyRun[] = rows.map((initial, row) => ({
    tokens: [],
    sumLogprob: 0,
    noSpeechProb: probabilityOf(noSpeech, first.at(row, initial.indexOf(sot))),
  }));
  /** The run that each row of the cache belongs to. */
  let living = rows.map((_, row) => row);
  let logits = rows.map((initial, row) => first.at(row, initial.length - 1));
  for (let i = 1; ; i++) {
    logits.forEach((scores, row) => {
      for (const filter of filters) filter(scores, runs[living[row]!]!.tokens);
    });
    const step = decoder.update(
      living.map((run) => runs[run]!),
      logits,
    );
    step.sequences.forEach((sequence, row) => {
      runs[living[row]!] = { ...runs[living[row]!]!, ...sequence };
    });
    if (step.completed || i >= sampleLen) break;
    signal?.throwIfAborted();

    // Rows that have ended cost as much as the others, and so does leaving them out: when they are half of all.
    const going = living.flatMap((run, row) => (runs[run]!.tokens.at(-1) === eot ? [] : [row]));
    if (going.length <= living.length >> 1) {
      inference.rearrange(going);
      living = going.map((row) => living[row]!);
    }
    const next = await inference.logits(living.map((run) => [runs[run]!.tokens.at(-1)!]));
    logits = living.map((_, row) => next.at(row, 0));
  }
  return runs.map((run) => untilEnd(run, eot));
}

export function probabilityOf(token: number | undefined, logits: Float32Array): number {
  return token === undefined ? Number.NaN : Math.exp(logits[token]! - logSumExp(logits));
}
