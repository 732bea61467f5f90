import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/inference/random.ts";
import {
  beamSearchDecoder,
  greedyDecoder,
  rankByLikelihood,
  type Sequence,
} from "../../src/inference/token-decoders.ts";

const EOT = 3;
/** A language of four tokens in which the next one's log probabilities depend on the last alone. */
const NEXT = [
  [0.1, 0.5, 0.3, 0.1],
  [0.05, 0.05, 0.2, 0.7],
  [0.3, 0.05, 0.05, 0.6],
].map((row) => Float32Array.from(row, Math.log));
const START = Float32Array.from([0.4, 0.35, 0.2, 0.05], Math.log);
const scoresAfter = (sequence: Sequence) => NEXT[sequence.tokens.at(-1)!] ?? START;

function run(decoder: ReturnType<typeof greedyDecoder>, rows: number): Sequence[] {
  let sequences: readonly Sequence[] = Array.from({ length: rows }, () => ({ tokens: [], sumLogprob: 0 }));
  for (let step = 0; step < 20; step++) {
    const next = decoder.update(
      sequences,
      sequences.map((s) => (s.tokens.length === 0 ? START : scoresAfter(s)).slice()),
    );
    sequences = next.sequences;
    if (next.completed) break;
  }
  return decoder.finalize(sequences);
}

describe("greedy decoding", () => {
  it("takes the likeliest token each time, and sums the log probabilities with that of the end", () => {
    const [only] = run(greedyDecoder(0, EOT, seededRandom(0)), 1);
    expect(only!.tokens).toEqual([0, 1]);
    expect(only!.sumLogprob).toBeCloseTo(Math.log(0.4 * 0.5 * 0.7), 5);
  });

  it("samples by probability when hot, and the same again with the same seed", () => {
    const draw = (seed: number) => run(greedyDecoder(1, EOT, seededRandom(seed)), 3).map(({ tokens }) => tokens.join());
    expect(draw(5)).toEqual(draw(5));
    const firsts = Array.from({ length: 2000 }, (_, seed) => draw(seed)[0]!.split(",")[0]);
    const share = (token: string) => firsts.filter((first) => first === token).length / firsts.length;
    expect(share("0")).toBeCloseTo(0.4, 1);
    expect(share("1")).toBeCloseTo(0.35, 1);
    expect(share("2")).toBeCloseTo(0.2, 1);
  });

  it("does not let a finished row grow or change its score", () => {
    const decoder = greedyDecoder(0, EOT, seededRandom(0));
    const done: Sequence = { tokens: [1, EOT], sumLogprob: -1 };
    const step = decoder.update([done, { tokens: [0], sumLogprob: -2 }], [START.slice(), START.slice()]);
    expect(step.sequences[0]).toEqual({ tokens: [1, EOT, EOT], sumLogprob: -1 });
    expect(step.completed).toBe(false);
    expect(decoder.finalize(step.sequences)[0]!.tokens).toEqual([1]);
  });
});

describe("beam search", () => {
  /** Every sequence up to a length, likeliest first. */
  function exhaustive(length: number): Sequence[] {
    let open: Sequence[] = [{ tokens: [], sumLogprob: 0 }];
    const ended: Sequence[] = [];
    for (let i = 0; i < length; i++) {
      const longer = open.flatMap((sequence) =>
        Array.from(sequence.tokens.length === 0 ? START : scoresAfter(sequence), (logprob, token) => ({
          tokens: [...sequence.tokens, token],
          sumLogprob: sequence.sumLogprob + logprob,
        })),
      );
      ended.push(...longer.filter(({ tokens }) => tokens.at(-1) === EOT));
      open = longer.filter(({ tokens }) => tokens.at(-1) !== EOT);
    }
    return ended.sort((a, b) => b.sumLogprob - a.sumLogprob);
  }

  it("finds the likeliest sequence, which greedy decoding misses", () => {
    const best = exhaustive(8)[0]!;
    const found = run(beamSearchDecoder(4, EOT), 4).sort((a, b) => b.sumLogprob - a.sumLogprob)[0]!;
    expect([...found.tokens, EOT]).toEqual(best.tokens);
    expect(found.sumLogprob).toBeCloseTo(best.sumLogprob, 5);
    expect(found.tokens).not.toEqual(run(greedyDecoder(0, EOT, seededRandom(0)), 1)[0]!.tokens);
  });

  it("says which row each beam continues, without a sequence twice", () => {
    const decoder = beamSearchDecoder(2, EOT);
    const start: Sequence[] = [
      { tokens: [], sumLogprob: 0 },
      { tokens: [], sumLogprob: 0 },
    ];
    const first = decoder.update(start, [START.slice(), START.slice()]);
    expect(first.sequences.map(({ tokens }) => tokens)).toEqual([[0], [1]]);
    const second = decoder.update(
      first.sequences,
      first.sequences.map((s) => scoresAfter(s).slice()),
    );
    second.sequences.forEach(({ tokens }, row) => {
      expect(first.sequences[second.sources[row]!]!.tokens).toEqual(tokens.slice(0, -1));
    });
  });

  it("waits for more candidates with patience", () => {
    expect(run(beamSearchDecoder(2, EOT), 2)).toHaveLength(2);
    expect(run(beamSearchDecoder(2, EOT, 2), 2).length).toBeGreaterThan(2);
  });
});

describe("ranking", () => {
  const short = { tokens: [1, 2], sumLogprob: -2 };
  const long = { tokens: [1, 2, 3, 4, 5, 6], sumLogprob: -4.8 };

  it("goes by mean log probability, or by Google NMT's penalty, which favours length less", () => {
    expect(rankByLikelihood([short, long], undefined)).toBe(1);
    expect(rankByLikelihood([short, long], 0)).toBe(0);
  });
});
