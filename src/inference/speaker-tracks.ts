// Which tracks or channels hold one speaker each, as call recorders make them: found out with care, or asked for.

import type { Readable } from "node:stream";
import { type AudioOptions, decodeAudio, SAMPLE_RATE } from "./audio.ts";
import { defined } from "./defined.ts";
import { type Media, probe } from "./media.ts";

export interface SpeakerOptions {
  /**
   * off: all sound together, as openai/whisper does. on: each track by itself, or each channel of the only track. auto:
   * where the sound itself shows that there is one speaker on each.
   */
  readonly speakerTracks?: "off" | "auto" | "on";
  /** By track or channel; else the tracks' titles, else Speaker 1, Speaker 2, … */
  readonly speakerNames?: readonly string[];
}

/** One speaker's sound. Plain JSON. */
export interface SpeakerTrack {
  readonly speaker: string;
  readonly track?: number;
  readonly channel?: number;
}

const MOST_TRACKS = 8;

interface FoundSpeakers {
  readonly tracks: readonly SpeakerTrack[];
  /** What the file holds, where it was asked. */
  readonly media?: Media;
}

/**
 * The speakers' tracks; none where the recording is to be taken as a whole.
 * @throws UserError, InferenceError as decodeAudio
 */
export async function findSpeakers(
  source: string | Readable | Float32Array,
  options: SpeakerOptions & Pick<AudioOptions, "track" | "channel" | "signal">,
): Promise<FoundSpeakers> {
  const { speakerTracks = "off", speakerNames = [], track, channel, signal } = options;
  // A stream can be read once only, and somebody who names a channel or a mix has chosen already.
  if (speakerTracks === "off" || typeof source !== "string" || channel !== undefined || track === "mix") {
    return { tracks: [] };
  }
  const media = await probe(source, signal);
  const candidates = candidatesOf(media, track);
  const none = { tracks: [], media };
  if (candidates.length < 2 || candidates.length > MOST_TRACKS) return none;
  if (speakerTracks === "auto") {
    // More channels than two are a film's.
    const areChannels = candidates.some((candidate) => candidate.channel !== undefined);
    if (areChannels && candidates.length > 2) return none;
    if (areDubbed(media, candidates)) return none;
    if (!(await holdOneSpeakerEach(source, media, candidates, signal))) return none;
  }
  return { tracks: named(candidates, media, speakerNames), media };
}

type Candidate = Omit<SpeakerTrack, "speaker">;

function candidatesOf({ tracks }: Media, track: number | undefined): Candidate[] {
  if (tracks.length > 1 && track === undefined) return tracks.map(({ index }) => ({ track: index }));
  const only = tracks[track ?? 0];
  if (only === undefined) return [];
  return Array.from({ length: only.channels }, (_, channel) => ({ track: only.index, channel }));
}

/** Tracks in several languages are one film, not several people. */
function areDubbed({ tracks }: Media, candidates: readonly Candidate[]): boolean {
  const languages = candidates.map(({ track }) => tracks[track ?? 0]?.language).filter((code) => code !== undefined);
  return new Set(languages).size > 1;
}

function named(candidates: readonly Candidate[], { tracks }: Media, names: readonly string[]): SpeakerTrack[] {
  const titles = candidates.map(({ track, channel }) =>
    channel === undefined ? tracks[track ?? 0]?.title : undefined,
  );
  const wanted = candidates.map((_, i) => (names[i] ?? titles[i])?.trim() || `Speaker ${i + 1}`);
  return candidates.map((candidate, i) => {
    const name = wanted[i] ?? "";
    const before = wanted.slice(0, i).filter((other) => other === name).length;
    return { speaker: before === 0 ? name : `${name} (${before + 1})`, ...candidate };
  });
}

// ---- does each hold one speaker?

/** Samples in which it is seen who speaks: 0.1 s. */
const FRAME = SAMPLE_RATE / 10;
/** What is listened to at most, in frames: ten minutes. */
const MOST_FRAMES = 6000;
/** Root mean square above which there is sound: -50 dB. */
const AUDIBLE = 0.003;
/** One is this much louder than all others where its speaker speaks: 12 dB. Music and rooms in stereo are not. */
const MUCH_LOUDER = 4;
const RULES = { soundSeconds: 3, clearShare: 0.6, shareOfEach: 0.05, correlation: 0.3 } as const;

/** What two tracks have in common, and when which of them is alone. */
export interface Turns {
  readonly soundFrames: number;
  /** Frames in which a track is much louder than all others. */
  readonly alone: readonly number[];
  /** The largest correlation between two tracks, 0 to 1, where there is sound. */
  readonly correlation: number;
}

/** People take turns: nearly always one track alone is loud, each of them at times, and none is like another. */
export function areSpeakers({ soundFrames, alone, correlation }: Turns): boolean {
  const clear = alone.reduce((sum, frames) => sum + frames, 0);
  return (
    soundFrames >= (RULES.soundSeconds * SAMPLE_RATE) / FRAME &&
    clear >= RULES.clearShare * soundFrames &&
    alone.every((frames) => frames >= RULES.shareOfEach * soundFrames) &&
    correlation <= RULES.correlation
  );
}

async function holdOneSpeakerEach(
  path: string,
  media: Media,
  candidates: readonly Candidate[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const readers = candidates.map((candidate) => frames(decodeAudio(path, defined({ ...candidate, media, signal }))));
  const watch = watchTurns(candidates.length);
  try {
    for (let n = 0; n < MOST_FRAMES; n++) {
      const steps = await Promise.all(readers.map((reader) => reader.next()));
      const together = steps.map((step) => step.value ?? undefined);
      if (!together.every((frame) => frame !== undefined)) break;
      watch.hear(together);
    }
  } finally {
    for (const reader of readers) await reader.return();
  }
  return areSpeakers(watch.turns());
}

export function watchTurns(count: number) {
  let soundFrames = 0;
  const alone = new Array<number>(count).fill(0);
  const energies = new Array<number>(count).fill(0);
  const products = new Array<number>(count * count).fill(0);
  return {
    /** @param together a frame of each track */
    hear(together: readonly Float32Array[]): void {
      const levels = together.map((samples) => Math.sqrt(product(samples, samples) / samples.length));
      const loudest = Math.max(...levels);
      if (loudest < AUDIBLE) return;
      soundFrames++;
      const owner = levels.indexOf(loudest);
      if (levels.every((level, i) => i === owner || level * MUCH_LOUDER <= loudest)) alone[owner]!++;
      together.forEach((samples, i) => {
        energies[i]! += product(samples, samples);
        for (let j = 0; j < i; j++) products[i * count + j]! += product(samples, together[j]!);
      });
    },
    turns(): Turns {
      let correlation = 0;
      for (let i = 0; i < count; i++) {
        for (let j = 0; j < i; j++) {
          const scale = Math.sqrt(energies[i]! * energies[j]!);
          if (scale > 0) correlation = Math.max(correlation, Math.abs(products[i * count + j]!) / scale);
        }
      }
      return { soundFrames, alone: [...alone], correlation };
    },
  };
}

function product(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Chunks of any length as frames; what is left at the end is dropped. */
async function* frames(chunks: AsyncGenerator<Float32Array, void>): AsyncGenerator<Float32Array, void> {
  let frame = new Float32Array(FRAME);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + FRAME - filled);
      frame.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < FRAME) continue;
      yield frame;
      frame = new Float32Array(FRAME);
      filled = 0;
    }
  }
}
