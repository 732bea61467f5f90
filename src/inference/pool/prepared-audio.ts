// A recording as the pool carries it: the very samples that the engine here would hear, packed without loss.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { InferenceError } from "../../core/errors.ts";
import { decodeAudio, SAMPLE_RATE } from "../audio.ts";
import { childEnvironment } from "../child-environment.ts";
import { defined } from "../defined.ts";
import { ffmpegPath } from "../media.ts";
import type { SpeakerTrack } from "../tracks.ts";

/** FLAC of speech at 16 kHz takes about half of this; noise may take all of it. */
export const LARGEST_BYTES_PER_SECOND = 2 * SAMPLE_RATE;

export interface PreparedOptions {
  readonly maxSeconds?: number;
  /** Each gets a track of its own, under its name; one track for all sound where there are none. */
  readonly speakers?: readonly SpeakerTrack[];
  readonly signal: AbortSignal;
}

/**
 * FLAC, 16 kHz, mono, and in Matroska where there are several tracks. Decoded, it gives `decodeAudio`'s samples bit for
 * bit, so the transcript is the same as here.
 * @throws UserError not_found, unreadable, no_audio, too_long; InferenceError no_ffmpeg, child_died; the signal's reason
 */
export async function* preparedAudio(path: string, options: PreparedOptions): AsyncGenerator<Uint8Array, void> {
  const { maxSeconds, speakers = [], signal } = options;
  const which = speakers.length === 0 ? [{}] : speakers.map(({ track, channel }) => defined({ track, channel }));
  const sounds = which.map((one) => decodeAudio(path, { ...defined({ maxSeconds }), ...one, signal }));
  // Before an encoder is started, what is wrong with the recording shows.
  const firsts = await Promise.all(sounds.map((sound) => sound.next()));
  const encoder = startEncoder(speakers, signal);
  const exited = new Promise<number | null>((resolve) => {
    encoder.once("error", () => resolve(null));
    encoder.once("close", resolve);
  });
  let failure: unknown;

  async function feed(n: number): Promise<void> {
    const sound = sounds[n];
    const input = encoder.stdio[3 + n] as Writable | undefined;
    if (sound === undefined || input === undefined) return;
    // A pipe whose reader is gone says so on its own; the exit tells why.
    input.on("error", () => {});
    try {
      for (let step = firsts[n]; step !== undefined && !step.done; step = await sound.next()) {
        if (input.write(bytesOf(step.value))) continue;
        await Promise.race([once(input, "drain"), exited]);
        if (encoder.exitCode !== null || encoder.signalCode !== null) return;
      }
    } catch (error) {
      failure ??= error;
      encoder.kill("SIGKILL");
    } finally {
      input.end();
      await sound.return();
    }
  }

  const fed = Promise.all(sounds.map((_, n) => feed(n)));
  try {
    for await (const bytes of encoder.stdout ?? []) yield bytes as Uint8Array;
    await fed;
    const exitCode = await exited;
    signal.throwIfAborted();
    if (failure !== undefined) throw failure;
    if (exitCode !== 0) throw new InferenceError("child_died", "ffmpeg ended before all was packed: try again.");
  } catch (error) {
    signal.throwIfAborted();
    throw failure ?? error;
  } finally {
    encoder.kill("SIGKILL");
    await fed;
  }
}

/** It reads samples alone, of which it believes nothing: no walls are needed around it. */
function startEncoder(speakers: readonly SpeakerTrack[], signal: AbortSignal): ChildProcess {
  const names = speakers.length === 0 ? [undefined] : speakers.map(({ speaker }) => speaker);
  const pcm = ["-f", "s16le", "-ar", String(SAMPLE_RATE), "-ac", "1"];
  const args = [
    ...["-hide_banner", "-loglevel", "error", "-nostdin"],
    ...names.flatMap((_, n) => [...pcm, "-i", `pipe:${3 + n}`]),
    ...names.flatMap((_, n) => ["-map", `${n}:a`]),
    ...names.flatMap((name, n) => (name === undefined ? [] : [`-metadata:s:a:${n}`, `title=${name}`])),
    ...["-c:a", "flac", "-f", names.length === 1 ? "flac" : "matroska", "pipe:1"],
  ];
  return spawn(ffmpegPath(), args, {
    stdio: ["ignore", "pipe", "ignore", ...names.map(() => "pipe" as const)],
    env: childEnvironment(process.env),
    signal,
    killSignal: "SIGKILL",
  });
}

/** Samples in [-1, 1) -> signed 16-bit little-endian, from which they came. */
function bytesOf(samples: Float32Array): Buffer {
  const bytes = Buffer.allocUnsafe(2 * samples.length);
  for (let i = 0; i < samples.length; i++) bytes.writeInt16LE(Math.round(samples[i]! * 32768), 2 * i);
  return bytes;
}
