// What decoding needs from a model's ONNX graphs, whatever their layout.

import type { Tensor } from "./session.ts";

/** The sizes of a Whisper model, named as in openai/whisper's ModelDimensions. */
export interface ModelDimensions {
  readonly nMels: number;
  /** Encoder positions for one 30 s window: 1500. */
  readonly nAudioCtx: number;
  readonly nAudioState: number;
  readonly nAudioHead: number;
  readonly nAudioLayer: number;
  readonly nVocab: number;
  /** Decoder positions: 448. Half of them, less one, is the most a prompt may take. */
  readonly nTextCtx: number;
  readonly nTextState: number;
  readonly nTextHead: number;
  readonly nTextLayer: number;
}

/** The encoder's output for a batch of windows, which any layout of the same model can read. */
export interface AudioFeatures {
  readonly nAudio: number;
  /** nAudioCtx, or fewer where the spectrogram was shorter than its window. */
  readonly positions: number;
  /** [nAudio, positions, nAudioState], kept where the device wants it. */
  readonly hidden: Tensor;
  /** Copied to the host as float32, e.g. to compare with the reference. */
  toFloat32(): Promise<Float32Array>;
  /** Gives the memory to the next windows, who then need not ask for it page by page. Ends the features' use. */
  release(): void;
}

/** Logits of one forward pass, [nBatch, nTokens, nVocab]; views into one buffer that the next pass may reuse. */
export interface Logits {
  readonly nBatch: number;
  readonly nTokens: number;
  at(batch: number, token: number): Float32Array;
}

/** One decoding run over some audio features, with its key/value cache. Ref: openai/whisper decoding.py `Inference`. */
export interface Inference {
  /**
   * Forward pass through the decoder.
   * @param tokens [nBatch][nNew] token ids that the cache does not hold yet: all initial tokens first, one per row after
   */
  logits(tokens: readonly (readonly number[])[]): Promise<Logits>;
  /** Lets row i of the cache continue what row `sourceIndices[i]` was. Also changes the number of rows. */
  rearrange(sourceIndices: readonly number[]): void;
  /**
   * Samples every row at temperature 0 inside the graph, where it can; otherwise the caller chooses from `logits`. It
   * ends the run: nothing is to be asked of it afterwards.
   * @param rows all initial tokens of each row, equally many, the cache being empty
   * @param sampleLen the most tokens to sample
   * @returns one run for each row
   * @throws the signal's reason, within a fraction of a second
   */
  greedy?(
    rows: readonly (readonly number[])[],
    rules: TokenRules,
    sampleLen: number,
    signal?: AbortSignal,
  ): Promise<readonly GreedyRun[]>;
  release(): void;
}

/**
 * What was sampled last decides which row of `masks` holds for the next token: nothing yet; a text token; a timestamp
 * after a text token, which opens a pair; a timestamp that closes a pair, or begins the window.
 */
export const TOKEN_STATES = { first: 0, text: 1, opened: 2, closed: 3 } as const;
export type TokenState = keyof typeof TOKEN_STATES;

/** What may be sampled, in the form that a graph can compute with. */
export interface TokenRules {
  /** 0 or minus infinity for each token, one row for each state of `TOKEN_STATES`: [4, nVocab]. */
  readonly masks: Float32Array;
  readonly eot: number;
  readonly noSpeech: number | undefined;
  readonly timestampBegin: number;
  /** Whether the timestamp rules hold. */
  readonly timestamps: boolean;
}

export interface GreedyRun {
  /** With `eot`, when that was sampled. */
  readonly tokens: readonly number[];
  readonly sumLogprob: number;
  /** NaN when the model has no token for it. */
  readonly noSpeechProb: number;
}

/** Logits and cross-attention of one pass over known tokens, for word times. */
export interface Alignment {
  readonly logits: Logits;
  /** Attention probabilities of the asked heads: [heads][nTokens * positions]. */
  readonly attentions: readonly Float32Array[];
}

export interface WhisperGraph {
  /** What runs, for the operator: "CPU, float32, public layout". */
  readonly description: string;
  /** Whether `encode` takes spectrograms that are shorter than a window. */
  readonly takesShortWindows: boolean;
  /** @param mel float32 [nAudio, nMels, 3000], or an even number of frames fewer */
  encode(mel: Float32Array, nAudio: number, signal?: AbortSignal): Promise<AudioFeatures>;
  /** Starts decoding: row i of the batch listens to window `indices[i]` of the features. */
  decode(features: AudioFeatures, indices: readonly number[]): Inference;
  /** Whether `align` works: the decoder's graph gives its cross-attentions. */
  givesAttentions(): Promise<boolean>;
  /** @param heads pairs of decoder layer and head */
  align(
    features: AudioFeatures,
    index: number,
    tokens: readonly number[],
    heads: readonly (readonly [number, number])[],
  ): Promise<Alignment>;
  close(): Promise<void>;
}
