// Speakers who have a track or channel each: found out by the gateway, sent on one channel for each, told back as they were.

import type { TranscriberOptions } from "../../core/ports.ts";
import { defined } from "../defined.ts";
import { findSpeakers, type SpeakerTrack } from "../speaker-tracks.ts";

type Resume = TranscriberOptions["resume"];

/** None where the recording is to be heard as a whole. What was begun goes on with those that it began with. */
export async function speakersOf(
  path: string,
  { speakerTracks, speakerNames }: Pick<TranscriberOptions, "speakerTracks" | "speakerNames">,
  resume: Resume,
  signal: AbortSignal,
): Promise<readonly SpeakerTrack[]> {
  if (resume !== undefined) return tracksIn(resume.checkpoint) ?? [];
  return (await findSpeakers(path, { ...defined({ speakerTracks, speakerNames }), signal })).tracks;
}

/** The machines need not find out again. */
export function sentSpeakers(
  speakers: readonly SpeakerTrack[],
): Pick<TranscriberOptions, "speakerTracks" | "speakerNames"> {
  return speakers.length === 0
    ? { speakerTracks: "off" }
    : { speakerTracks: "on", speakerNames: speakers.map(({ speaker }) => speaker) };
}

/** For the machines, where each speaker has the channel of its number. */
export function sentResume(resume: Resume, speakers: readonly SpeakerTrack[]): Resume {
  if (resume === undefined || speakers.length === 0) return resume;
  const tracks = speakers.map(({ speaker }, channel): SpeakerTrack => ({ speaker, track: 0, channel }));
  return { ...resume, checkpoint: withTracks(resume.checkpoint, tracks) };
}

/** For whoever keeps it beside the recording itself. */
export function toldCheckpoint(checkpoint: unknown, speakers: readonly SpeakerTrack[]): unknown {
  return speakers.length === 0 ? checkpoint : withTracks(checkpoint, speakers);
}

function tracksIn(checkpoint: unknown): readonly SpeakerTrack[] | undefined {
  if (typeof checkpoint !== "object" || checkpoint === null || !("tracks" in checkpoint)) return undefined;
  // Only the engine writes checkpoints.
  return checkpoint.tracks as readonly SpeakerTrack[];
}

function withTracks(checkpoint: unknown, tracks: readonly SpeakerTrack[]): unknown {
  return typeof checkpoint === "object" && checkpoint !== null && "tracks" in checkpoint
    ? { ...checkpoint, tracks }
    : checkpoint;
}
