// Recordings with one speaker on each track or channel: transcribed one after the other, and merged by time.

import type { Segment, Transcript } from "../core/transcript.ts";
import type { AlignableModel } from "./alignment.ts";
import { defined } from "./defined.ts";
import { mainLanguage } from "./language.ts";
import { findSpeakers, type SpeakerOptions, type SpeakerTrack } from "./speaker-tracks.ts";
import {
  type Checkpoint,
  type Source,
  type TranscribeEvents,
  type TranscribeOptions,
  transcribe,
} from "./transcribe.ts";

type TrackTranscript = Pick<Transcript, "language" | "duration" | "way" | "guards">;

/** Where the loop stands between two windows of one of the tracks. Plain JSON. */
export interface TracksCheckpoint {
  readonly tracks: readonly SpeakerTrack[];
  /** Of the tracks before this one. */
  readonly done: readonly TrackTranscript[];
  readonly inner: Checkpoint;
}

export interface TracksOptions extends SpeakerOptions, Omit<TranscribeOptions, "resume" | "on"> {
  readonly resume?: {
    readonly checkpoint: Checkpoint | TracksCheckpoint;
    readonly segments: readonly Segment[];
  };
  readonly on?: Omit<TranscribeEvents, "checkpoint"> & {
    checkpoint?(checkpoint: Checkpoint | TracksCheckpoint): unknown;
  };
}

/**
 * As `transcribe`; of a recording with a speaker on each track the segments come track by track, and the transcript has
 * them in the order of time.
 */
export async function* transcribeTracks(
  model: AlignableModel,
  source: Source,
  options: TracksOptions = {},
): AsyncGenerator<Segment, Transcript, void> {
  const { resume, ...given } = options;
  const began = resume && isOfTracks(resume.checkpoint) ? resume.checkpoint : undefined;
  const found = resume === undefined ? await findSpeakers(source, options) : { tracks: began?.tracks ?? [] };
  const { tracks, media } = found;
  const rest = { ...given, ...defined({ media }) };
  if (tracks.length === 0) {
    const plain =
      resume && !isOfTracks(resume.checkpoint)
        ? { resume: { checkpoint: resume.checkpoint, segments: resume.segments } }
        : {};
    return yield* transcribe(model, source, { ...rest, ...plain });
  }

  const done = [...(began?.done ?? [])];
  const segments = [...(resume?.segments ?? [])].filter(({ speaker }) =>
    tracks.slice(0, done.length).some((track) => track.speaker === speaker),
  );
  for (let at = done.length; at < tracks.length; at++) {
    const own = tracks[at]!;
    const inner = at === began?.done.length ? began.inner : undefined;
    const heard = resume?.segments.filter(({ speaker }) => speaker === own.speaker) ?? [];
    const whole = (duration: number) => Math.max(duration, ...done.map((one) => one.duration));
    const part = transcribe(model, source, {
      // Each is silent most of the time, and in silence Whisper makes things up and loses its place.
      vad: true,
      ...rest,
      ...defined({ track: own.track, channel: own.channel }),
      ...(inner === undefined ? {} : { resume: { checkpoint: inner, segments: heard } }),
      on: {
        ...rest.on,
        progress(own, duration) {
          const share = duration > 0 ? Math.min(1, own / duration) : 1;
          const seconds = (whole(duration) * (at + share)) / tracks.length;
          rest.on?.progress?.(seconds, whole(duration), { done: seconds, total: whole(duration) });
        },
        checkpoint: (next) => rest.on?.checkpoint?.({ tracks, done: [...done], inner: next }),
      },
    });
    let step = await part.next();
    for (; !step.done; step = await part.next()) yield { ...step.value, speaker: own.speaker };
    segments.push(...step.value.segments.map((segment) => ({ ...segment, speaker: own.speaker })));
    const { text: _text, segments: _segments, ...about } = step.value;
    done.push(about);
  }
  return merged(segments, tracks, done);
}

function isOfTracks(checkpoint: Checkpoint | TracksCheckpoint): checkpoint is TracksCheckpoint {
  return "tracks" in checkpoint;
}

function merged(
  segments: readonly Segment[],
  tracks: readonly SpeakerTrack[],
  done: readonly TrackTranscript[],
): Transcript {
  const languageOf = new Map(tracks.map(({ speaker }, i) => [speaker, done[i]?.language ?? "en"]));
  const areMixed = new Set(languageOf.values()).size > 1;
  const inOrder = segments
    .toSorted((a, b) => a.start - b.start || a.end - b.end)
    .map((segment, id) => ({
      ...segment,
      id,
      ...(areMixed ? { language: segment.language ?? languageOf.get(segment.speaker ?? "") ?? "en" } : {}),
    }));
  const guards = done.flatMap((one) => one.guards ?? []).sort((a, b) => a.start - b.start);
  return {
    text: inOrder.map(({ text }) => text).join(""),
    segments: inOrder,
    language: mainLanguage(inOrder) ?? done[0]?.language ?? "en",
    duration: Math.max(...done.map(({ duration }) => duration)),
    ...defined({ way: done.find(({ way }) => way !== undefined)?.way }),
    ...(guards.length === 0 ? {} : { guards }),
  };
}
