// The log-mel spectrogram of a recording, computed in one pass as the samples come in.

import { UserError } from "../core/errors.ts";
import { HOP_LENGTH, N_FFT, N_FRAMES, SAMPLE_RATE } from "./audio.ts";
import { powerSpectrum } from "./fft.ts";
import { frameStore } from "./frame-store.ts";
import { type MelFilters, melFilters } from "./mel-filters.ts";

/** log10 of the smallest power that counts: what a frame of silence holds before it is normalised. */
const SILENCE = -10;
/** Frames that are computed and stored at a time: 10 s. */
const BLOCK_FRAMES = 1000;
/** About 10 minutes: 19 MB with 80 mel bins, 31 MB with 128. */
const SPILL_AFTER_FRAMES = 60_000;

export interface MelSpectrogram {
  readonly nMels: number;
  /** Frames of 10 ms that lie within the recording: floor(samples / 160). */
  readonly contentFrames: number;
  /** Length of the recording: samples / 16000. */
  readonly durationSeconds: number;
  /**
   * Frames seek … seek+size-1, normalised by the maximum of the whole recording, then 0.0 as `pad_or_trim` does.
   * Past the recording come frames of silence, as the reference appends 30 s of it before its transform.
   * @param size at most 3000
   * @param into used for the result when given: float32 [nMels * 3000]
   * @param at column of the result from which on it is written, so that a window can be put together from several parts
   * @returns float32 [nMels, 3000]
   */
  window(seek: number, size: number, into?: Float32Array, at?: number): Promise<Float32Array>;
  /** Gives the memory and disk space back. */
  close(): Promise<void>;
}

export interface MelOptions {
  readonly signal?: AbortSignal;
  /** Frames held in memory before all of them move to a file in the temp folder. */
  readonly spillAfterFrames?: number;
  /** Called with the seconds of audio seen so far. */
  onProgress?(seconds: number): void;
}

/**
 * Equal to `log_mel_spectrogram(audio, n_mels, padding=N_SAMPLES)` within 1e-4. Ref: openai/whisper audio.py
 * @param audio 16 kHz mono samples in chunks of any length; read once, to its end
 * @param nMels 80, or 128 for large-v3 and its kin
 * @throws UserError no_audio when there is not one sample; InferenceError disk_full
 */
export async function logMelSpectrogram(
  audio: AsyncIterable<Float32Array>,
  nMels: number,
  options: MelOptions = {},
): Promise<MelSpectrogram> {
  const { signal, spillAfterFrames = SPILL_AFTER_FRAMES, onProgress } = options;
  const store = frameStore(nMels, spillAfterFrames);
  const filters = melFilters(nMels);
  // Room for the samples of one block. The first half window before the recording is its reflection.
  const samples = new Float32Array(N_FFT - HOP_LENGTH + BLOCK_FRAMES * HOP_LENGTH);
  const block = new Float32Array(BLOCK_FRAMES * nMels);
  let filled = N_FFT / 2;
  let nSamples = 0;
  let max = SILENCE;

  async function storeFrames(count: number): Promise<void> {
    if (store.length === 0) for (let k = 1; k <= N_FFT / 2; k++) samples[N_FFT / 2 - k] = samples[N_FFT / 2 + k]!;
    max = Math.max(max, logMelFrames(samples, count, filters, block));
    await store.append(block.subarray(0, count * nMels));
    samples.copyWithin(0, count * HOP_LENGTH);
    samples.fill(0, samples.length - count * HOP_LENGTH);
    filled -= count * HOP_LENGTH;
  }

  try {
    for await (const chunk of audio) {
      signal?.throwIfAborted();
      for (let read = 0; read < chunk.length; ) {
        const piece = chunk.subarray(read, read + samples.length - filled);
        samples.set(piece, filled);
        filled += piece.length;
        read += piece.length;
        if (filled === samples.length) await storeFrames(BLOCK_FRAMES);
      }
      nSamples += chunk.length;
      onProgress?.(nSamples / SAMPLE_RATE);
    }
    if (nSamples === 0)
      throw new UserError("no_audio", "The recording is empty: there is not one sample of sound in it.");
    // The last frames reach into the silence that the reference appends; those after them hold nothing but silence.
    const nFrames = Math.ceil((nSamples + N_FFT / 2) / HOP_LENGTH);
    while (store.length < nFrames) await storeFrames(Math.min(BLOCK_FRAMES, nFrames - store.length));
  } catch (error) {
    await store.close();
    throw error;
  }

  const lowest = max - 8;
  const normalised = (logMel: number) => (Math.max(logMel, lowest) + 4) / 4;

  async function window(
    seek: number,
    size: number,
    into = new Float32Array(nMels * N_FRAMES),
    at = 0,
  ): Promise<Float32Array> {
    if (at + size > N_FRAMES) throw new RangeError(`A window has at most ${N_FRAMES} frames, not ${at + size}`);
    const held = Math.max(0, Math.min(size, store.length - seek));
    const frames = await store.read(seek, held);
    for (let m = 0; m < nMels; m++) {
      const row = m * N_FRAMES;
      for (let t = 0; t < held; t++) into[row + at + t] = normalised(frames[t * nMels + m]!);
      into.fill(normalised(SILENCE), row + at + held, row + at + size);
      into.fill(0, row + at + size, row + N_FRAMES);
    }
    return into;
  }

  return {
    nMels,
    contentFrames: Math.floor(nSamples / HOP_LENGTH),
    durationSeconds: nSamples / SAMPLE_RATE,
    window,
    close: () => store.close(),
  };
}

const hann = Float64Array.from({ length: N_FFT }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / N_FFT));
const frame = new Float64Array(N_FFT);
const power = new Float64Array(N_FFT / 2 + 1);

/** Computes `count` frames, HOP_LENGTH samples apart, into [count, nMels] and returns the largest value. */
function logMelFrames(samples: Float32Array, count: number, filters: MelFilters, logMel: Float32Array): number {
  let max = SILENCE;
  for (let t = 0; t < count; t++) {
    multiply(samples, t * HOP_LENGTH, hann, frame);
    powerSpectrum(frame, power);
    applyFilters(filters, power, logMel, t * filters.nMels);
  }
  for (let i = 0; i < count * filters.nMels; i++) if (logMel[i]! > max) max = logMel[i]!;
  return max;
}

// The inner loops take all they need as arguments: V8 would load the variables of a closure anew at every step.
function multiply(samples: Float32Array, start: number, window: Float64Array, product: Float64Array): void {
  for (let n = 0; n < N_FFT; n++) product[n] = samples[start + n]! * window[n]!;
}

function applyFilters(filters: MelFilters, spectrum: Float64Array, logMel: Float32Array, start: number): void {
  const { nMels, first, offsets, weights } = filters;
  for (let m = 0; m < nMels; m++) {
    const from = offsets[m]!;
    const to = offsets[m + 1]!;
    const shift = first[m]! - from;
    let sum = 0;
    for (let i = from; i < to; i++) sum += weights[i]! * spectrum[i + shift]!;
    // V8's log10 takes half as long again as its log.
    logMel[start + m] = sum > 1e-10 ? Math.log(sum) * Math.LOG10E : SILENCE;
  }
}
