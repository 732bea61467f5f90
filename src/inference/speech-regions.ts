// From the probability of speech in each 32 ms to regions of speech, in frames of 10 ms.
// Ref: snakers4/silero-vad v6.2.1 utils_vad.py `get_speech_timestamps`

import { HOP_LENGTH, SAMPLE_RATE } from "./audio.ts";

/** Samples that Silero's model judges at a time: 32 ms. */
export const VAD_SAMPLES = 512;

/** A stretch of the recording, in frames of 10 ms; the end is the first frame after it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface SpeechRegionOptions {
  /** Speech begins at this probability. */
  readonly threshold?: number;
  /** It ends where the probability stays below this one, by default 0.15 less than the one that begins it. */
  readonly negThreshold?: number;
  /** What is shorter is no speech. */
  readonly minSpeechMs?: number;
  /** What is shorter is no end of speech. */
  readonly minSilenceMs?: number;
  /** A longer region is cut at its quietest point. */
  readonly maxSpeechMs?: number;
}

export interface SpeechRegions {
  /** @param energy mean square of the samples */
  push(probability: number, energy: number): void;
  /** @param nSamples length of the recording */
  end(nSamples: number): readonly Span[];
}

/** Silero's own 250 ms would lose a "yes"; what clicks and coughs leave is for the model and the other guards to judge. */
const MIN_SPEECH_MS = 100;
/** With its margins a region fits a window of 30 s. */
const MAX_SPEECH_MS = 28_000;

/** What grows with the recording are the regions alone. */
export function speechRegions(options: SpeechRegionOptions = {}): SpeechRegions {
  const { threshold = 0.5, minSpeechMs = MIN_SPEECH_MS, minSilenceMs = 100, maxSpeechMs = MAX_SPEECH_MS } = options;
  const negThreshold = options.negThreshold ?? Math.max(threshold - 0.15, 0.01);
  const minSpeech = samplesIn(minSpeechMs);
  const minSilence = samplesIn(minSilenceMs);
  const maxChunks = Math.floor(samplesIn(maxSpeechMs) / VAD_SAMPLES);
  const regions: Span[] = [];
  let chunk = 0;
  /** First chunk of the region that is open. */
  let start: number | undefined;
  /** Chunk from which on it has been silent. */
  let silentSince: number | undefined;
  /** A region that was cut goes on, however little of it is left. */
  let isRest = false;
  /** Of each chunk since the start. */
  let energies: number[] = [];

  function close(endSample: number): void {
    const startSample = start! * VAD_SAMPLES;
    if (isRest || endSample - startSample > minSpeech) {
      regions.push({ start: Math.floor(startSample / HOP_LENGTH), end: Math.ceil(endSample / HOP_LENGTH) });
    }
    start = undefined;
    silentSince = undefined;
    isRest = false;
    energies = [];
  }

  /** Both parts meet there; neither is lost, however short. */
  function cut(): void {
    const at = quietest(energies);
    const frame = Math.round(((start! + at) * VAD_SAMPLES) / HOP_LENGTH);
    regions.push({ start: Math.floor((start! * VAD_SAMPLES) / HOP_LENGTH), end: frame });
    start = start! + at;
    energies = energies.slice(at);
    if (silentSince !== undefined && silentSince < start) silentSince = start;
    isRest = true;
  }

  return {
    push(probability, energy) {
      if (probability >= threshold) {
        silentSince = undefined;
        start ??= chunk;
      }
      if (start !== undefined) {
        energies.push(energy);
        if (probability < negThreshold) {
          silentSince ??= chunk;
          if ((chunk - silentSince) * VAD_SAMPLES >= minSilence) close(silentSince * VAD_SAMPLES);
        }
        if (start !== undefined && energies.length >= maxChunks) cut();
      }
      chunk++;
    },
    end(nSamples) {
      if (start !== undefined) close(nSamples);
      const nFrames = Math.floor(nSamples / HOP_LENGTH);
      return joined(regions, nFrames);
    },
  };
}

/** A cut lies in the second half, so that no region comes to nothing. */
function quietest(energies: readonly number[]): number {
  let best = energies.length - 1;
  let lowest = Number.POSITIVE_INFINITY;
  for (let i = energies.length >> 1; i < energies.length - 1; i++) {
    const around = energies[i - 1]! + energies[i]! + energies[i + 1]!;
    if (around < lowest) {
      lowest = around;
      best = i;
    }
  }
  return best;
}

/** Whole frames have ends that reach into the next region's first frame, or past the recording. */
function joined(regions: readonly Span[], nFrames: number): Span[] {
  const apart: Span[] = [];
  for (const { start, end } of regions) {
    const from = Math.max(start, apart.at(-1)?.end ?? 0);
    const to = Math.min(end, nFrames);
    if (from < to) apart.push({ start: from, end: to });
  }
  return apart;
}

const samplesIn = (milliseconds: number) => (milliseconds * SAMPLE_RATE) / 1000;
