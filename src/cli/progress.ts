// The progress bar on a terminal, below the lines that are printed meanwhile.
import { createTimeLeft } from "../core/time-left.ts";
import type { Io } from "./io.ts";
import { clockText, speedText } from "./spans.ts";

const CLEAR_LINE = "\r\x1b[K";
const REDRAW_MS = 100;
const BAR_COLUMNS = 24;

export interface Progress {
  /**
   * @param duration of the recording, in seconds
   * @param work seconds that were decoded, and that are to be
   */
  update(seconds: number, duration: number, work: { readonly done: number; readonly total: number }): void;
  /** Writes a line to stdout, above the bar. */
  print(line: string): void;
  /** Takes the bar away. */
  end(): void;
}

/**
 * A bar on stderr when that is a terminal, otherwise nothing but the printed lines.
 * @param file shown until the first update: a long recording takes a while to read
 * @param from where the work begins, in seconds
 * @param now milliseconds
 */
export function startProgress(
  { stdout, stderr }: Pick<Io, "stdout" | "stderr">,
  file: string,
  from: number,
  now: () => number,
): Progress {
  if (stderr.isTTY !== true) {
    return { update() {}, print: (line) => void stdout.write(`${line}\n`), end() {} };
  }
  const startedAt = now();
  const timeLeft = createTimeLeft(now);
  let drawnAt = Number.NEGATIVE_INFINITY;
  const fitted = (text: string) => text.slice(0, (stderr.columns || 80) - 1);
  let line = fitted(`Reading ${file === "-" ? "standard input" : file}`);
  stderr.write(CLEAR_LINE + line);

  return {
    update(seconds, duration, { done, total }) {
      const left = timeLeft.update(done, total);
      line = fitted(progressLine(seconds, duration, from, (now() - startedAt) / 1000, left));
      if (now() - drawnAt < REDRAW_MS) return;
      drawnAt = now();
      stderr.write(CLEAR_LINE + line);
    },
    print(text) {
      stderr.write(CLEAR_LINE);
      stdout.write(`${text}\n`);
      stderr.write(line);
    },
    end() {
      line = "";
      stderr.write(CLEAR_LINE);
    },
  };
}

function progressLine(
  seconds: number,
  duration: number,
  from: number,
  elapsedSeconds: number,
  secondsLeft: number | undefined,
): string {
  const work = seconds - from;
  const speed = work > 0 ? `, ${speedText(work, elapsedSeconds)}` : "";
  const share = duration > 0 ? Math.min(1, seconds / duration) : 1;
  const filled = Math.round(share * BAR_COLUMNS);
  const bar = "█".repeat(filled) + "░".repeat(BAR_COLUMNS - filled);
  const left = secondsLeft === undefined ? "" : `, ${clockText(secondsLeft)} left`;
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  return `${percent} ${bar} ${clockText(seconds)} of ${clockText(duration)}${speed}${left}`;
}
