// What a transcription gives: segments of timed text, and the words in them.

/** A word with its times in seconds from the start of the recording. */
export interface Word {
  /** As spelled in the text, with its leading space where it has one. */
  readonly word: string;
  readonly start: number;
  readonly end: number;
  /** Mean probability of the word's tokens, 0 to 1. */
  readonly probability: number;
}

/** A piece of timed text. The fields are those of openai/whisper's segments (Ref: openai/whisper transcribe.py). */
export interface Segment {
  readonly id: number;
  /** Start of the 30 s window in which the segment was decoded, in frames of 10 ms. */
  readonly seek: number;
  /** Seconds from the start of the recording. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Token ids, timestamp tokens included. */
  readonly tokens: readonly number[];
  /** The sampling temperature that gave this text; above 0 after a temperature fallback. */
  readonly temperature: number;
  /** Mean natural-log probability per token. */
  readonly avgLogprob: number;
  /** Length of the text in UTF-8 over its length compressed; high for repetitive text. */
  readonly compressionRatio: number;
  /** Probability that the window holds no speech. */
  readonly noSpeechProb: number;
  /** Present when word timestamps were asked for. */
  readonly words?: readonly Word[];
  /** ISO code; present when the language was detected window by window. */
  readonly language?: string;
  /** Who speaks; present when each track or channel of the recording holds one speaker. */
  readonly speaker?: string;
}

export interface Transcript {
  readonly text: string;
  readonly segments: readonly Segment[];
  /** ISO code as the model uses it, e.g. "en". */
  readonly language: string;
  /** Length of the recording in seconds. */
  readonly duration: number;
}
