// What a file on this disk holds: its sound tracks, as ffprobe sees them, or one sentence on why it cannot be used.

import { execFile } from "node:child_process";
import { open, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { InferenceError, UserError } from "../core/errors.ts";

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

/** ffmpeg must take the path for a local file whatever it looks like ("http://…", "concat:…", "-i"). */
export const inputUrl = (path: string): string => `file:${resolve(path)}`;

/** Before `-i`: files that name other inputs must not reach the network. */
export const INPUT_OPTIONS = ["-protocol_whitelist", "file,pipe"] as const;

const started = new Set<string>();

/** @throws InferenceError no_ffmpeg unless ffmpeg starts */
export async function requireFfmpeg(): Promise<void> {
  const path = ffmpegPath();
  if (started.has(path)) return;
  try {
    await run(path, ["-hide_banner", "-version"]);
  } catch (error) {
    throw noFfmpeg(path, error);
  }
  started.add(path);
}

function noFfmpeg(path: string, cause: unknown): InferenceError {
  const remedy = "Install it (on Debian and Ubuntu: apt-get install ffmpeg), or point FFMPEG_PATH at it.";
  return new InferenceError("no_ffmpeg", `${path} could not be started. ${remedy}`, { cause });
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
  format: z.object({ format_name: z.string().default(""), duration: z.coerce.number().optional() }),
});

const PROBE_ENTRIES =
  "format=format_name,duration:stream=codec_type,codec_name,channels,sample_rate:stream_disposition=default:stream_tags=language,title";

/**
 * @param name how messages call the file, when its path would not tell the user anything
 * @throws UserError not_found, unreadable, no_audio; InferenceError no_ffmpeg; the signal's reason
 */
export async function probe(path: string, signal?: AbortSignal, name = path): Promise<Media> {
  signal?.throwIfAborted();
  await requireFile(path, name);
  const { streams, format } = await ffprobe(path, name, signal);
  const tracks = streams
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
  // A picture is a video of one frame to ffmpeg, and text may look like a track of no channels.
  const isPicture = /_pipe$|^image2$|^tty$/.test(format.format_name);
  if (isPicture || (tracks.length > 0 && tracks.every((track) => track.channels === 0))) throw unreadable(name);
  if (tracks.length === 0) {
    throw new UserError("no_audio", `${name} has no sound track: send a recording with sound.`);
  }
  return { tracks, ...(format.duration !== undefined && { durationSeconds: format.duration }) };
}

async function ffprobe(path: string, name: string, signal?: AbortSignal): Promise<z.infer<typeof probeOutput>> {
  const executable = ffprobePath();
  const args = ["-v", "error", "-of", "json", "-show_entries", PROBE_ENTRIES, ...INPUT_OPTIONS, inputUrl(path)];
  try {
    const { stdout } = await run(executable, args, { signal, killSignal: "SIGKILL", maxBuffer: 4 << 20 });
    return probeOutput.parse(JSON.parse(stdout));
  } catch (error) {
    signal?.throwIfAborted();
    const couldNotStart = error instanceof Error && "syscall" in error;
    throw couldNotStart ? noFfmpeg(executable, error) : unreadable(name, error);
  }
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
