// Samples as a WAV file, and as one array.

import { writeFile } from "node:fs/promises";
import { decodeAudio, SAMPLE_RATE } from "../../inference/audio.ts";

const HEADER_BYTES = 44;

export async function writeWav(path: string, samples: Float32Array): Promise<void> {
  await writeFile(path, [wavHeader(samples.length), pcm(samples)]);
}

/** Mono, 16 bits. Ref: RFC 2361; Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" */
export function wavHeader(nSamples: number): Buffer {
  const file = Buffer.alloc(HEADER_BYTES);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(HEADER_BYTES + 2 * nSamples - 8, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(SAMPLE_RATE, 24);
  file.writeUInt32LE(2 * SAMPLE_RATE, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(2 * nSamples, 40);
  return file;
}

export function pcm(samples: Float32Array): Buffer {
  const bytes = Buffer.alloc(2 * samples.length);
  samples.forEach((sample, i) => {
    bytes.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(sample * 32768))), 2 * i);
  });
  return bytes;
}

/** The samples of a whole recording. */
export async function samplesOf(path: string): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  for await (const part of decodeAudio(path)) parts.push(part);
  return joinSamples(parts);
}

export function joinSamples(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
