// A recording as the pool carries it: the very samples that the engine here would hear, packed without loss.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { InferenceError } from "../../core/errors.ts";
import { type AudioOptions, decodeAudio, SAMPLE_RATE } from "../audio.ts";
import { ffmpegPath } from "../media.ts";

/** FLAC of speech at 16 kHz takes about half of this; noise may take all of it. */
export const LARGEST_BYTES_PER_SECOND = 2 * SAMPLE_RATE;

export interface PreparedAudioOptions extends AudioOptions {
  /** Each becomes a channel; else all sound is mixed down to one. */
  readonly speakers?: readonly Pick<AudioOptions, "track" | "channel">[];
  readonly signal: AbortSignal;
}

/**
 * FLAC, 16 kHz, mono or a channel for each speaker. Decoded, it gives `decodeAudio`'s samples bit for bit, so the transcript is the same as here.
 * @throws UserError not_found, unreadable, no_audio, too_long; InferenceError no_ffmpeg, child_died; the signal's reason
 */
export async function* preparedAudio(
  path: string,
  { signal, speakers = [], ...which }: PreparedAudioOptions,
): AsyncGenerator<Uint8Array, void> {
  const channels = Math.max(1, speakers.length);
  const samples =
    speakers.length === 0
      ? decodeAudio(path, { ...which, signal })
      : interleaved(speakers.map((speaker) => decodeAudio(path, { ...which, ...speaker, signal })));
  // Before an encoder is started, what is wrong with the recording shows.
  const first = await samples.next();
  const args = [
    "-hide_banner",
    "-loglevel",
    "error",
    "-f",
    "s16le",
    "-ar",
    String(SAMPLE_RATE),
    "-ac",
    String(channels),
  ];
  const encoder = spawn(ffmpegPath(), [...args, "-i", "pipe:0", "-c:a", "flac", "-f", "flac", "pipe:1"], {
    stdio: ["pipe", "pipe", "ignore"],
    signal,
    killSignal: "SIGKILL",
  });
  const exited = new Promise<number | null>((resolve) => {
    encoder.once("error", () => resolve(null));
    encoder.once("close", resolve);
  });
  // A pipe whose reader is gone says so on its own; the exit tells why.
  encoder.stdin.on("error", () => {});
  let failure: unknown;
  const fed = (async () => {
    try {
      for (let step = first; !step.done; step = await samples.next()) {
        if (encoder.stdin.write(bytesOf(step.value))) continue;
        await Promise.race([once(encoder.stdin, "drain"), exited]);
        if (encoder.exitCode !== null || encoder.signalCode !== null) return;
      }
    } catch (error) {
      failure = error;
      encoder.kill("SIGKILL");
    } finally {
      encoder.stdin.end();
      await samples.return();
    }
  })();
  try {
    for await (const bytes of encoder.stdout) yield bytes as Uint8Array;
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

/** A sample of each in turn. Where one has ended and others go on, it is silent. */
async function* interleaved(parts: readonly AsyncGenerator<Float32Array, void>[]): AsyncGenerator<Float32Array, void> {
  const left: Float32Array[] = parts.map(() => new Float32Array(0));
  const isOver = parts.map(() => false);
  try {
    for (;;) {
      for (const [i, part] of parts.entries()) {
        while (left[i]!.length === 0 && !isOver[i]) {
          const step = await part.next();
          if (step.done) isOver[i] = true;
          else left[i] = step.value;
        }
      }
      const lengths = left.filter((_, i) => !isOver[i]).map(({ length }) => length);
      if (lengths.length === 0) return;
      const length = Math.min(...lengths);
      const together = new Float32Array(length * parts.length);
      for (const [i, samples] of left.entries()) {
        if (isOver[i]) continue;
        for (let k = 0; k < length; k++) together[k * parts.length + i] = samples[k]!;
        left[i] = samples.subarray(length);
      }
      yield together;
    }
  } finally {
    for (const part of parts) await part.return();
  }
}

/** Samples in [-1, 1) -> signed 16-bit little-endian, from which they came. */
function bytesOf(samples: Float32Array): Buffer {
  const bytes = Buffer.allocUnsafe(2 * samples.length);
  for (let i = 0; i < samples.length; i++) bytes.writeInt16LE(Math.round(samples[i]! * 32768), 2 * i);
  return bytes;
}
