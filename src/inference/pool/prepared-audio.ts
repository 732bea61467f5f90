// A recording as the pool carries it: the very samples that the engine here would hear, packed without loss.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { InferenceError } from "../../core/errors.ts";
import { type AudioOptions, decodeAudio, SAMPLE_RATE } from "../audio.ts";
import { ffmpegPath } from "../media.ts";

/** FLAC of speech at 16 kHz takes about half of this; noise may take all of it. */
export const LARGEST_BYTES_PER_SECOND = 2 * SAMPLE_RATE;

/**
 * FLAC, 16 kHz, mono. Decoded, it gives `decodeAudio`'s samples bit for bit, so the transcript is the same as here.
 * @throws UserError not_found, unreadable, no_audio, too_long; InferenceError no_ffmpeg, child_died; the signal's reason
 */
export async function* preparedAudio(
  path: string,
  { signal, ...which }: AudioOptions & { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array, void> {
  const samples = decodeAudio(path, { ...which, signal });
  // Before an encoder is started, what is wrong with the recording shows.
  const first = await samples.next();
  const args = ["-hide_banner", "-loglevel", "error", "-f", "s16le", "-ar", String(SAMPLE_RATE), "-ac", "1"];
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

/** Samples in [-1, 1) -> signed 16-bit little-endian, from which they came. */
function bytesOf(samples: Float32Array): Buffer {
  const bytes = Buffer.allocUnsafe(2 * samples.length);
  for (let i = 0; i < samples.length; i++) bytes.writeInt16LE(Math.round(samples[i]! * 32768), 2 * i);
  return bytes;
}
