// Sounds in which nobody speaks, made from a seed: what microphones, rooms and waiting loops give.

import { SAMPLE_RATE } from "../../inference/audio.ts";
import { seededRandom } from "../../inference/random.ts";

export const SOUNDS = ["silence", "room", "hiss", "hum", "clicks", "music"] as const;
export type Sound = (typeof SOUNDS)[number];

/** @param level loudest sample; speech in the sets has about 0.5 */
const LEVELS: Readonly<Record<Sound, number>> = {
  silence: 0,
  room: 0.001,
  hiss: 0.02,
  hum: 0.05,
  clicks: 0.2,
  music: 0.25,
};

export function makeSound(sound: Sound, seconds: number, seed: number): Float32Array {
  const samples = new Float32Array(Math.round(seconds * SAMPLE_RATE));
  const random = seededRandom(seed);
  const level = LEVELS[sound];
  switch (sound) {
    case "silence":
      return samples;
    case "room":
    case "hiss":
      return noise(samples, level, random);
    case "hum":
      return hum(samples, level, random);
    case "clicks":
      return clicks(samples, level, random);
    case "music":
      return music(samples, level, random);
    default:
      return sound satisfies never;
  }
}

/** Softened white noise. */
function noise(samples: Float32Array, level: number, random: () => number): Float32Array {
  let held = 0;
  for (let i = 0; i < samples.length; i++) {
    held = 0.6 * held + 0.4 * (2 * random() - 1);
    samples[i] = level * held;
  }
  return samples;
}

/** Mains hum: 50 Hz and its harmonics, a little unsteady. */
function hum(samples: Float32Array, level: number, random: () => number): Float32Array {
  const base = 49.5 + random();
  const step = (2 * Math.PI * base) / SAMPLE_RATE;
  for (let i = 0; i < samples.length; i++) {
    const wave = Math.sin(step * i) + 0.5 * Math.sin(2 * step * i) + 0.3 * Math.sin(3 * step * i);
    samples[i] = level * 0.5 * wave * (1 + 0.1 * Math.sin((2 * Math.PI * i) / (3 * SAMPLE_RATE)));
  }
  return samples;
}

/** Somebody types: short bursts of noise at uneven times. */
function clicks(samples: Float32Array, level: number, random: () => number): Float32Array {
  for (let at = 0; at < samples.length; at += Math.round((0.08 + 0.5 * random()) * SAMPLE_RATE)) {
    const length = Math.min(Math.round(0.012 * SAMPLE_RATE), samples.length - at);
    for (let i = 0; i < length; i++) samples[at + i] = level * (2 * random() - 1) * Math.exp(-i / 40);
  }
  return samples;
}

// A minor, F, C, G: four chords of three notes, in Hz.
const CHORDS = [
  [220, 261.63, 329.63],
  [174.61, 220, 261.63],
  [261.63, 329.63, 392],
  [196, 246.94, 293.66],
] as const;

/** Plucked chords over a bass, with a beat: a waiting loop. */
function music(samples: Float32Array, level: number, random: () => number): Float32Array {
  const beat = Math.round((60 / (90 + 20 * random())) * SAMPLE_RATE);
  for (let n = 0; n * beat < samples.length; n++) {
    const chord = CHORDS[Math.floor(n / 4) % CHORDS.length] ?? CHORDS[0];
    const start = n * beat;
    const length = Math.min(2 * beat, samples.length - start);
    for (const [voice, pitch] of [chord[0] / 2, ...chord].entries()) {
      const step = (2 * Math.PI * pitch) / SAMPLE_RATE;
      const loudness = level * (voice === 0 ? 0.3 : 0.15) * (0.8 + 0.4 * random());
      for (let i = 0; i < length; i++) {
        const wave = Math.sin(step * i) + 0.4 * Math.sin(2 * step * i) + 0.2 * Math.sin(3 * step * i);
        samples[start + i] = (samples[start + i] ?? 0) + loudness * wave * Math.exp((-2 * i) / beat);
      }
    }
    for (let i = 0; i < Math.min(length, 1200); i++) {
      samples[start + i] = (samples[start + i] ?? 0) + level * 0.15 * (2 * random() - 1) * Math.exp(-i / 200);
    }
  }
  return samples;
}
