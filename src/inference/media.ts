// What a file on this disk holds: its sound tracks, as ffprobe sees them, or one sentence on why it cannot be used.

import { execFile } from "node:child_process";
import { open, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { InferenceError, UserError } from "../core/errors.ts";
import { PROBE_OPTIONS } from "./accepted-media.ts";
import { endOf, type Sandbox, sandboxFor } from "./sandbox.ts";

const run = promisify(execFile);

export interface Track {
  /** Counted from 0 among the sound tracks, as the option `track` does. */
  readonly index: number;
  readonly codec: string;
  readonly channels: number;
  readonly sampleRate: number;
  /** The one that players choose unless told otherwise; several may be marked, or none. */
  readonly isDefault: boolean;
  readonly language?: string;
  readonly title?: string;
}

export interface Media {
  /** As the container says; not every container does, and it may be wrong. */
  readonly durationSeconds?: number;
  /** At least one. */
  readonly tracks: readonly Track[];
}

/** FFMPEG_PATH, else what PATH finds. */
export function ffmpegPath(): string {
  const { FFMPEG_PATH } = process.env;
  return FFMPEG_PATH || "ffmpeg";
}

/** FFPROBE_PATH, else the one beside FFMPEG_PATH, else what PATH finds. */
export function ffprobePath(): string {
  const name = process.platform === "win32" ? "ffprobe.exe" : "ffprobe";
  const { FFMPEG_PATH, FFPROBE_PATH } = process.env;
  return FFPROBE_PATH || (FFMPEG_PATH ? join(dirname(FFMPEG_PATH), name) : name);
}

/** @throws InferenceError no_ffmpeg unless the program starts; ConfigError where walls are required and there are none */
export async function requireProgram(path: string): Promise<Sandbox> {
  const sandbox = await sandboxFor(path);
  if (!sandbox.starts) throw noFfmpeg(path);
  return sandbox;
}

function noFfmpeg(path: string): InferenceError {
  const remedy = "Install it (on Debian and Ubuntu: apt-get install ffmpeg), or point FFMPEG_PATH at it.";
  return new InferenceError("no_ffmpeg", `${path} could not be started. ${remedy}`);
}

const probeOutput = z.object({
  streams: z
    .array(
      z.object({
        codec_type: z.string().optional(),
        codec_name: z.string().optional(),
        channels: z.number().optional(),
        sample_rate: z.coerce.number().optional(),
        disposition: z.object({ default: z.number().optional() }).optional(),
        tags: z.object({ language: z.string().optional(), title: z.string().optional() }).optional(),
      }),
    )
    .default([]),
  format: z.object({ duration: z.coerce.number().optional() }).default({}),
});

const PROBE_ENTRIES =
  "format=duration:stream=codec_type,codec_name,channels,sample_rate:stream_disposition=default:stream_tags=language,title";

/** A header is read in a moment; what takes longer was made to. */
const PROBE_MS = 60_000;

/**
 * @param name how messages call the file, when its path would not tell the user anything
 * @throws UserError not_found, unreadable, no_audio; InferenceError no_ffmpeg, child_died; ConfigError; the signal's
 *   reason
 */
export async function probe(path: string, signal?: AbortSignal, name = path): Promise<Media> {
  signal?.throwIfAborted();
  await requireFile(path, name);
  return mediaOf(await ffprobe(path, name, signal), name);
}

/**
 * What ffprobe has to say of a file, which is as forged as the file.
 * @throws UserError unreadable, no_audio
 */
export function mediaOf(json: string, name: string): Media {
  let probed: z.infer<typeof probeOutput>;
  try {
    probed = probeOutput.parse(JSON.parse(json));
  } catch (error) {
    throw unreadable(name, error);
  }
  const tracks = probed.streams
    .filter((stream) => stream.codec_type === "audio")
    .map(
      ({ codec_name = "unknown", channels = 0, sample_rate = 0, disposition, tags }, index): Track => ({
        index,
        codec: codec_name,
        channels,
        sampleRate: sample_rate,
        isDefault: disposition?.default === 1,
        ...(tags?.language !== undefined && { language: tags.language }),
        ...(tags?.title !== undefined && { title: tags.title }),
      }),
    );
  if (tracks.length === 0) {
    throw new UserError("no_audio", `${name} has no sound track: send a recording with sound.`);
  }
  // A track of no channels is one that ffmpeg cannot decode, or none at all.
  if (tracks.every((track) => track.channels <= 0)) throw unreadable(name);
  const { duration } = probed.format;
  return { tracks, ...(duration !== undefined && duration >= 0 && { durationSeconds: duration }) };
}

async function ffprobe(path: string, name: string, signal?: AbortSignal): Promise<string> {
  const sandbox = await requireProgram(ffprobePath());
  signal?.throwIfAborted();
  const { file, args, input } = sandbox.launch({ recording: path, cpuSeconds: PROBE_MS / 1000 });
  const what = ["-v", "error", "-of", "json", "-show_entries", PROBE_ENTRIES, ...PROBE_OPTIONS, input];
  try {
    const limits = { timeout: PROBE_MS, killSignal: "SIGKILL", maxBuffer: 4 << 20 } as const;
    return (await run(file, [...args, ...what], { signal, ...limits })).stdout;
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof Error && "code" in error && "stderr" in error)) throw error;
    const { killed = false, signal: by } = error as { killed?: boolean; signal?: NodeJS.Signals | null };
    const ended = endOf({ exitCode: typeof error.code === "number" ? error.code : null, signal: by ?? null });
    if (!killed && ended === "stopped") throw stopped("ffprobe");
    const stderr = String(error.stderr);
    const cause = new Error(`${ended}: ${stderr.trim().slice(-300)}`);
    throw sandbox.kind !== "limits" && /^bwrap: |Permission denied/m.test(stderr)
      ? outOfReach(name, cause)
      : unreadable(name, cause);
  }
}

/** Somebody else ended it, such as the kernel for want of memory: that says nothing about the recording. */
export const stopped = (program: string): InferenceError =>
  new InferenceError("child_died", `${program} was ended from outside: try again.`);

/** We may read it, and whoever we are inside the walls may not: a file of somebody else's, read as root. */
function outOfReach(name: string, cause: unknown): UserError {
  return new UserError(
    "unreadable",
    `${name} belongs to another account, and ffmpeg runs without rights here: copy it, or make it readable (chmod a+r).`,
    { cause },
  );
}

export const unreadable = (name: string, cause?: unknown): UserError =>
  new UserError(
    "unreadable",
    `${name} is not audio or video that ffmpeg can read: check that the file is whole and what it says it is.`,
    { cause },
  );

async function requireFile(path: string, name: string): Promise<void> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw new UserError("unreadable", `${name} is a folder: name the files in it.`);
    if (!found.isFile()) throw new UserError("unreadable", `${name} is not a file: pipe it in, with - for the file.`);
    if (found.size === 0) throw new UserError("unreadable", `${name} is empty (0 bytes): send the file again.`);
    if (await isPlaylist(path)) {
      throw new UserError("unreadable", `${name} is text that points at other files: send the recording itself.`);
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error) || error instanceof UserError) throw error;
    switch (error.code) {
      case "ENOENT":
      case "ENOTDIR":
      case "ENAMETOOLONG":
        throw new UserError("not_found", `${name} is not there: check the path.`, { cause: error });
      case "EACCES":
      case "EPERM":
        throw new UserError("unreadable", `${name} may not be read: give this account permission to.`, {
          cause: error,
        });
      default:
        throw error;
    }
  }
}

/**
 * HLS and DASH playlists and ffconcat scripts make ffmpeg open other files of this machine, which a stranger could have
 * transcribed that way. Ref: the probe functions of ffmpeg's hls.c, concatdec.c, dashdec.c, imfdec.c
 */
async function isPlaylist(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return /^(#EXTM3U|ffconcat|(\xEF\xBB\xBF)?\s*(<|$))/.test(buffer.toString("latin1", 0, bytesRead));
  } finally {
    await file.close();
  }
}
