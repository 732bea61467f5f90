// How many windows are decoded together: as many as make a difference to the device and fit into the memory.

import type { ModelDimensions } from "./graph.ts";
import type { Device } from "./session.ts";

/**
 * Beyond this many a CPU gains next to nothing: reading the audio's keys and values, which each row has of its own, then
 * takes more time than reading the weights. See docs/bench.md. A GPU waits for memory much longer than for arithmetic.
 */
const MOST = { cpu: 4, gpu: 16 } as const;
/** That of small. */
const LARGEST_STATE_ON_CPU = 768;
/** The rest is for the weights and for what else runs. */
const SHARE_OF_MEMORY = 1 / 4;
const BYTES_PER_FLOAT = 4;
/** Logits of one row with what the choice of a token makes of them. */
const VOCABULARIES = 6;

/**
 * @param memoryBytes what is still free on the device
 * @param layout the public one computes logits for the whole prompt
 */
export function batchSize(
  dims: ModelDimensions,
  device: Device,
  memoryBytes: number,
  layout: "fast" | "public" = "public",
): number {
  // A short recording waits for the batch before it, which a large model on a CPU would take minutes for.
  const most = device !== "cpu" ? MOST.gpu : dims.nAudioState > LARGEST_STATE_ON_CPU ? 1 : MOST.cpu;
  const fitting = Math.floor((memoryBytes * SHARE_OF_MEMORY) / rowBytes(dims, layout));
  return Math.max(1, Math.min(most, fitting));
}

/** Memory that one more window takes while it is decoded, in bytes. */
export function rowBytes(dims: ModelDimensions, layout: "fast" | "public"): number {
  const { nAudioCtx, nAudioState, nTextCtx, nTextLayer, nTextState, nVocab } = dims;
  const features = nAudioCtx * nAudioState;
  const audioCache = 2 * nTextLayer * nAudioCtx * nTextState;
  // Twice: each turn makes a cache that is longer by one from the one before.
  const textCache = 2 * 2 * nTextLayer * nTextCtx * nTextState;
  const logits = nVocab * (layout === "fast" ? VOCABULARIES : nTextCtx / 2);
  return BYTES_PER_FLOAT * (features + audioCache + textCache + logits);
}
