// Any recording -> 16 kHz mono samples, through ffmpeg.
export const SAMPLE_RATE = 16_000;
export const N_FFT = 400;
export const HOP_LENGTH = 160;
/** Seconds in a window. */
export const CHUNK_LENGTH = 30;
export const N_SAMPLES = CHUNK_LENGTH * SAMPLE_RATE;
/** Mel frames in a window: 3000. */
export const N_FRAMES = N_SAMPLES / HOP_LENGTH;
/** Mel frames of 10 ms. */
export const FRAMES_PER_SECOND = SAMPLE_RATE / HOP_LENGTH;
/** The encoder's positions, and so timestamp tokens, are 20 ms apart: its first convolutions halve the frames. */
export const TOKENS_PER_SECOND = FRAMES_PER_SECOND / 2;
