// Encodes windows whole, or only as far as they hold audio.

import { UserError } from "../core/errors.ts";
import { FRAMES_PER_SECOND, N_FRAMES } from "./audio.ts";
import type { Model } from "./decoding.ts";
import type { AudioFeatures } from "./graph.ts";

/**
 * Whisper was trained on windows of 30 s, with silence after a shorter recording. Without most of it the encoder has less
 * to do, but not every model still knows then where the recording ends.
 * @param mel float32 [windows, nMels, 3000]
 * @param sizes frames of each window that hold audio
 * @param encoderMargin seconds of silence that are encoded after the longest of them; all of it when left out
 * @throws the signal's reason, after at most one window on a CPU
 */
export function encodeWindows(
  { graph, dims }: Model,
  mel: Float32Array,
  sizes: readonly number[],
  { encoderMargin, signal }: { readonly encoderMargin?: number; readonly signal?: AbortSignal },
): Promise<AudioFeatures> {
  const frames = encoderMargin === undefined ? N_FRAMES : Math.max(...sizes) + encoderMargin * FRAMES_PER_SECOND;
  const kept = 2 * Math.ceil(frames / 2);
  if (kept >= N_FRAMES) return graph.encode(mel, sizes.length, signal);
  const rows = sizes.length * dims.nMels;
  const short = new Float32Array(rows * kept);
  for (let row = 0; row < rows; row++) short.set(mel.subarray(row * N_FRAMES, row * N_FRAMES + kept), row * kept);
  return graph.encode(short, sizes.length, signal);
}

/** @throws UserError bad_option: the model's graphs take whole windows only */
export function requireShortWindows(model: Model): void {
  if (model.graph.takesShortWindows) return;
  throw new UserError(
    "bad_option",
    "This model's graphs take whole windows only. Make its fast ones with earshot models optimize, or leave out encoder_margin.",
  );
}
