// The test speech as samples, alone or put together with pauses.

import { fileURLToPath } from "node:url";
import { decodeAudio, SAMPLE_RATE } from "../../src/inference/audio.ts";

export function speechPath(name: string): string {
  return fileURLToPath(new URL(`../fixtures/speech/${name}.flac`, import.meta.url));
}

export async function speechSamples(name: string): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  for await (const part of decodeAudio(speechPath(name))) parts.push(part);
  return joinSamples(parts);
}

/** Clips one after the other, each followed by a pause. */
export async function recording(names: readonly string[], pauseSeconds: number): Promise<Float32Array> {
  const pause = new Float32Array(Math.round(pauseSeconds * SAMPLE_RATE));
  const parts: Float32Array[] = [];
  for (const name of names) parts.push(await speechSamples(name), pause);
  return joinSamples(parts);
}

function joinSamples(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
