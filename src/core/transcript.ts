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

/** How a recording was gone through: window after window, each reading the text before it, or several windows at once. */
export type Way = "sequential" | "batched";

/** What made a guard step in. */
export type GuardKind =
  /** The text repeated itself, or was improbable, by openai/whisper's thresholds. */
  | "compression_ratio"
  | "log_probability"
  /** The model itself says that nobody speaks, and is not sure of what it wrote. */
  | "no_speech"
  /** Improbable words with silence around them: openai/whisper's hallucination_silence_threshold. */
  | "hallucination_silence"
  /** Nobody speaks there, says the voice activity detection. */
  | "silence"
  /** As before, and it is a phrase that models are known to write in silence. */
  | "phantom"
  /** The same words again and again. */
  | "loop"
  /** The initial prompt's words where nobody said them. */
  | "prompt_leak";

/** What a guard against invented text has done, so that one can see why something is not in the transcript. */
export interface GuardNote {
  readonly kind: GuardKind;
  /** Seconds of the recording. */
  readonly start: number;
  readonly end: number;
  /** What had been written there. */
  readonly text: string;
  /** Left out, heard again in another way, or left out but for the first round. */
  readonly action: "dropped" | "redecoded" | "cut";
}

/** A part of a long transcript about one topic. Seconds from the start of the recording. */
export interface Chapter {
  readonly start: number;
  readonly end: number;
  /** The words that it is about. */
  readonly title: string;
}

export interface Transcript {
  readonly text: string;
  readonly segments: readonly Segment[];
  /** ISO code as the model uses it, e.g. "en". */
  readonly language: string;
  /** Length of the recording in seconds. */
  readonly duration: number;
  readonly way?: Way;
  /** In the order of the recording; left out when there was no need for any. */
  readonly guards?: readonly GuardNote[];
  /** Present where chapters were asked for and found. */
  readonly chapters?: readonly Chapter[];
}
