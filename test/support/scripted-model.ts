// A model that writes what a test has it write; its tokenizer, its encoder and all that decodes are the real ones.
import type { Inference } from "../../src/inference/graph.ts";
import type { Whisper } from "../../src/inference/whisper.ts";

/** One decoding of one window. */
export interface Attempt {
  /** What stands before the window, as text. */
  readonly prompt: string;
  readonly window: number;
  /** How often this window was decoded before. */
  readonly before: number;
}

/** A text, or timed ones: seconds of their start and end in the window; without an end, the model breaks off there. */
export type Written = string | readonly (readonly [start: number, text: string, end?: number])[];

/** @returns the model, and the attempts that were made with it */
export function scriptedModel(
  whisper: Whisper,
  write: (attempt: Attempt) => Written,
): { readonly model: Whisper; readonly attempts: readonly Attempt[] } {
  const { tokenizer, dims, graph } = whisper;
  const attempts: Attempt[] = [];
  const timestamp = (seconds: number) => tokenizer.timestampBegin + Math.round(seconds * 50);

  function tokensOf(written: Written): number[] {
    const timed = typeof written !== "string" ? written : written === "" ? [] : [[0, written, 2] as const];
    if (timed.length === 0) return [timestamp(0), tokenizer.eot];
    const parts = timed.map(([start, text, end]) => {
      const tokens = [timestamp(start), ...tokenizer.encode(text)];
      return end === undefined ? tokens : [...tokens, timestamp(end)];
    });
    return [...parts.flat(), tokenizer.eot];
  }

  function inference(indices: readonly number[]): Inference {
    let texts: number[][] = [];
    let step = 0;
    return {
      async logits(tokens) {
        if (step === 0) {
          texts = indices.map((window, row) => {
            const before = attempts.filter((other) => other.window === window).length;
            const prompt = tokenizer.decode(tokens[row]!.filter((token) => token < tokenizer.eot)).trim();
            attempts.push({ prompt, window, before });
            return tokensOf(write({ prompt, window, before }));
          });
        }
        const wanted = step++;
        return {
          nBatch: tokens.length,
          nTokens: tokens[0]!.length,
          at(row) {
            const logits = new Float32Array(dims.nVocab).fill(-20);
            const text = texts[row]!;
            logits[text[Math.min(wanted, text.length - 1)]!] = 20;
            return logits;
          },
        };
      },
      rearrange(sources) {
        texts = sources.map((source) => texts[source]!);
      },
      release() {},
    };
  }
  return { model: { ...whisper, graph: { ...graph, decode: (_, indices) => inference(indices) } }, attempts };
}
