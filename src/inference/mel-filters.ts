// The mel filterbank: librosa's `filters.mel(sr=16000, n_fft=400, n_mels=…)`, computed instead of shipped as a file.

const SAMPLE_RATE = 16_000;
const N_FREQUENCIES = 201;

// Slaney's mel scale: linear below 1 kHz, logarithmic above. Ref: librosa core/convert.py hz_to_mel
const HZ_PER_MEL = 200 / 3;
const MIN_LOG_HZ = 1000;
const MIN_LOG_MEL = MIN_LOG_HZ / HZ_PER_MEL;
const LOG_STEP = Math.log(6.4) / 27;

const hzToMel = (hz: number) =>
  hz < MIN_LOG_HZ ? hz / HZ_PER_MEL : MIN_LOG_MEL + Math.log(hz / MIN_LOG_HZ) / LOG_STEP;
const melToHz = (mel: number) =>
  mel < MIN_LOG_MEL ? mel * HZ_PER_MEL : MIN_LOG_HZ * Math.exp(LOG_STEP * (mel - MIN_LOG_MEL));

/** A filterbank [nMels, 201] of which only the run of weights above zero is kept in each row. */
export interface MelFilters {
  readonly nMels: number;
  /** The first frequency bin of each row. */
  readonly first: Int32Array;
  /** Where each row's weights begin in `weights`; one entry more than rows, so that row i ends at `offsets[i + 1]`. */
  readonly offsets: Int32Array;
  readonly weights: Float64Array;
}

/** Triangles that are equally wide in mel and of equal area ("slaney" normalisation). Ref: librosa filters.py mel */
export function melFilters(nMels: number): MelFilters {
  const topMel = hzToMel(SAMPLE_RATE / 2);
  const edges = Array.from({ length: nMels + 2 }, (_, i) => melToHz((topMel * i) / (nMels + 1)));
  const first = new Int32Array(nMels);
  const offsets = new Int32Array(nMels + 1);
  const weights: number[] = [];
  for (let i = 0; i < nMels; i++) {
    const [low, centre, high] = [edges[i]!, edges[i + 1]!, edges[i + 2]!];
    first[i] = N_FREQUENCIES;
    for (let k = 0; k < N_FREQUENCIES; k++) {
      const hz = ((SAMPLE_RATE / 2) * k) / (N_FREQUENCIES - 1);
      const weight = Math.min((hz - low) / (centre - low), (high - hz) / (high - centre));
      if (weight <= 0) continue;
      if (first[i] === N_FREQUENCIES) first[i] = k;
      weights.push(Math.fround((weight * 2) / (high - low)));
    }
    offsets[i + 1] = weights.length;
  }
  return { nMels, first, offsets, weights: Float64Array.from(weights) };
}
