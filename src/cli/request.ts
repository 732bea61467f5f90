// What the command line asks of the engine, in the engine's own words.
import { defined } from "../inference/defined.ts";
import type { SpeakerOptions } from "../inference/speaker-tracks.ts";
import type { TranscribeOptions } from "../inference/transcribe.ts";
import type { LoadOptions } from "../inference/whisper.ts";
import type { Io } from "./io.ts";
import type { TranscribeValues } from "./options.ts";

export function loadOptions(values: TranscribeValues, env: Io["env"]): LoadOptions {
  return defined({
    env: values.model_dir === undefined ? env : { ...env, EARSHOT_MODELS: values.model_dir },
    device: values.device,
    precision: values.precision ?? (values.fp16 ? undefined : ("fp32" as const)),
    threads: values.threads === 0 ? undefined : values.threads,
  });
}

export function engineOptions(values: TranscribeValues): TranscribeOptions & SpeakerOptions {
  return {
    ...defined({
      language: values.language,
      allowedLanguages: values.languages,
      initialPrompt: values.initial_prompt,
      bestOf: values.best_of,
      beamSize: values.beam_size,
      patience: values.patience,
      lengthPenalty: values.length_penalty,
      hallucinationSilenceThreshold: values.hallucination_silence_threshold,
      track: values.track,
      channel: values.channel,
      languagePerWindow: values.mixed_languages || undefined,
      speakerNames: values.speakers.length > 0 ? values.speakers : undefined,
      batchSize: values.batch_size,
      encoderMargin: values.encoder_margin,
    }),
    vad: values.vad_filter,
    way: values.way,
    speakerTracks: values.tracks,
    task: values.task,
    carryInitialPrompt: values.carry_initial_prompt,
    conditionOnPreviousText: values.condition_on_previous_text,
    temperature: temperatures(values.temperature, values.temperature_increment_on_fallback),
    compressionRatioThreshold: values.compression_ratio_threshold ?? null,
    logprobThreshold: values.logprob_threshold ?? null,
    noSpeechThreshold: values.no_speech_threshold ?? null,
    suppressTokens: values.suppress_tokens,
    wordTimestamps: values.word_timestamps,
    prependPunctuations: values.prepend_punctuations,
    appendPunctuations: values.append_punctuations,
    clipTimestamps: values.clip_timestamps,
  };
}

/**
 * The temperatures to try one after the other. Above 1 there is nothing to fall back to.
 * Ref: `np.arange(temperature, 1.0 + 1e-6, increment)`, to the last bit.
 */
export function temperatures(first: number, increment: number | undefined): number[] {
  if (increment === undefined) return [first];
  const count = Math.max(1, Math.ceil((1 + 1e-6 - first) / increment));
  const delta = first + increment - first;
  return Array.from({ length: count }, (_, index) => first + index * delta);
}

/** The clips that end after a time, the first of them beginning there: 0,60,120 after 70 s is 120; after 20 s, 20,60,120. */
export function remainingClips(clips: readonly number[], seconds: number): number[] {
  const remaining: number[] = [];
  for (let index = 0; index < Math.max(1, clips.length); index += 2) {
    const start = clips[index] ?? 0;
    const end = clips[index + 1];
    if (end !== undefined && end <= seconds) continue;
    remaining.push(Math.max(start, seconds));
    if (end !== undefined) remaining.push(end);
  }
  return remaining;
}

/** How many seconds of a recording the clips hold. */
export function clippedSeconds(clips: readonly number[], duration: number): number {
  let seconds = 0;
  for (let index = 0; index < Math.max(1, clips.length); index += 2) {
    seconds += Math.max(0, Math.min(clips[index + 1] ?? duration, duration) - (clips[index] ?? 0));
  }
  return seconds;
}
