// Earshot on a long recording, in a process of its own: one run, then the figures.

import { join } from "node:path";
import process from "node:process";
import { openFastLayout } from "../../inference/fast-layout.ts";
import type { Inference, WhisperGraph } from "../../inference/graph.ts";
import { readModelConfig } from "../../inference/model-config.ts";
import type { FastPrecision } from "../../inference/onnx/fused-pass.ts";
import { findFastLayout } from "../../inference/onnx/optimize.ts";
import { loadTokenizer, type Tokenizer } from "../../inference/tokenizer.ts";
import { collect, type TranscribeOptions, transcribe } from "../../inference/transcribe.ts";
import { peakMemory } from "./peak-memory.ts";
import { operatorClock, timed } from "./stopwatch.ts";

export interface LongOptions {
  readonly folder: string;
  readonly precision: FastPrecision;
  readonly threads: number;
  readonly path: string;
  readonly way: "sequential" | "batched";
  readonly vad: boolean;
  readonly batchSize: number;
  /** Tokens of each window, for weights that never come to an end of themselves. */
  readonly fixedTokens?: number;
}

export interface LongFigures {
  readonly wallMs: number;
  readonly duration: number;
  readonly text: string;
  /** Windows that were encoded, and tokens that were sampled at temperature 0, which is done inside the graph. */
  readonly windows: number;
  readonly tokens: number;
  /** Shares of the wall time. */
  readonly voiceDetection: number;
  readonly outside: number;
  readonly peakBytes: number | undefined;
}

async function measure(options: LongOptions): Promise<LongFigures> {
  const all = operatorClock(import.meta.url);
  let inGraphsMs = 0;
  const { dims, isMultilingual, alignmentHeads } = await readModelConfig(options.folder);
  const tokenizer = await loadTokenizer(join(options.folder, "tokenizer.json"), isMultilingual);
  const files = await findFastLayout(options.folder, options.precision);
  if (files === undefined) throw new Error(`${options.folder} has no fast layout`);
  const onRun = (milliseconds: number) => {
    inGraphsMs += milliseconds;
  };
  const opened = await openFastLayout(files, dims, { device: "cpu", threads: options.threads, onRun }, tokenizer.sot);
  const counts = { windows: 0, tokens: 0 };
  const graph = counted(opened, counts, options.fixedTokens === undefined ? undefined : tokenizer);
  const model = { dims, tokenizer, graph, alignmentHeads };
  const { way, vad, batchSize, fixedTokens } = options;
  const transcribeOptions: TranscribeOptions = {
    language: "en",
    way,
    vad,
    batchSize,
    ...(fixedTokens === undefined
      ? {}
      : {
          temperature: 0,
          withoutTimestamps: true,
          sampleLen: fixedTokens,
          suppressTokens: [-1, tokenizer.eot],
        }),
  };
  const [{ text, duration }, wallMs] = await timed(() => collect(transcribe(model, options.path, transcribeOptions)));
  await graph.close();
  return {
    wallMs,
    duration,
    text,
    ...counts,
    voiceDetection: (all.elapsedMs - inGraphsMs) / wallMs,
    outside: 1 - all.elapsedMs / wallMs,
    peakBytes: await peakMemory("self"),
  };
}

/**
 * Counts what a graph does.
 * @param unread with random weights, the tokens cost what they cost and are then exchanged for others: random weights
 * repeat themselves, and the guards against loops would have everything decoded again
 */
function counted(
  graph: WhisperGraph,
  counts: { windows: number; tokens: number },
  unread: Tokenizer | undefined,
): WhisperGraph {
  return {
    ...graph,
    encode(mel, nAudio, signal) {
      counts.windows += nAudio;
      return graph.encode(mel, nAudio, signal);
    },
    decode(features, indices): Inference {
      const inference = graph.decode(features, indices);
      const { greedy } = inference;
      if (greedy === undefined) return inference;
      return {
        ...inference,
        async greedy(...parameters) {
          const runs = await greedy(...parameters);
          counts.tokens += runs.reduce((sum, run) => sum + run.tokens.length, 0);
          if (unread === undefined) return runs;
          const tokens = (run: number) => (_: number, i: number) => (run * 311 + i * 17) % 1000;
          return runs.map((run, row) => ({
            tokens: run.tokens.map((_, i) => tokens(row)(0, i)),
            sumLogprob: -0.1 * run.tokens.length,
            noSpeechProb: 0,
          }));
        },
      };
    },
  };
}

const [options] = process.argv.slice(2);
if (options !== undefined && process.send !== undefined) {
  process.send(await measure(JSON.parse(options) as LongOptions));
  process.disconnect();
}
