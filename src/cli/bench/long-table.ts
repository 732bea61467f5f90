// The runs over a long recording, and their medians as a table.

import type { LongFigures } from "./long-child.ts";

/** One run of one engine. */
export type Run = Partial<LongFigures> & Pick<LongFigures, "wallMs" | "peakBytes"> & { readonly wordErrors?: number };

export interface LongResult {
  readonly model: string;
  readonly minutes: number;
  readonly runs: Readonly<Record<string, readonly Run[]>>;
  readonly notRun: string | undefined;
}

const NAME_COLUMNS = 28;
const CELL_COLUMNS = 11;

export function longTable({ model, minutes, runs, notRun }: LongResult, seconds: number): string {
  const names = ["wall s", "real time", "windows", "tokens", "VAD", "outside", "peak MB", "words"];
  const cell = (content: string) => content.padStart(CELL_COLUMNS);
  const lines = [
    `${model}, ${minutes} minutes`,
    "",
    " ".repeat(NAME_COLUMNS) + names.map((name) => cell(name)).join(""),
  ];
  for (const [name, all] of Object.entries(runs)) {
    const middle = (of: (run: Run) => number | undefined) => {
      const sorted = all.flatMap((run) => of(run) ?? []).sort((a, b) => a - b);
      return sorted.length === 0 ? undefined : sorted[sorted.length >> 1];
    };
    const show = (value: number | undefined, format: (value: number) => string) =>
      cell(value === undefined ? "-" : format(value));
    const percent = (value: number) => `${(100 * value).toFixed(1)}%`;
    const whole = (value: number) => value.toFixed(0);
    const wall = middle(({ wallMs }) => wallMs) ?? Number.NaN;
    lines.push(
      `  ${name}`.padEnd(NAME_COLUMNS) +
        cell((wall / 1000).toFixed(1)) +
        cell(`${((1000 * seconds) / wall).toFixed(1)}x`) +
        show(
          middle(({ windows }) => windows),
          whole,
        ) +
        show(
          middle(({ tokens }) => tokens),
          whole,
        ) +
        show(
          middle(({ voiceDetection }) => voiceDetection),
          percent,
        ) +
        show(
          middle(({ outside }) => outside),
          percent,
        ) +
        show(
          middle(({ peakBytes }) => peakBytes),
          (bytes) => whole(bytes / 1e6),
        ) +
        show(
          middle(({ wordErrors }) => wordErrors),
          percent,
        ),
    );
  }
  if (notRun !== undefined) lines.push("", `  whisper.cpp: not run: ${notRun}`);
  return `${lines.join("\n")}\n`;
}
