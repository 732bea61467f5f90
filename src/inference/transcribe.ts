// A whole recording into segments of text. Ref: openai/whisper transcribe.py.

import process from "node:process";
import type { Readable } from "node:stream";
import { UserError } from "../core/errors.ts";
import type { GuardNote, Segment, Transcript, Way } from "../core/transcript.ts";
import { type AlignableModel, requireAttentions } from "./alignment.ts";
import { type AudioOptions, decodeAudio, FRAMES_PER_SECOND, SAMPLE_RATE } from "./audio.ts";
import { batchSize } from "./batch-size.ts";
import { batched } from "./batched.ts";
import type { DecodingOptions } from "./decoding.ts";
import { defined } from "./defined.ts";
import { requireShortWindows } from "./encode-windows.ts";
import type { FallbackOptions } from "./fallback.ts";
import { evidenceOf } from "./guards.ts";
import { heardTime, intersection, spansOf } from "./heard-time.ts";
import { type Hearing, reach, tellProgress } from "./hearing.ts";
import { createLanguageChoice, type LanguageOptions, mainLanguage } from "./language.ts";
import { logMelSpectrogram, type MelSpectrogram } from "./mel.ts";
import { encodeInitialPrompt } from "./prompt.ts";
import { sequential } from "./sequential.ts";
import type { Device } from "./session.ts";
import type { Span } from "./speech-regions.ts";
import { openVoiceDetector, overhear } from "./vad.ts";

/** With openai/whisper's meaning and defaults, but for `carryInitialPrompt`. */
export interface TranscribeOptions
  extends Omit<DecodingOptions, "language" | "temperature" | "prompt" | "seed" | "signal">,
    Omit<AudioOptions, "signal">,
    LanguageOptions,
    FallbackOptions {
  /** Detected when left out: see language.ts. */
  readonly language?: string;
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
  /**
   * Hears only where somebody speaks, by Silero's model, and judges by it what was written. False by default: then it is
   * openai/whisper's algorithm and nothing else.
   */
  readonly vad?: boolean;
  /** "auto" by default: by the device and how much is spoken. Several windows at once need `vad`, to be cut in silence. */
  readonly way?: Way | "auto";
  /** Windows that are decoded together; as many as the device gains from when left out. */
  readonly batchSize?: number;
  /**
   * Seconds of silence that are encoded after a recording that ends before its window does; all of it by default, as
   * the models were trained.
   */
  readonly encoderMargin?: number;
  readonly signal?: AbortSignal;
  readonly on?: TranscribeEvents;
}

export interface TranscribeEvents {
  /** @param probability undefined when the language was given */
  language?(code: string, probability: number | undefined): void;
  /**
   * Seconds of the recording behind us, and its length; for the first time before the first window.
   * @param work seconds of it that are decoded, and that are to be: what is silent costs nothing
   */
  progress?(seconds: number, duration: number, work: Work): void;
  /**
   * A window is done and its segments were yielded. Kept with them, it is all that `resume` needs. The next window waits
   * for the promise, where one is given back.
   */
  checkpoint?(checkpoint: Checkpoint): unknown;
}

export interface Work {
  readonly done: number;
  readonly total: number;
}

/** Where the loop stands between two windows. Plain JSON. */
export interface Checkpoint {
  /** Frame from which the next window begins. */
  readonly seek: number;
  /** Left out while none was detected. */
  readonly language?: string;
  /** Sequential when left out. */
  readonly way?: Way;
  /** Windows in a batch: others might round differently. */
  readonly batchSize?: number;
  /** Tokens of text before the last prompt reset, if there was one. */
  readonly promptResetSince?: number;
  readonly lastSpeechTimestamp: number;
  /** What the guards have done so far. */
  readonly guards?: readonly GuardNote[];
}

/** A path, a stream of any container ffmpeg reads, or samples at 16 kHz in [-1, 1]. */
export type Source = string | Readable | Float32Array;

/** From this much speech on, several windows at once are quicker, and an error of one does not spread to the next. */
const BATCHED_FROM_SECONDS = 60;

/** A model, and what it runs on, which decides how many windows go together. */
export interface TranscribingModel extends AlignableModel {
  readonly device?: Device;
}

/**
 * Yields segments as they are finished; the generator's return value is the whole transcript (see `collect`).
 * @throws UserError, InferenceError; the signal's reason when aborted
 */
export async function* transcribe(
  model: TranscribingModel,
  source: Source,
  options: TranscribeOptions = {},
): AsyncGenerator<Segment, Transcript, void> {
  const { resume, on = {} } = options;
  if (options.way === "batched" && !options.vad) {
    throw new UserError(
      "bad_option",
      "Windows that are decoded together are cut in silence: switch voice activity detection on, or choose the sequential way.",
    );
  }
  if (options.wordTimestamps) await requireAttentions(model);
  if (options.encoderMargin !== undefined) requireShortWindows(model);
  const initial = encodeInitialPrompt(model.tokenizer, options.initialPrompt ?? "", model.dims.nTextCtx);
  const { mel, spoken } = await listen(source, model.dims.nMels, options);
  try {
    const { heard, clips, speech } = whatIsHeard(mel.contentFrames, options.clipTimestamps ?? [], spoken);
    const seek = resume?.checkpoint.seek ?? 0;
    const known = knownLanguage(model, options.language ?? resume?.checkpoint.language);
    const hearing: Hearing = {
      model,
      options,
      prompt: { initial, carry: options.carryInitialPrompt ?? true, nTextCtx: model.dims.nTextCtx },
      mel,
      heard,
      clips,
      speech,
      from: speech === undefined ? seek : heard.heard(seek),
      segments: resume ? [...resume.segments] : [],
      guards: [...(resume?.checkpoint.guards ?? [])],
      language: known,
      languages: createLanguageChoice(
        model,
        { frames: heard.frames, window: (from, size) => heard.window(mel, from, size) },
        options.language === undefined ? options : {},
        known,
      ),
    };
    if (hearing.language !== undefined) on.language?.(hearing.language, undefined);
    tellProgress(hearing, Math.max(hearing.from, clips[0]?.start ?? 0));

    const way = resume?.checkpoint.way ?? wayFor(heard.frames, options);
    const isSilent = speech !== undefined && heard.frames === 0;
    if (isSilent) await reach(hearing, Number.POSITIVE_INFINITY, { lastSpeechTimestamp: 0 });
    else if (way === "sequential") yield* sequential(hearing);
    else yield* batched(hearing, resume?.checkpoint.batchSize ?? options.batchSize ?? batchSizeFor(model));

    const { segments, guards, language = "en" } = hearing;
    const text = model.tokenizer.decode(segments.flatMap(({ tokens }) => tokens));
    const how = { ...(speech === undefined ? {} : { way }), ...(guards.length === 0 ? {} : { guards }) };
    return { text, segments, language: mainLanguage(segments) ?? language, duration: mel.durationSeconds, ...how };
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

/** Reads the recording once: its spectrogram and, with voice activity detection, where somebody speaks. */
async function listen(
  source: Source,
  nMels: number,
  options: TranscribeOptions,
): Promise<{ readonly mel: MelSpectrogram; readonly spoken: readonly Span[] | undefined }> {
  const { signal } = options;
  const samples = source instanceof Float32Array ? inParts(source) : decodeAudio(source, audioOptions(options));
  if (!options.vad) return { mel: await logMelSpectrogram(samples, nMels, defined({ signal })), spoken: undefined };
  const overheard = overhear(samples, await openVoiceDetector());
  const mel = await logMelSpectrogram(overheard.samples, nMels, defined({ signal }));
  return { mel, spoken: overheard.regions() };
}

function whatIsHeard(
  contentFrames: number,
  clipTimestamps: readonly number[],
  spoken: readonly Span[] | undefined,
): Pick<Hearing, "heard" | "clips" | "speech"> {
  const clips = clipsOf(clipTimestamps, contentFrames);
  if (spoken === undefined) {
    return { heard: heardTime([{ start: 0, end: contentFrames }]), clips, speech: undefined };
  }
  const apart = merged(clips);
  const inClips = intersection(spoken, apart);
  const heard = heardTime(spansOf(inClips, apart));
  const regions = inClips.map(({ start, end }) => ({ start: heard.heard(start), end: heard.heard(end) }));
  const pauses = inClips.map(({ end }, i) => (inClips[i + 1]?.start ?? contentFrames) - end);
  return {
    heard,
    clips: [{ start: 0, end: heard.frames }],
    speech: { regions, pauses, ...evidenceOf(regions) },
  };
}

/** @param frames that are heard */
export function wayFor(frames: number, { vad, way = "auto" }: Pick<TranscribeOptions, "vad" | "way">): Way {
  if (way !== "auto") return way;
  return vad && frames > BATCHED_FROM_SECONDS * FRAMES_PER_SECOND ? "batched" : "sequential";
}

function batchSizeFor({ dims, device = "cpu" }: TranscribingModel): number {
  return batchSize(dims, device, process.availableMemory());
}

/** Frames from start to end. */
function clipsOf(timestamps: readonly number[], contentFrames: number): Span[] {
  const points = timestamps.map((seconds) => Math.round(seconds * FRAMES_PER_SECOND));
  if (points.length === 0) points.push(0);
  if (points.length % 2 === 1) points.push(contentFrames);
  return Array.from({ length: points.length / 2 }, (_, i) => ({
    start: points[2 * i]!,
    end: Math.min(points[2 * i + 1]!, contentFrames),
  }));
}

/** In order, and apart from each other. */
function merged(clips: readonly Span[]): Span[] {
  const apart: { start: number; end: number }[] = [];
  for (const { start, end } of clips.toSorted((a, b) => a.start - b.start)) {
    const last = apart.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else if (start < end) apart.push({ start, end });
  }
  return apart;
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

function audioOptions({ track, channel, media, maxSeconds, signal }: TranscribeOptions): AudioOptions {
  return defined({ track, channel, media, maxSeconds, signal });
}

/** Ten seconds at a time, so that an abort is noticed between. */
async function* inParts(samples: Float32Array): AsyncGenerator<Float32Array> {
  const size = 10 * SAMPLE_RATE;
  for (let at = 0; at === 0 || at < samples.length; at += size) yield samples.subarray(at, at + size);
}
