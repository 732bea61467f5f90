// How fast this machine transcribes, learnt from the jobs it has done: for "about 40 s" before the first window is done.

export interface Pace {
  /** A recording was transcribed. */
  learn(audioSeconds: number, workMs: number): void;
  /** Seconds that a recording of this length will take; undefined before the first was done. */
  expect(audioSeconds: number): number | undefined;
}

/** How much the newest recording counts against all before it. */
const WEIGHT = 0.3;

export function createPace(): Pace {
  let secondsPerSecond: number | undefined;
  return {
    learn(audioSeconds, workMs) {
      if (audioSeconds <= 0) return;
      const latest = workMs / 1000 / audioSeconds;
      secondsPerSecond =
        secondsPerSecond === undefined ? latest : secondsPerSecond + WEIGHT * (latest - secondsPerSecond);
    },
    expect: (audioSeconds) => (secondsPerSecond === undefined ? undefined : audioSeconds * secondsPerSecond),
  };
}
