// The figures as a table of at most 100 columns, and what each column means.

import { type Measures, mean, quantile } from "./measures.ts";

export interface Row {
  readonly engine: string;
  /** Absent where the engine could not do it; the reason instead. */
  readonly measures?: Measures;
  readonly reason?: string;
  readonly wallMs: number;
}

export interface RecordingResult {
  readonly name: string;
  readonly about: string;
  readonly seconds: number;
  readonly words: number;
  readonly rows: readonly Row[];
}

const NAME_COLUMNS = 30;

export const LEGEND = `  WER: words wrong of those said. made up: words where nobody spoke, half a second from any speech.
  loops: phrases three times in a row. names: spelled as in the glossary, in window 1, 10, 60, and in
  all. leaked: names written where none was said. words: median and 95th percentile of the distance
  from the true start and end, in ms, of words heard right and two beside them. speed: times real time.
`;

const COLUMNS = ["WER", "made up", "loops", "names 1/10/60/all %", "leaked", "words ms", "speed"] as const;
const WIDTHS = [7, 9, 6, 20, 7, 10, 7] as const;

export function recordingTable({ name, about, seconds, words, rows }: RecordingResult): string {
  const heading = `${name}: ${about}; ${lengthText(seconds)}, ${words} words`;
  const lines = [
    heading,
    "",
    " ".repeat(NAME_COLUMNS) + COLUMNS.map((text, i) => text.padStart(WIDTHS[i] ?? 0)).join(""),
  ];
  for (const { engine, measures, reason, wallMs } of rows) {
    const name = `  ${engine}`.padEnd(NAME_COLUMNS);
    if (measures === undefined) {
      lines.push(`${name} not run: ${reason}`);
      continue;
    }
    const cells = [
      percent(measures.wordErrorRate),
      String(measures.inSilence.length),
      String(measures.loops.length),
      recallText(measures.recall),
      measures.recall.some((share) => !Number.isNaN(share)) ? String(measures.leaked) : "-",
      timesText(measures.timeErrors),
      `${((seconds * 1000) / wallMs).toFixed(0)}x`,
    ];
    lines.push(name + cells.map((text, i) => text.padStart(WIDTHS[i] ?? 0)).join(""));
  }
  return `${lines.join("\n")}\n`;
}

/** Words with digits over all recordings, one line for each engine. */
export function digitsTable(results: readonly RecordingResult[]): string {
  const engines = [...new Set(results.flatMap(({ rows }) => rows.map(({ engine }) => engine)))];
  const lines = engines.flatMap((engine) => {
    const all = results
      .flatMap(({ rows }) => rows.filter((row) => row.engine === engine))
      .flatMap((r) => r.measures ?? []);
    const heard = all.reduce((sum, { digits }) => sum + digits.heard, 0);
    const timed = all.reduce((sum, { digits }) => sum + digits.timed, 0);
    if (heard === 0) return [];
    const times = timesText(all.flatMap(({ digitErrors }) => digitErrors));
    return [`${`  ${engine}`.padEnd(NAME_COLUMNS)}${`${timed} of ${heard}`.padStart(16)}${times.padStart(14)}`];
  });
  if (lines.length === 0) return "";
  const head = `${" ".repeat(NAME_COLUMNS)}${"with times".padStart(16)}${"words ms".padStart(14)}`;
  return `numbers and amounts of money heard right\n\n${[head, ...lines].join("\n")}\n`;
}

function percent(share: number): string {
  return Number.isNaN(share) ? "-" : `${(100 * share).toFixed(1)}%`;
}

function recallText(recall: readonly number[]): string {
  if (recall.every((share) => Number.isNaN(share))) return "-";
  const at = (window: number) => {
    const share = recall[window - 1];
    return share === undefined || Number.isNaN(share) ? "-" : String(Math.round(100 * share));
  };
  return `${at(1)}/${at(10)}/${at(60)}/${Math.round(100 * mean(recall))}`;
}

function timesText(errors: readonly number[]): string {
  if (errors.length === 0) return "-";
  return `${Math.round(1000 * quantile(errors, 0.5))}/${Math.round(1000 * quantile(errors, 0.95))}`;
}

function lengthText(seconds: number): string {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
