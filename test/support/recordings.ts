// Recordings made with the real ffmpeg, and what is left of the processes that read them.

import { execFileSync } from "node:child_process";
import { expect } from "vitest";

export const ffmpeg = (...args: string[]) => execFileSync("ffmpeg", ["-loglevel", "error", "-y", ...args]);

/** Input options for a sine of amplitude 1/8. */
export const sine = (hz: number, seconds: number, rate = 44100) => [
  ...["-f", "lavfi", "-i"],
  `sine=${hz}:d=${seconds}:r=${rate}`,
];

/** Input options for two seconds of red. */
export const PICTURE = ["-f", "lavfi", "-i", "color=red:s=64x64:r=10:d=2"];

/** Two sound tracks, 440 Hz for 2 s and 880 Hz for 1 s, of which the second is marked as default; and a picture. */
export function makeTracks(path: string): void {
  const inputs = [...PICTURE, ...sine(440, 2), ...sine(880, 1), "-map", "0:v", "-map", "1:a", "-map", "2:a"];
  const tags = ["-metadata:s:a:1", "language=deu", "-metadata:s:a:1", "title=[/STREAM]\nRegie"];
  ffmpeg(...inputs, ...tags, "-disposition:a:0", "0", "-disposition:a:1", "default", "-c:a", "flac", path);
}

/** Process ids of the ffmpegs and ffprobes below this process that have not ended, whatever walls are around them. */
export function ffmpegs(): number[] {
  const processes = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,comm="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .map(([pid, parent, state = "", name = ""]) => ({ pid: Number(pid), parent: Number(parent), state, name }));
  const below = new Set([process.pid]);
  for (let before = 0; before !== below.size; ) {
    before = below.size;
    for (const { pid, parent } of processes) if (below.has(parent)) below.add(pid);
  }
  return processes
    .filter(({ pid, state, name }) => below.has(pid) && !state.startsWith("Z") && /^ff(mpeg|probe)$/.test(name))
    .map(({ pid }) => pid);
}

/** Matches an error of this code whose sentence holds all these words (regular expressions). */
export const error = (code: string, ...words: string[]) =>
  expect.objectContaining({
    code,
    message: expect.stringMatching(new RegExp(words.map((w) => `(?=.*${w})`).join(""))),
  });
