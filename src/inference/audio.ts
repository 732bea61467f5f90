// Any recording -> 16 kHz mono samples, through ffmpeg.

import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import ffmpeg from "fluent-ffmpeg";
import { UserError } from "../core/errors.ts";
import { tooLong } from "../core/messages.ts";
import { DECODE_OPTIONS } from "./accepted-media.ts";
import { diskFull, isDiskFull } from "./frame-store.ts";
import { ffmpegPath, type Media, probe, requireProgram, stopped, unreadable } from "./media.ts";
import { endOf } from "./sandbox.ts";

// Ref: openai/whisper audio.py
export const SAMPLE_RATE = 16_000;
export const N_FFT = 400;
export const HOP_LENGTH = 160;
/** Seconds in a window. */
export const CHUNK_LENGTH = 30;
export const N_SAMPLES = CHUNK_LENGTH * SAMPLE_RATE;
/** Mel frames in a window: 3000. */
export const N_FRAMES = N_SAMPLES / HOP_LENGTH;
/** Mel frames of 10 ms. */
export const FRAMES_PER_SECOND = SAMPLE_RATE / HOP_LENGTH;
/** The encoder's positions, and so timestamp tokens, are 20 ms apart: its first convolutions halve the frames. */
export const TOKENS_PER_SECOND = FRAMES_PER_SECOND / 2;

/** The path of a file, or a stream such as process.stdin. */
export type AudioSource = string | Readable;

export interface AudioOptions {
  /**
   * Which sound track, counted from 0; "mix" for all of them, each at its share of the volume and in its place in time.
   * Default: the one that players choose.
   */
  readonly track?: number | "mix";
  /** Which channel of the track, counted from 0. Default: all of them, mixed down. */
  readonly channel?: number;
  /** A longer recording is refused, whatever its header says of its length. Default: four days. */
  readonly maxSeconds?: number;
  /** What `probe` said of this file a moment ago, so that it need not be asked again. */
  readonly media?: Media;
  readonly signal?: AbortSignal;
}

/** What ffmpeg may be ahead of the reader, besides the pipe's own buffer. */
const BUFFER_BYTES = 1 << 16;
/** Nobody records for so long: a few hundred bytes can be made to sound for ever. */
const MOST_SECONDS = 360_000;
/** The longest wait for the next sample, and for all of them together: a slow machine decodes 50 seconds in one. */
const STALL_MS = 60_000;
const patienceMs = (maxSeconds: number) => STALL_MS + maxSeconds * 100;

/**
 * The samples of a recording, equal bit for bit to openai/whisper's `load_audio`, in chunks. ffmpeg waits while nobody
 * reads, and ends when the reader stops or the signal aborts. A damaged recording gives what can be decoded of it.
 * @returns 16 kHz mono float32 samples in [-1, 1)
 * @throws UserError not_found, unreadable, no_audio, too_long, bad_option; InferenceError no_ffmpeg, child_died,
 *   disk_full; ConfigError where walls around ffmpeg are required and there are none; the signal's reason
 */
export async function* decodeAudio(
  source: AudioSource,
  options: AudioOptions = {},
): AsyncGenerator<Float32Array, void> {
  if (typeof source === "string") return yield* decodeFile(source, source, options);
  // A pipe cannot be read twice, nor from its end, where MP4 files may hold their index.
  const path = join(tmpdir(), `earshot-input-${randomUUID()}`);
  try {
    await pipeline(source, createWriteStream(path, { flags: "wx", mode: 0o600 }), { signal: options.signal });
    yield* decodeFile(path, "The input", options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw isDiskFull(error) ? diskFull(error) : error;
  } finally {
    await rm(path, { force: true });
  }
}

type Tell = (error: null, abilities: object) => void;
/** fluent-ffmpeg would start ffmpeg twice more, and outside its walls, to ask for what every ffmpeg can do. */
const KNOWN_ABILITIES = {
  availableFormats: (tell: Tell) => tell(null, { s16le: { canMux: true } }),
  availableEncoders: (tell: Tell) => tell(null, {}),
};

async function* decodeFile(path: string, name: string, options: AudioOptions): AsyncGenerator<Float32Array, void> {
  const { signal, maxSeconds = MOST_SECONDS } = options;
  const media = options.media ?? (await probe(path, signal, name));
  const selection = selectSound(media, name, options);
  const sandbox = await requireProgram(ffmpegPath());
  signal?.throwIfAborted();

  const cpuSeconds = (STALL_MS + patienceMs(maxSeconds)) / 1000;
  const { file, args, input } = sandbox.launch({ recording: path, cpuSeconds });
  // With `emitClose`, fluent-ffmpeg would kill an ffmpeg that is slow to exit after its last byte was read.
  const output = new PassThrough({ highWaterMark: BUFFER_BYTES, emitClose: false });
  const command: ffmpeg.FfmpegCommand & { ffmpegProc?: ChildProcess } = ffmpeg(input)
    .setFfmpegPath(file)
    // One by one: what is given as an array is taken apart at spaces.
    .inputOptions(...args, ...["-hide_banner", "-loglevel", "error", "-nostdin", "-vn", "-sn", "-dn"])
    .inputOptions(...["-threads", "1", "-filter_threads", "1", "-filter_complex_threads", "1"], ...DECODE_OPTIONS)
    .outputOptions(...selection, "-f", "s16le", "-ac", "1", "-acodec", "pcm_s16le", "-ar", String(SAMPLE_RATE))
    .outputOptions("-fs", String((maxSeconds + 1) * SAMPLE_RATE * 2))
    .output(output);
  Object.assign(command, KNOWN_ABILITIES);
  let child: ChildProcess | undefined;
  let isOver = false;
  const stop = () => {
    isOver = true;
    child?.kill("SIGKILL");
  };
  const exited = new Promise<void>((resolve) => {
    command.on("start", () => {
      child = command.ffmpegProc;
      child?.once("exit", () => resolve());
      if (isOver) child?.kill("SIGKILL");
    });
    command.on("error", () => {
      if (child !== undefined) return; // The exit status says more than this event, which may also come before it.
      output.end();
      resolve();
    });
  });

  let nSamples = 0;
  let isStuck = false;
  const giveUp = () => {
    isStuck = true;
    stop();
  };
  signal?.addEventListener("abort", stop, { once: true });
  try {
    command.run();
    for await (const samples of float32Chunks(impatient(output, patienceMs(maxSeconds), giveUp))) {
      signal?.throwIfAborted();
      nSamples += samples.length;
      if (nSamples > maxSeconds * SAMPLE_RATE) throw new UserError("too_long", tooLong({ name, limit: maxSeconds }));
      yield samples;
    }
    await exited;
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
    await exited;
    child?.stdout?.destroy();
  }
  signal?.throwIfAborted();
  if (isStuck) throw unreadable(name, new Error("ffmpeg fell silent"));
  const end = child === undefined ? "stopped" : endOf({ exitCode: child.exitCode, signal: child.signalCode });
  if (end === "stopped") throw stopped("ffmpeg");
  if (end === "crashed") throw unreadable(name, new Error("ffmpeg crashed"));
  if (nSamples > 0) return;
  if (end !== "done") throw unreadable(name);
  throw new UserError("no_audio", `${name} has a sound track with nothing in it: send a recording with sound.`);
}

/** Gives up on chunks that do not come; the time that the reader takes does not count. */
async function* impatient(chunks: Readable, patienceMs: number, giveUp: () => void): AsyncGenerator<Buffer, void> {
  let leftMs = patienceMs;
  let askedAt = performance.now();
  let timer = setTimeout(giveUp, Math.min(leftMs, STALL_MS));
  try {
    for await (const chunk of chunks) {
      clearTimeout(timer);
      leftMs -= performance.now() - askedAt;
      yield chunk as Buffer;
      askedAt = performance.now();
      timer = setTimeout(giveUp, Math.min(leftMs, STALL_MS));
    }
  } finally {
    clearTimeout(timer);
  }
}

/** ffmpeg's options for the track and channel that were asked for. */
function selectSound(media: Media, name: string, { track, channel }: AudioOptions): string[] {
  const { tracks } = media;
  if (track === "mix") {
    if (channel !== undefined) {
      throw new UserError(
        "bad_option",
        'A channel can be chosen from one track, not from a mix: leave out track "mix".',
      );
    }
    return mixTracks(tracks.length);
  }
  // ffmpeg's own choice, spelled out because it changed between versions: marked as default, then most channels.
  const preferred = tracks.reduce((best, next) => {
    if (next.isDefault !== best.isDefault) return next.isDefault ? next : best;
    return next.channels > best.channels ? next : best;
  });
  const chosen = track === undefined ? preferred : tracks[track];
  if (chosen === undefined) {
    throw new UserError(
      "bad_option",
      `There is no track ${track} in ${name}: it has ${counted(tracks.length, "track")}.`,
    );
  }
  const map = ["-map", `0:a:${chosen.index}`];
  if (channel === undefined) return map;
  if (!Number.isInteger(channel) || channel < 0 || channel >= chosen.channels) {
    const has = counted(chosen.channels, "channel");
    throw new UserError(
      "bad_option",
      `There is no channel ${channel} in track ${chosen.index} of ${name}: it has ${has}.`,
    );
  }
  return [...map, "-af", `pan=mono|c0=c${channel}`];
}

const counted = (count: number, noun: string) =>
  count === 1 ? `one ${noun}, number 0` : `${count} ${noun}s, numbers 0 to ${count - 1}`;

function mixTracks(nTracks: number): string[] {
  const indices = Array.from({ length: nTracks }, (_, i) => i);
  // Tracks may begin late or have gaps: silence keeps them in step. A track that ends must not make the others louder,
  // which the long transition sees to (its option `normalize` is too new for ffmpeg 4.3).
  const inStep = `aresample=${SAMPLE_RATE}:async=1:first_pts=0,aformat=channel_layouts=mono`;
  const inputs = indices.map((i) => `[0:a:${i}]${inStep}[t${i}]`).join(";");
  const labels = indices.map((i) => `[t${i}]`).join("");
  return ["-filter_complex", `${inputs};${labels}amix=inputs=${nTracks}:dropout_transition=1000000000`];
}

/** Signed 16-bit little-endian bytes -> samples in [-1, 1). */
async function* float32Chunks(bytes: AsyncIterable<Buffer>): AsyncGenerator<Float32Array, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const part of bytes) {
    const whole = rest.length === 0 ? part : Buffer.concat([rest, part]);
    const samples = new Float32Array(whole.length >> 1);
    for (let i = 0; i < samples.length; i++) samples[i] = whole.readInt16LE(2 * i) / 32768;
    rest = whole.subarray(samples.length * 2);
    if (samples.length > 0) yield samples;
  }
}
