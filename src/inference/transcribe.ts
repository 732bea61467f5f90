// A whole recording, window by window, into segments of text. Ref: openai/whisper transcribe.py.

import type { Readable } from "node:stream";
import { UserError } from "../core/errors.ts";
import type { Segment, Transcript } from "../core/transcript.ts";
import { type AlignableModel, addWordTimestamps, requireAttentions } from "./alignment.ts";
import { type AudioOptions, decodeAudio, FRAMES_PER_SECOND, N_FRAMES } from "./audio.ts";
import { type DecodingOptions, type DecodingResult, detectLanguage } from "./decoding.ts";
import { defined } from "./defined.ts";
import { decodeWithFallback, type FallbackOptions, isSilence } from "./fallback.ts";
import type { AudioFeatures } from "./graph.ts";
import { endOf, skipHallucinations } from "./hallucination.ts";
import { logMelSpectrogram, type MelSpectrogram } from "./mel.ts";
import { encodeInitialPrompt, windowPrompt } from "./prompt.ts";
import { type Draft, splitSegments, type Window } from "./segments.ts";

/** With openai/whisper's meaning and defaults, but for `carryInitialPrompt`. */
export interface TranscribeOptions
  extends Omit<DecodingOptions, "language" | "temperature" | "prompt" | "seed" | "signal">,
    Omit<AudioOptions, "signal">,
    FallbackOptions {
  /** Detected from the first window when left out. */
  readonly language?: string;
  /** Codes among which the language is detected; all by default. */
  readonly allowedLanguages?: readonly string[];
  readonly conditionOnPreviousText?: boolean;
  /** Names and terms as they are to be spelled; at most 223 tokens. */
  readonly initialPrompt?: string;
  /** Whether the initial prompt stands before every window. True here, false in openai/whisper, where it fades. */
  readonly carryInitialPrompt?: boolean;
  readonly wordTimestamps?: boolean;
  readonly prependPunctuations?: string;
  readonly appendPunctuations?: string;
  /** start, end, start, … in seconds; the last end may be left out. */
  readonly clipTimestamps?: readonly number[];
  /** Seconds of silence around an improbable segment from which on it is dropped. Needs `wordTimestamps`. */
  readonly hallucinationSilenceThreshold?: number;
  /** Goes on after `checkpoint` as if there had been no break. */
  readonly resume?: { readonly checkpoint: Checkpoint; readonly segments: readonly Segment[] };
  readonly signal?: AbortSignal;
  readonly on?: TranscribeEvents;
}

export interface TranscribeEvents {
  /** @param probability undefined when the language was given */
  language?(code: string, probability: number | undefined): void;
  /** Seconds of the recording behind us, and its length; for the first time before the first window. */
  progress?(seconds: number, duration: number): void;
  /**
   * A window is done and its segments were yielded. Kept with them, it is all that `resume` needs. The next window waits
   * for the promise, where one is given back.
   */
  checkpoint?(checkpoint: Checkpoint): unknown;
}

/** Where the loop stands between two windows. Plain JSON. */
export interface Checkpoint {
  /** Frame from which the next window begins. */
  readonly seek: number;
  readonly language: string;
  /** Tokens of text before the last prompt reset, if there was one. */
  readonly promptResetSince?: number;
  readonly lastSpeechTimestamp: number;
}

/** A path, a stream of any container ffmpeg reads, or samples at 16 kHz in [-1, 1]. */
export type Source = string | Readable | Float32Array;

const PREPEND_PUNCTUATIONS = "\"'“¿([{-";
const APPEND_PUNCTUATIONS = "\"'.。,，!！?？:：”)]}、";
/** A window decoded hotter than this does not prompt the next. */
const PROMPT_RESET_TEMPERATURE = 0.5;

/**
 * Yields segments as they are finished; the generator's return value is the whole transcript (see `collect`).
 * @throws UserError, InferenceError; the signal's reason when aborted
 */
export async function* transcribe(
  model: AlignableModel,
  source: Source,
  options: TranscribeOptions = {},
): AsyncGenerator<Segment, Transcript, void> {
  const { signal, resume, on = {} } = options;
  if (options.wordTimestamps) await requireAttentions(model);
  const initial = encodeInitialPrompt(model.tokenizer, options.initialPrompt ?? "", model.dims.nTextCtx);
  const prompt = { initial, carry: options.carryInitialPrompt ?? true, nTextCtx: model.dims.nTextCtx };
  const samples = source instanceof Float32Array ? once(source) : decodeAudio(source, audioOptions(options));
  const mel = await logMelSpectrogram(samples, model.dims.nMels, signal ? { signal } : {});
  try {
    const segments: Segment[] = resume ? [...resume.segments] : [];
    const history = segments.flatMap((segment) => segment.tokens);
    let resetSince = resume?.checkpoint.promptResetSince;
    let lastSpeechTimestamp = resume?.checkpoint.lastSpeechTimestamp ?? 0;
    let language = knownLanguage(model, options.language ?? resume?.checkpoint.language);
    if (language !== undefined) on.language?.(language, undefined);

    const firstSeek = Math.max(resume?.checkpoint.seek ?? 0, (options.clipTimestamps?.[0] ?? 0) * FRAMES_PER_SECOND);
    on.progress?.(Math.min(firstSeek, mel.contentFrames) / FRAMES_PER_SECOND, mel.durationSeconds);
    for (const clip of clips(options.clipTimestamps ?? [], mel.contentFrames)) {
      let seek = Math.max(clip.start, resume?.checkpoint.seek ?? 0);
      while (seek < clip.end) {
        signal?.throwIfAborted();
        const window = { seek, size: Math.min(N_FRAMES, mel.contentFrames - seek, clip.end - seek) };
        const features = await model.graph.encode(await mel.window(window.seek, window.size), 1);
        if (language === undefined) {
          // The reference encodes the first 30 s once more, padded with silence; this saves a voice note half its time.
          const [[code, probability] = ["en", 1]] = await detectLanguage(model, features, 0, options.allowedLanguages);
          language = code;
          on.language?.(code, probability);
        }

        const decoding = { ...decodingOptions(options), language, prompt: windowPrompt(prompt, history, resetSince) };
        const result = await decodeWithFallback(model, features, { ...decoding, seed: seek }, options);
        if (isSilence(result, options)) seek += window.size;
        else {
          const found = await findSegments(
            model,
            mel,
            features,
            window,
            result,
            language,
            lastSpeechTimestamp,
            options,
          );
          seek = found.nextSeek;
          lastSpeechTimestamp = found.lastSpeechTimestamp;
          for (const draft of found.segments) {
            const segment = finish(draft, segments.length, window, result);
            segments.push(segment);
            history.push(...segment.tokens);
            yield segment;
          }
          const hot = result.temperature > PROMPT_RESET_TEMPERATURE;
          if (!found.again && (hot || options.conditionOnPreviousText === false)) resetSince = history.length;
        }
        on.progress?.(Math.min(seek, mel.contentFrames) / FRAMES_PER_SECOND, mel.durationSeconds);
        await on.checkpoint?.({
          seek,
          language,
          lastSpeechTimestamp,
          ...(resetSince === undefined ? {} : { promptResetSince: resetSince }),
        });
      }
    }
    const text = model.tokenizer.decode(history);
    return { text, segments, language: language ?? "en", duration: mel.durationSeconds };
  } finally {
    await mel.close();
  }
}

/** Runs a transcription to its end and returns the whole. */
export async function collect(transcription: AsyncGenerator<Segment, Transcript, void>): Promise<Transcript> {
  for (;;) {
    const step = await transcription.next();
    if (step.done) return step.value;
  }
}

interface FoundSegments {
  readonly segments: readonly Draft[];
  readonly nextSeek: number;
  readonly lastSpeechTimestamp: number;
  /** The window is heard again from a later start, so it does not count as decoded. */
  readonly again: boolean;
}

async function findSegments(
  model: AlignableModel,
  mel: MelSpectrogram,
  features: AudioFeatures,
  window: Window,
  result: DecodingResult,
  language: string,
  lastSpeechTimestamp: number,
  options: TranscribeOptions,
): Promise<FoundSegments> {
  const { segments, nextSeek, singleTimestampEnding } = splitSegments(result, window, model.tokenizer);
  if (!options.wordTimestamps) return { segments, nextSeek, lastSpeechTimestamp, again: false };

  const timeOffset = window.seek / FRAMES_PER_SECOND;
  await addWordTimestamps(segments, model, features, window.size, timeOffset, lastSpeechTimestamp, {
    language,
    task: options.task ?? "transcribe",
    prependPunctuations: options.prependPunctuations ?? PREPEND_PUNCTUATIONS,
    appendPunctuations: options.appendPunctuations ?? APPEND_PUNCTUATIONS,
  });
  const lastWordEnd = endOf(segments);
  const drawnIn = !singleTimestampEnding && lastWordEnd !== undefined && lastWordEnd > timeOffset;
  const seek = drawnIn ? Math.round(lastWordEnd * FRAMES_PER_SECOND) : nextSeek;
  const threshold = options.hallucinationSilenceThreshold;
  if (threshold === undefined) {
    return { segments, nextSeek: seek, lastSpeechTimestamp: lastWordEnd ?? lastSpeechTimestamp, again: false };
  }
  const kept = skipHallucinations(
    segments,
    window,
    seek,
    singleTimestampEnding,
    threshold,
    lastSpeechTimestamp,
    mel.contentFrames,
  );
  return {
    segments: kept.segments,
    nextSeek: kept.nextSeek,
    lastSpeechTimestamp: endOf(kept.segments) ?? lastSpeechTimestamp,
    again: kept.skippedLeadingSilence,
  };
}

/** A segment that is instantaneous or empty keeps its place but has no text. */
function finish(draft: Draft, id: number, window: Window, result: DecodingResult): Segment {
  const empty = draft.start === draft.end || draft.text.trim() === "";
  const { temperature, avgLogprob, compressionRatio, noSpeechProb } = result;
  return {
    id,
    seek: window.seek,
    start: draft.start,
    end: draft.end,
    text: empty ? "" : draft.text,
    tokens: empty ? [] : draft.tokens,
    temperature,
    avgLogprob,
    compressionRatio,
    noSpeechProb,
    ...(empty || draft.words ? { words: empty ? [] : draft.words! } : {}),
  };
}

/** Pairs of start and end frame. */
function clips(timestamps: readonly number[], contentFrames: number): { start: number; end: number }[] {
  const points = timestamps.map((seconds) => Math.round(seconds * FRAMES_PER_SECOND));
  if (points.length === 0) points.push(0);
  if (points.length % 2 === 1) points.push(contentFrames);
  return Array.from({ length: points.length / 2 }, (_, i) => ({
    start: points[2 * i]!,
    end: Math.min(points[2 * i + 1]!, contentFrames),
  }));
}

/** @throws UserError unsupported_language */
function knownLanguage(model: AlignableModel, language: string | undefined): string | undefined {
  const { languages } = model.tokenizer;
  if (languages.size === 0) return "en";
  if (language === undefined || languages.has(language)) return language;
  throw new UserError(
    "unsupported_language",
    `This model does not know the language "${language}". Use a code such as en, de or ja, or leave it out to detect it.`,
  );
}

function decodingOptions(options: TranscribeOptions): Omit<DecodingOptions, "language"> {
  const { task, sampleLen, bestOf, beamSize, patience, lengthPenalty, prefix, suppressTokens } = options;
  const { suppressBlank, withoutTimestamps, maxInitialTimestamp, signal } = options;
  return defined({
    task,
    sampleLen,
    bestOf,
    beamSize,
    patience,
    lengthPenalty,
    prefix,
    suppressTokens,
    suppressBlank,
    withoutTimestamps,
    maxInitialTimestamp,
    signal,
  });
}

function audioOptions({ track, channel, maxSeconds, signal }: TranscribeOptions): AudioOptions {
  return defined({ track, channel, maxSeconds, signal });
}

async function* once(samples: Float32Array): AsyncGenerator<Float32Array> {
  yield samples;
}
