// What both ways through a recording share: one window's text, judged, timed and written down.

import type { GuardNote, Segment } from "../core/transcript.ts";
import { type AlignableModel, addWordTimestamps } from "./alignment.ts";
import { FRAMES_PER_SECOND } from "./audio.ts";
import type { DecodingOptions } from "./decoding.ts";
import { defined } from "./defined.ts";
import { isSilence } from "./fallback.ts";
import type { AudioFeatures } from "./graph.ts";
import type { GuardedResult } from "./guarded-decoding.ts";
import { dropInvented, type Evidence } from "./guards.ts";
import { endOf, skipHallucinations } from "./hallucination.ts";
import type { HeardTime } from "./heard-time.ts";
import type { LanguageChoice } from "./language.ts";
import type { MelSpectrogram } from "./mel.ts";
import type { PromptState } from "./prompt.ts";
import { type Draft, splitSegments, type Window } from "./segments.ts";
import type { Span } from "./speech-regions.ts";
import { fitWordsToSpeech } from "./spoken-words.ts";
import type { Checkpoint, TranscribeOptions } from "./transcribe.ts";

/** A recording on its way to a transcript. Frames and windows are heard ones; see heard-time.ts. */
export interface Hearing {
  readonly model: AlignableModel;
  readonly options: TranscribeOptions;
  readonly prompt: PromptState;
  readonly mel: MelSpectrogram;
  readonly heard: HeardTime;
  /** What is gone through, in frames. */
  readonly clips: readonly Span[];
  /** Where somebody speaks; undefined without voice activity detection, and then nothing is judged by it. */
  readonly speech: SpeechEvidence | undefined;
  /** Frame at which to begin: that of the checkpoint. */
  readonly from: number;
  readonly segments: Segment[];
  readonly guards: GuardNote[];
  /** Of the window that was heard last. */
  language: string | undefined;
  readonly languages: LanguageChoice;
}

export interface SpeechEvidence extends Evidence {
  readonly regions: readonly Span[];
  /** Frames of the recording in which nobody speaks, after each region. */
  readonly pauses: readonly number[];
}

const PREPEND_PUNCTUATIONS = "\"'“¿([{-";
const APPEND_PUNCTUATIONS = "\"'.。,，!！?？:：”)]}、";
/** After a loop that could not be helped, the next window begins at least this much later. */
const LEAST_ADVANCE = 5 * FRAMES_PER_SECOND;

/** The language of window `index` of the features, which begins at frame `seek`. */
export async function languageOf(
  hearing: Hearing,
  features: AudioFeatures,
  index: number,
  seek: number,
): Promise<string> {
  // The reference encodes the first 30 s once more, padded with silence; this saves a voice note half its time.
  const { code, probability } = await hearing.languages.of(features, index, seek);
  if (code !== hearing.language) hearing.options.on?.language?.(code, probability);
  hearing.language = code;
  return code;
}

export interface WindowText {
  readonly segments: readonly Segment[];
  /** Frame from which to go on. */
  readonly nextSeek: number;
  readonly lastSpeechTimestamp: number;
  /** The window is heard again from a later start, so it does not count as decoded. */
  readonly again: boolean;
  readonly isSilent: boolean;
  readonly guards: readonly GuardNote[];
}

/** What window `index` of the features says, after all guards; not yet added to the hearing's segments. */
export async function readWindow(
  hearing: Hearing,
  features: AudioFeatures,
  index: number,
  window: Window,
  result: GuardedResult,
  language: string,
  lastSpeechTimestamp: number,
): Promise<WindowText> {
  const { heard, options, speech, prompt } = hearing;
  const timed = timesOf(heard);
  const start = heard.startOf(window.seek / FRAMES_PER_SECOND);
  const end = heard.endOf((window.seek + window.size) / FRAMES_PER_SECOND);
  const guards: GuardNote[] = result.notes.map(({ kind, text, action }) => ({ kind, start, end, text, action }));
  const nothing = { segments: [], nextSeek: window.seek + window.size, lastSpeechTimestamp, again: false };
  if (isSilence(result, options)) {
    if (result.text !== "") guards.push({ kind: "no_speech", start, end, text: result.text, action: "dropped" });
    return { ...nothing, isSilent: true, guards };
  }

  const found = await findSegments(hearing, features, index, window, result, language, lastSpeechTimestamp);
  guards.push(...found.notes.map(timed.note));
  let { segments, nextSeek } = found;
  if (speech !== undefined) {
    const initialPrompt = prompt.initial.length > 0 ? (options.initialPrompt ?? "") : "";
    const judged = dropInvented(segments, window, speech, { language, initialPrompt });
    // The reference keeps the places of empty segments; nobody who has skipped silence needs them.
    segments = judged.kept.filter(({ start, end, text }) => start !== end && text.trim() !== "");
    if (options.wordTimestamps) fitWordsToSpeech(segments, speech.regions);
    guards.push(...judged.notes.map(timed.note));
  }
  if (result.wasCut) nextSeek = Math.max(nextSeek, window.seek + Math.min(LEAST_ADVANCE, window.size));
  return {
    segments: segments.map((draft) => ({
      ...finish(draft, heard.recorded(window.seek), result, timed),
      ...(options.languagePerWindow && options.language === undefined ? { language } : {}),
    })),
    nextSeek,
    lastSpeechTimestamp: found.lastSpeechTimestamp,
    again: found.again,
    isSilent: false,
    guards,
  };
}

/** Adds a window's segments, and tells what the guards have done. */
export function writeDown(hearing: Hearing, text: Pick<WindowText, "segments" | "guards">): Segment[] {
  const { segments, guards, speech } = hearing;
  if (speech !== undefined) guards.push(...text.guards);
  return text.segments.map((segment) => {
    const numbered = { ...segment, id: segments.length };
    segments.push(numbered);
    return numbered;
  });
}

/** Tells how far it is. */
export function tellProgress({ heard, mel, clips, options, speech }: Hearing, seek: number): void {
  const end = clips.at(-1)?.end ?? 0;
  options.on?.progress?.(recordedSeek({ heard, mel, speech }, seek) / FRAMES_PER_SECOND, mel.durationSeconds, {
    done: Math.min(seek, end) / FRAMES_PER_SECOND,
    total: end / FRAMES_PER_SECOND,
  });
}

/** Tells that everything before a frame is done, and that it is safe to stop there. */
export async function reach(
  hearing: Hearing,
  seek: number,
  checkpoint: Pick<Checkpoint, "way" | "batchSize" | "lastSpeechTimestamp" | "promptResetSince">,
): Promise<void> {
  const { options, language, guards, speech } = hearing;
  tellProgress(hearing, seek);
  await options.on?.checkpoint?.({
    seek: speech === undefined ? seek : recordedSeek(hearing, seek),
    ...defined({ language }),
    ...checkpoint,
    ...(guards.length === 0 ? {} : { guards: [...guards] }),
  });
}

/** The silence before a heard frame is behind us, but for the one at the beginning, where nothing was done yet. */
function recordedSeek({ heard, mel, speech }: Pick<Hearing, "heard" | "mel" | "speech">, seek: number): number {
  if (speech === undefined) return Math.min(seek, mel.contentFrames);
  if (seek === 0) return 0;
  return seek >= heard.frames ? mel.contentFrames : heard.recorded(seek);
}

interface FoundSegments extends Omit<WindowText, "segments" | "isSilent" | "guards"> {
  readonly segments: readonly Draft[];
  readonly notes: readonly GuardNote[];
}

async function findSegments(
  { model, mel, heard, options, speech }: Hearing,
  features: AudioFeatures,
  index: number,
  window: Window,
  result: GuardedResult,
  language: string,
  lastSpeechTimestamp: number,
): Promise<FoundSegments> {
  const { segments, nextSeek, singleTimestampEnding } = splitSegments(result, window, model.tokenizer);
  if (!options.wordTimestamps) return { segments, nextSeek, lastSpeechTimestamp, again: false, notes: [] };

  const timeOffset = window.seek / FRAMES_PER_SECOND;
  await addWordTimestamps(segments, model, features, index, window.size, timeOffset, lastSpeechTimestamp, {
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
    const speechEnd = lastWordEnd ?? lastSpeechTimestamp;
    return { segments, nextSeek: seek, lastSpeechTimestamp: speechEnd, again: false, notes: [] };
  }
  const kept = skipHallucinations(
    segments,
    window,
    seek,
    singleTimestampEnding,
    threshold,
    lastSpeechTimestamp,
    speech === undefined ? mel.contentFrames : heard.frames,
  );
  const dropped = segments.slice(kept.segments.length).filter(({ text }) => text.trim() !== "");
  return {
    segments: kept.segments,
    nextSeek: kept.nextSeek,
    lastSpeechTimestamp: endOf(kept.segments) ?? lastSpeechTimestamp,
    again: kept.skippedLeadingSilence,
    notes: dropped.map(({ start, end, text }) => ({
      kind: "hallucination_silence",
      start,
      end,
      text: text.trim(),
      action: start >= kept.nextSeek / FRAMES_PER_SECOND ? "redecoded" : "dropped",
    })),
  };
}

interface Times {
  start(seconds: number): number;
  end(seconds: number): number;
  note(note: GuardNote): GuardNote;
}

/** From what is heard to the recording. */
function timesOf({ startOf, endOf }: HeardTime): Times {
  const span = (start: number, end: number) => ({ start: startOf(start), end: Math.max(startOf(start), endOf(end)) });
  return { start: startOf, end: endOf, note: (note) => ({ ...note, ...span(note.start, note.end) }) };
}

/** A segment that is instantaneous or empty keeps its place but has no text. */
function finish(draft: Draft, seek: number, result: GuardedResult, times: Times): Segment {
  const empty = draft.start === draft.end || draft.text.trim() === "";
  const { temperature, avgLogprob, compressionRatio, noSpeechProb } = result;
  const words = draft.words?.map((word) => ({ ...word, start: times.start(word.start), end: times.end(word.end) }));
  return {
    id: 0,
    seek,
    start: times.start(draft.start),
    end: times.end(draft.end),
    text: empty ? "" : draft.text,
    tokens: empty ? [] : draft.tokens,
    temperature,
    avgLogprob,
    compressionRatio,
    noSpeechProb,
    ...(empty || words ? { words: empty ? [] : words! } : {}),
  };
}

export function decodingOptions(options: TranscribeOptions): Omit<DecodingOptions, "language"> {
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
