// Long recordings with known contents, put together from clips, pauses and sounds. The same seed gives the same samples.

import { CHUNK_LENGTH, SAMPLE_RATE } from "../../inference/audio.ts";
import { seededRandom } from "../../inference/random.ts";
import { joinSamples } from "../bench/wav.ts";
import { makeSound, SOUNDS, type Sound } from "./sounds.ts";
import type { Clip, Utterance } from "./speech.ts";

export interface EvalRecording {
  readonly name: string;
  /** What is in it, for the table. */
  readonly about: string;
  readonly samples: Float32Array;
  /** Everything that is said, with times in this recording. */
  readonly utterances: readonly (Utterance & { readonly term?: string })[];
  readonly prompt: string;
}

export interface Lengths {
  /** Minutes of office talk. */
  readonly talkMinutes: number;
  readonly pausesMinutes: number;
  readonly soundMinutes: number;
  readonly jargonWindows: number;
  /** Of the silence in the middle of a talk; 0: no such recording. */
  readonly silenceMinutes: number;
}

export const SMALL: Lengths = {
  talkMinutes: 4,
  pausesMinutes: 6,
  soundMinutes: 4,
  jargonWindows: 60,
  silenceMinutes: 0,
};
export const HOURS: Lengths = {
  talkMinutes: 60,
  pausesMinutes: 60,
  soundMinutes: 60,
  jargonWindows: 120,
  silenceMinutes: 60,
};

/** The terms in the glossary, and so in every window. */
const TERMS = 4;

type Make = (clips: readonly Clip[], lengths: Lengths, seed: number) => EvalRecording | undefined;

/** Name -> how it is made; undefined where the set has no clips for it or the length is 0. */
export const RECORDINGS = {
  talk: (clips, { talkMinutes }, seed) =>
    talk("talk", "sentences with pauses of 0.4 to 2 s", ofCategory(clips, "clean", "multi"), talkMinutes, seed, (r) => [
      "room",
      0.4 + 1.6 * r(),
    ]),
  noisy: (clips, { talkMinutes }, seed) =>
    talk("noisy", "sentences in noise, 20 to 10 dB", ofCategory(clips, "noisy"), talkMinutes / 2, seed, (r) => [
      "hiss",
      0.4 + 1.6 * r(),
    ]),
  pauses: (clips, { pausesMinutes }, seed) =>
    talk(
      "pauses",
      "sentences between 3 to 25 s of silence, hiss, hum, typing, music",
      ofCategory(clips, "clean", "multi"),
      pausesMinutes,
      seed,
      (r) => [SOUNDS[Math.floor(r() * SOUNDS.length)] ?? "silence", 3 + 22 * r()],
    ),
  sounds: (_, { soundMinutes }, seed) => sounds(soundMinutes, seed),
  jargon: (clips, { jargonWindows }, seed) => jargon(clips, jargonWindows, seed),
  silence: (clips, { silenceMinutes }, seed) => longSilence(ofCategory(clips, "clean"), silenceMinutes, seed),
} satisfies Record<string, Make>;

export type RecordingName = keyof typeof RECORDINGS;

function ofCategory(clips: readonly Clip[], ...wanted: readonly string[]): Clip[] {
  return clips.filter((clip) => wanted.includes(clip.category));
}

type PauseOf = (random: () => number) => readonly [Sound, number];

function talk(
  name: string,
  about: string,
  clips: readonly Clip[],
  minutes: number,
  seed: number,
  pauseOf: PauseOf,
): EvalRecording | undefined {
  if (clips.length === 0 || minutes <= 0) return undefined;
  const random = seededRandom(seed);
  const tape = startTape();
  tape.sound("room", 0.5, seed);
  for (let turn = 0; tape.seconds() < minutes * 60; turn++) {
    tape.say(shuffled(clips, seededRandom(seed + Math.floor(turn / clips.length)))[turn % clips.length]);
    tape.sound(...pauseOf(random), seed + turn);
  }
  return { name, about, prompt: "", ...tape.end() };
}

/** Nothing is said at all: whatever is written was made up. */
function sounds(minutes: number, seed: number): EvalRecording | undefined {
  if (minutes <= 0) return undefined;
  const random = seededRandom(seed);
  const tape = startTape();
  for (let turn = 0; tape.seconds() < minutes * 60; turn++) {
    tape.sound(SOUNDS[turn % SOUNDS.length] ?? "silence", 10 + 30 * random(), seed + turn);
  }
  return { name: "sounds", about: "no speech: silence, hiss, hum, typing, music", prompt: "", ...tape.end() };
}

/** The same terms once in every 30 s, at changing places among other sentences. No clip crosses into the next window. */
function jargon(clips: readonly Clip[], windows: number, seed: number): EvalRecording | undefined {
  const named = ofCategory(clips, "jargonknown", "jargonnew");
  // Half of them were in the demo model's training and half were not; each name once.
  const alternating = named.toSorted((a, b) => a.file.replace(/^\D+/, "").localeCompare(b.file.replace(/^\D+/, "")));
  const chosen = alternating
    .filter((clip, i) => clip.term && alternating.findIndex(({ term }) => term === clip.term) === i)
    .slice(0, TERMS);
  const others = ofCategory(clips, "clean");
  if (chosen.length === 0 || others.length === 0 || windows <= 0) return undefined;
  const tape = startTape();
  for (let window = 0; window < windows; window++) {
    const random = seededRandom(seed + window);
    const end = (window + 1) * CHUNK_LENGTH;
    const extra = others[Math.floor(random() * others.length)];
    const turns = shuffled([...chosen, ...(extra ? [extra] : [])], random);
    const said = turns.reduce((sum, clip) => sum + clip.samples.length / SAMPLE_RATE, 0);
    // A clip longer than what is left would begin the next window, so the pauses share what is left now.
    const left = Math.max(0, end - tape.seconds() - said) / (turns.length + 1);
    for (const clip of turns) {
      tape.sound("room", Math.min(left, 0.3 + 1.2 * random()), seed + window);
      tape.say(clip);
    }
    tape.sound("room", Math.max(0, end - tape.seconds()), seed + window);
  }
  const prompt = `Glossary: ${chosen.map(({ term }) => term).join(", ")}.`;
  return { name: "jargon", about: `${chosen.length} names in each of ${windows} windows`, prompt, ...tape.end() };
}

/** A minute of talk, a long silence, a minute of talk. */
function longSilence(clips: readonly Clip[], minutes: number, seed: number): EvalRecording | undefined {
  if (clips.length === 0 || minutes <= 0) return undefined;
  const tape = startTape();
  const minuteOfTalk = (part: number) => {
    const end = tape.seconds() + 60;
    const order = shuffled(clips, seededRandom(seed + part));
    for (let turn = 0; tape.seconds() < end; turn++) {
      tape.say(order[turn % order.length]);
      tape.sound("room", 0.8, seed + turn);
    }
  };
  minuteOfTalk(0);
  tape.sound("silence", (minutes / 2) * 60, seed);
  tape.sound("room", (minutes / 2) * 60, seed);
  minuteOfTalk(1);
  return { name: "silence", about: `${minutes} min of silence between two minutes of talk`, prompt: "", ...tape.end() };
}

function startTape() {
  const parts: Float32Array[] = [];
  const utterances: EvalRecording["utterances"][number][] = [];
  let length = 0;
  const put = (samples: Float32Array) => {
    parts.push(samples);
    length += samples.length;
  };
  const seconds = () => length / SAMPLE_RATE;
  return {
    seconds,
    sound(sound: Sound, duration: number, seed: number): void {
      put(makeSound(sound, duration, seed));
    },
    say(clip: Clip | undefined): void {
      if (clip === undefined) return;
      const offset = seconds();
      for (const { start, end, words } of clip.utterances) {
        utterances.push({
          start: offset + start,
          end: offset + end,
          words: words.map((word) =>
            word.start === undefined || word.end === undefined
              ? word
              : { ...word, start: offset + word.start, end: offset + word.end },
          ),
          ...(clip.term === undefined ? {} : { term: clip.term }),
        });
      }
      put(clip.samples);
    },
    end: () => ({ samples: joinSamples(parts), utterances }),
  };
}

/** Ref: Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}
