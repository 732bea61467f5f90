// The measurements as a table of at most 100 columns.

import { wrap } from "../help.ts";
import { type ModelResult, median, type SpeechResult, spread } from "./results.ts";
import { PROMPT_TOKENS, type Round, WINDOW_TOKENS } from "./work.ts";

const COLUMNS = 100;
const NAME_COLUMNS = 24;
const CELL_COLUMNS = 12;
const SMALL_COLUMNS = 8;
const NOISY = 0.15;

const MEASURES = [
  ["mel", "mel ms"],
  ["encode", "encoder ms"],
  ["token", "ms/token"],
  ["prompt", "prompt ms"],
  ["window", "window ms"],
] as const satisfies readonly (readonly [keyof Round, string])[];

const CLASSES = [
  ["float", "  weights in 16 or 32 bits"],
  ["int8", "  weights in 8 bits"],
  ["int4", "  weights in 4 bits, in the encoder 8"],
] as const;

/** A block for one model and number of threads; beside each figure, how many times Earshot's it is. */
export function modelTable({ model, threads, engines, notRun }: ModelResult): string {
  const lines = [`${model}, ${threads} ${threads === 1 ? "thread" : "threads"}`];
  for (const [precisionClass, heading] of CLASSES) {
    const inClass = engines.filter((engine) => engine.precisionClass === precisionClass);
    if (inClass.length === 0) continue;
    const names = MEASURES.map(([, name]) => name.padStart(CELL_COLUMNS)).join("");
    const small = ["outside", "peak MB"].map((name) => name.padStart(SMALL_COLUMNS)).join("");
    lines.push("", heading, " ".repeat(NAME_COLUMNS) + names + small);
    // Earshot's own variants are compared with its quickest, so that the ratios of the others never flatter it.
    const own = inClass.filter((engine) => engine.name.startsWith("Earshot"));
    const quickest = own.toSorted((a, b) => median(a.rounds, "window") - median(b.rounds, "window"))[0];
    for (const { name, rounds, peakBytes } of inClass) {
      const cells = MEASURES.map(([measure]) => {
        const value = median(rounds, measure);
        return cell(value, quickest === undefined ? Number.NaN : value / median(quickest.rounds, measure));
      });
      const outside = `${(100 * median(rounds, "outside")).toFixed(1)}%`;
      const peak = peakBytes === undefined ? "-" : String(Math.round(peakBytes / 1e6));
      lines.push(
        `    ${name}`.padEnd(NAME_COLUMNS) +
          cells.join("") +
          outside.padStart(SMALL_COLUMNS) +
          peak.padStart(SMALL_COLUMNS),
      );
    }
  }
  if (notRun.length > 0) lines.push("", ...notRun.flatMap(reasonLines));
  const noisiest = engines.toSorted((a, b) => spread(b.rounds) - spread(a.rounds))[0];
  if (noisiest !== undefined && spread(noisiest.rounds) > NOISY) {
    const percent = Math.round(100 * spread(noisiest.rounds));
    lines.push("", `  Noisy: the middle half of ${noisiest.name}'s windows differ by ${percent}%.`);
  }
  return `${lines.join("\n")}\n`;
}

/** 1234 -> "1234 1.52x". */
function cell(value: number, ratio: number): string {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  const times = Number.isNaN(ratio) ? "" : ` ${ratio.toFixed(ratio < 10 ? 2 : 1)}x`;
  return `${value.toFixed(digits)}${times.padStart(6)}`.padStart(CELL_COLUMNS);
}

/** A block for the files with known words. */
export function speechTable({ model, threads, seconds, files, engines, notRun }: SpeechResult): string {
  const heading = `${model}, ${files} files with ${Math.round(seconds)} s of speech, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  const names = ["wall s", "real time", "first segment", "word errors"].map((name) => name.padStart(15)).join("");
  const lines = [heading, "", " ".repeat(NAME_COLUMNS) + names];
  for (const { name, wallMs, firstSegmentMs, wordErrorRate } of engines) {
    const cells = [
      (wallMs / 1000).toFixed(1),
      `${((1000 * seconds) / wallMs).toFixed(1)}x`,
      Number.isFinite(firstSegmentMs) ? `${Math.round(firstSegmentMs)} ms` : "-",
      `${(100 * wordErrorRate).toFixed(1)}%`,
    ];
    lines.push(`    ${name}`.padEnd(NAME_COLUMNS) + cells.map((text) => text.padStart(15)).join(""));
  }
  if (notRun.length > 0) lines.push("", ...notRun.flatMap(reasonLines));
  return `${lines.join("\n")}\n`;
}

export const LEGEND = `  Medians; 1.00x is the quickest of Earshot's in the same class, 2.00x takes twice as long.
  window: mel + encoder + prompt of ${PROMPT_TOKENS} tokens + ${WINDOW_TOKENS} tokens of text. outside: the share of it
  spent outside the model's own operators. Where an engine computes the audio's keys and values
  differs (encoder or prompt); the window holds them once in each.
`;

function reasonLines({ name, reason }: { readonly name: string; readonly reason: string }): string[] {
  return wrap(`${name}: not run: ${reason}`, COLUMNS - 4).map((line, i) => `${i === 0 ? "  " : "    "}${line}`);
}
