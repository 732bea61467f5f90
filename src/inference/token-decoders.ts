// How the next token is chosen: greedy, by sampling, or by beam search. Ref: openai/whisper decoding.py `TokenDecoder`.

import { logSumExp } from "./logit-filters.ts";

/** A sequence under construction, without the initial tokens. */
export interface Sequence {
  readonly tokens: readonly number[];
  readonly sumLogprob: number;
}

export interface Step {
  /** The sequences that go on, each one token longer. */
  readonly sequences: readonly Sequence[];
  /** Which earlier row each of them continues. */
  readonly sources: readonly number[];
  readonly completed: boolean;
}

export interface TokenDecoder {
  /** @param logits one filtered row [nVocab] for each sequence */
  update(sequences: readonly Sequence[], logits: readonly Float32Array[]): Step;
  /** The candidates to rank, each without its end token. */
  finalize(sequences: readonly Sequence[]): Sequence[];
}

/** The likeliest token at temperature 0, otherwise a random draw for each row. */
export function greedyDecoder(temperature: number, eot: number, random: () => number): TokenDecoder {
  return {
    update(sequences, logits) {
      const next = sequences.map((sequence, row) => {
        if (sequence.tokens.at(-1) === eot) return { ...sequence, tokens: [...sequence.tokens, eot] };
        const scores = logits[row]!;
        const token = temperature === 0 ? argmax(scores) : sample(scores, temperature, random);
        const logprob = scores[token]! - logSumExp(scores);
        return { tokens: [...sequence.tokens, token], sumLogprob: sequence.sumLogprob + logprob };
      });
      return {
        sequences: next,
        sources: next.map((_, row) => row),
        completed: next.every((sequence) => sequence.tokens.at(-1) === eot),
      };
    },
    finalize: (sequences) => sequences.map((sequence) => untilEnd(sequence, eot)),
  };
}

/** @param patience how many finished candidates to wait for, in multiples of the beam size (arXiv:2204.05424) */
export function beamSearchDecoder(beamSize: number, eot: number, patience = 1): TokenDecoder {
  const maxCandidates = Math.round(beamSize * patience);
  const finished = new Map<string, Sequence>();
  return {
    update(sequences, logits) {
      const candidates = new Map<string, { sequence: Sequence; source: number }>();
      sequences.forEach((sequence, source) => {
        const scores = logits[source]!;
        const total = logSumExp(scores);
        for (const token of topK(scores, beamSize + 1)) {
          const tokens = [...sequence.tokens, token];
          const sumLogprob = sequence.sumLogprob + scores[token]! - total;
          candidates.set(tokens.join(), { sequence: { tokens, sumLogprob }, source });
        }
      });

      const ranked = [...candidates].sort(([, a], [, b]) => b.sequence.sumLogprob - a.sequence.sumLogprob);
      const saved: { sequence: Sequence; source: number }[] = [];
      const ended: [string, Sequence][] = [];
      for (const [key, candidate] of ranked) {
        if (candidate.sequence.tokens.at(-1) === eot) ended.push([key, candidate.sequence]);
        else saved.push(candidate);
        if (saved.length === beamSize) break;
      }
      for (const [key, sequence] of ended) {
        if (finished.size >= maxCandidates) break;
        finished.set(key, sequence);
      }
      return {
        sequences: saved.map((candidate) => candidate.sequence),
        sources: saved.map((candidate) => candidate.source),
        completed: finished.size >= maxCandidates,
      };
    },
    finalize(sequences) {
      const unfinished = [...sequences].sort((a, b) => b.sumLogprob - a.sumLogprob);
      for (const sequence of unfinished) {
        if (finished.size >= beamSize) break;
        finished.set([...sequence.tokens, eot].join(), sequence);
      }
      return [...finished.values()].map((sequence) => untilEnd(sequence, eot));
    },
  };
}

/**
 * The index of the best candidate by mean log probability, or with Google NMT's length penalty.
 * @param lengthPenalty alpha, 0 to 1 (arXiv:1609.08144)
 */
export function rankByLikelihood(candidates: readonly Sequence[], lengthPenalty: number | undefined): number {
  const scores = candidates.map(({ tokens, sumLogprob }) => {
    const penalty = lengthPenalty === undefined ? tokens.length : ((5 + tokens.length) / 6) ** lengthPenalty;
    return sumLogprob / penalty;
  });
  return scores.indexOf(Math.max(...scores));
}

/** Without the end token and what follows it. */
export function untilEnd<T extends Sequence>(sequence: T, eot: number): T {
  const end = sequence.tokens.indexOf(eot);
  return end < 0 ? sequence : { ...sequence, tokens: sequence.tokens.slice(0, end) };
}

export function argmax(scores: Float32Array): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[best]!) best = i;
  return best;
}

/** A draw from softmax(scores / temperature). */
function sample(scores: Float32Array, temperature: number, random: () => number): number {
  const max = scores[argmax(scores)]!;
  const weights = new Float64Array(scores.length);
  let total = 0;
  for (let i = 0; i < scores.length; i++) {
    weights[i] = Math.exp((scores[i]! - max) / temperature);
    total += weights[i]!;
  }
  let left = random() * total;
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return argmax(scores);
}

/** The k largest entries' indices, largest first. */
function topK(scores: Float32Array, k: number): number[] {
  const best: number[] = [];
  let least = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    if (best.length === k && score <= least) continue;
    let at = best.length;
    while (at > 0 && scores[best[at - 1]!]! < score) at--;
    best.splice(at, 0, i);
    if (best.length > k) best.pop();
    least = scores[best.at(-1)!]!;
  }
  return best;
}
