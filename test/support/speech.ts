// The test speech as samples, alone or put together with pauses.

import { fileURLToPath } from "node:url";
import { joinSamples, samplesOf } from "../../src/cli/bench/wav.ts";
import { SAMPLE_RATE } from "../../src/inference/audio.ts";

export function speechPath(name: string): string {
  return fileURLToPath(new URL(`../fixtures/speech/${name}.flac`, import.meta.url));
}

export function speechSamples(name: string): Promise<Float32Array> {
  return samplesOf(speechPath(name));
}

/** Clips one after the other, each followed by a pause. */
export async function recording(names: readonly string[], pauseSeconds: number): Promise<Float32Array> {
  const pause = new Float32Array(Math.round(pauseSeconds * SAMPLE_RATE));
  const parts: Float32Array[] = [];
  for (const name of names) parts.push(await speechSamples(name), pause);
  return joinSamples(parts);
}
