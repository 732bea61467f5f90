// Recordings of many kinds, and what happens to files on their way through the world and through the hands of strangers.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../src/inference/random.ts";
import { ffmpeg, sine } from "./recordings.ts";

const MOVIE = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=5:d=0.4"];
const SOUND = sine(440, 0.4, 16_000);

/** File name -> ffmpeg's options for half a second of it: the containers and codecs that people send. */
const KINDS: Record<string, readonly string[]> = {
  "a.wav": SOUND,
  "adpcm.wav": [...SOUND, "-c:a", "adpcm_ms"],
  "gsm.wav": [...SOUND, "-ar", "8000", "-c:a", "libgsm_ms"],
  "tagged.mp3": [...SOUND, "-metadata", "title=Meeting", "-metadata", "comment=weekly", "-id3v2_version", "3"],
  "voice.m4a": [...SOUND, "-c:a", "aac"],
  "lossless.m4a": [...SOUND, "-c:a", "alac"],
  "movie.mp4": [...MOVIE, ...SOUND, "-c:v", "mpeg4", "-c:a", "aac", "-movflags", "+faststart"],
  "late-index.mov": [...MOVIE, ...SOUND, "-c:v", "mjpeg", "-c:a", "aac"],
  "fragments.mp4": [...SOUND, "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov", "-frag_duration", "100000"],
  "voice.ogg": [...SOUND, "-c:a", "libopus", "-b:a", "24k"],
  "music.oga": [...SOUND, "-c:a", "libvorbis"],
  "speex.ogg": [...SOUND, "-c:a", "libspeex"],
  "a.flac": SOUND,
  "browser.webm": [...SOUND, "-c:a", "libopus"],
  "tracks.mkv": [...MOVIE, ...SOUND, ...sine(880, 0.2), "-map", "0", "-map", "1", "-map", "2", "-c:v", "mpeg4"],
  "old.avi": [...MOVIE, ...SOUND, "-c:v", "mpeg4", "-c:a", "libmp3lame", "-ar", "22050"],
  "broadcast.ts": [...MOVIE, ...SOUND, "-c:v", "mpeg2video", "-c:a", "mp2", "-r", "25"],
  "office.wma": [...SOUND, "-c:a", "wmav2"],
  "flash.flv": [...SOUND, "-c:a", "libmp3lame", "-ar", "22050"],
  "a.aiff": SOUND,
  "a.caf": SOUND,
  "a.au": SOUND,
  "a.aac": SOUND,
  "disc.ac3": [...SOUND, "-ar", "48000"],
  "a.wv": SOUND,
  "a.tta": [...SOUND, "-c:a", "tta"],
};

/** Twelve thousandths of a second a frame, at the full rate of 12.2 kbit/s: any bits are speech to AMR. */
export function amr(frames: number): Buffer {
  const random = seededRandom(7);
  const frame = () => [0x3c, ...Array.from({ length: 31 }, () => Math.floor(random() * 256))];
  return Buffer.concat([Buffer.from("#!AMR\n"), Buffer.from(Array.from({ length: frames }, frame).flat())]);
}

export interface Sample {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Made in the folder, with the real ffmpeg. */
export function makeCorpus(folder: string): Sample[] {
  for (const [name, options] of Object.entries(KINDS)) ffmpeg(...options, join(folder, name));
  writeFileSync(join(folder, "phone.amr"), amr(20));
  return [...Object.keys(KINDS), "phone.amr"].map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

type Random = () => number;
type Mutation = (bytes: Buffer, random: Random, corpus: readonly Sample[]) => Buffer;

const below = (random: Random, end: number) => Math.floor(random() * end);
/** Mostly near the beginning, where the headers are. */
const place = (random: Random, length: number) => below(random, random() < 0.5 ? Math.min(length, 512) : length);
const copy = (bytes: Buffer) => Buffer.from(bytes);

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "bytes flipped"(bytes, random) {
    const changed = copy(bytes);
    for (let left = 1 + below(random, 40); left > 0; left--) {
      changed[place(random, bytes.length)] = below(random, 256);
    }
    return changed;
  },
  "one bit flipped"(bytes, random) {
    const changed = copy(bytes);
    const at = place(random, bytes.length);
    changed[at] = (changed[at] ?? 0) ^ (1 << below(random, 8));
    return changed;
  },
  "cut off": (bytes, random) => bytes.subarray(0, below(random, bytes.length)),
  "beginning lost": (bytes, random) => bytes.subarray(below(random, bytes.length)),
  "another's header"(bytes, random, corpus) {
    const other = corpus[below(random, corpus.length)]?.bytes ?? bytes;
    const length = 4 + below(random, 400);
    return Buffer.concat([other.subarray(0, length), bytes.subarray(random() < 0.5 ? length : 0)]);
  },
  "parts exchanged"(bytes, random) {
    const size = 16 + below(random, Math.max(1, bytes.length / 4));
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
    for (let at = parts.length - 1; at > 0; at--) {
      const other = below(random, at + 1);
      [parts[at], parts[other]] = [parts[other] as Buffer, parts[at] as Buffer];
    }
    return Buffer.concat(parts);
  },
  "a part twice"(bytes, random) {
    const [from, to] = [below(random, bytes.length), below(random, bytes.length)].sort((a, b) => a - b);
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from, to), bytes.subarray(to)]);
  },
  "huge numbers"(bytes, random) {
    const changed = copy(bytes);
    const numbers = [0xffffffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0, 1, 0x00ffffff, 0x10000000];
    for (let left = 1 + below(random, 6); left > 0; left--) {
      const at = place(random, Math.max(1, bytes.length - 4));
      const number = numbers[below(random, numbers.length)] ?? 0;
      if (at + 4 <= changed.length) changed[random() < 0.5 ? "writeUInt32BE" : "writeUInt32LE"](number, at);
    }
    return changed;
  },
  "a hole of zeros"(bytes, random) {
    const at = place(random, bytes.length);
    return copy(bytes).fill(0, at, Math.min(bytes.length, at + 1 + below(random, 600)));
  },
  "noise put in"(bytes, random) {
    const at = place(random, bytes.length);
    const noise = Buffer.from(Array.from({ length: 1 + below(random, 200) }, () => below(random, 256)));
    return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
  },
};

const ENDINGS = [
  "mp3",
  "mp4",
  "ogg",
  "wav",
  "m3u8",
  "mpd",
  "txt",
  "png",
  "concat",
  "srt",
  "gsm",
  "g722",
  "sln",
  "media",
];

export interface Mutant extends Sample {
  readonly number: number;
  readonly mutation: string;
  readonly from: string;
}

/** The mutant of a number is always the same. */
export function mutant(number: number, corpus: readonly Sample[]): Mutant {
  const random = seededRandom(20_261_125 + number * 7919);
  const { name: from, bytes } = corpus[below(random, corpus.length)] as Sample;
  const names = Object.keys(MUTATIONS);
  const mutation = names[below(random, names.length)] ?? "";
  let changed = MUTATIONS[mutation]?.(bytes, random, corpus) ?? bytes;
  // One in four is changed a second time.
  if (random() < 0.25) {
    changed = MUTATIONS[names[below(random, names.length)] ?? ""]?.(changed, random, corpus) ?? changed;
  }
  const own = from.slice(from.lastIndexOf(".") + 1);
  const ending = random() < 0.6 ? own : ENDINGS[below(random, ENDINGS.length)];
  return { number, mutation, from, bytes: changed, name: `${number}.${ending}` };
}
