// What is seen of many recordings while they are transcribed: one line on a terminal, a line each in a log.
import type { Io } from "../io.ts";
import { clockText, spanText, speedText } from "../spans.ts";

export interface Counts {
  readonly total: number;
  /** With those that were done before. */
  readonly done: number;
  readonly running: number;
  readonly failed: number;
  /** Of audio that this run went through. */
  readonly audioSeconds: number;
  /** 0 to 1, by the bytes of what this run has to do. */
  readonly share: number;
}

export interface Display {
  update(counts: Counts): void;
  /** A line that stays. */
  print(line: string): void;
  end(): void;
}

const REDRAW_MS = 100;
/** A log gets the same line, but not more often than this. */
const LOG_MS = 60_000;
const BAR_COLUMNS = 20;

/** @param now milliseconds */
export function startDisplay({ stderr }: Pick<Io, "stderr">, now: () => number): Display {
  const isTerminal = stderr.isTTY === true;
  const startedAt = now();
  let shownAt = isTerminal ? Number.NEGATIVE_INFINITY : startedAt;
  let line = "";
  const clear = () => (isTerminal && line !== "" ? "\r\x1b[K" : "");
  return {
    update(counts) {
      line = countsLine(counts, (now() - startedAt) / 1000, isTerminal);
      if (now() - shownAt < (isTerminal ? REDRAW_MS : LOG_MS)) return;
      shownAt = now();
      stderr.write(isTerminal ? `\r\x1b[K${line.slice(0, (stderr.columns || 80) - 1)}` : `${line}\n`);
    },
    print(text) {
      stderr.write(`${clear()}${text}\n`);
      shownAt = isTerminal ? Number.NEGATIVE_INFINITY : shownAt;
    },
    end() {
      stderr.write(clear());
      line = "";
    },
  };
}

/** `41% ████░░░░ 410 of 1000, 8 running, 2 failed, 61.2 h of audio, 55x real time, 1:20:31 left` */
function countsLine(
  { total, done, running, failed, audioSeconds, share }: Counts,
  elapsed: number,
  hasBar: boolean,
): string {
  const filled = Math.round(share * BAR_COLUMNS);
  const bar = hasBar ? ` ${"█".repeat(filled)}${"░".repeat(BAR_COLUMNS - filled)}` : "";
  const parts = [
    `${`${Math.floor(share * 100)}%`.padStart(4)}${bar} ${done} of ${total}`,
    `${running} running`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(audioSeconds > 0 ? [`${spanText(audioSeconds)} of audio`, speedText(audioSeconds, elapsed)] : []),
    ...(share > 0 && share < 1 ? [`${clockText((elapsed / share) * (1 - share))} left`] : []),
  ];
  return parts.join(", ");
}
