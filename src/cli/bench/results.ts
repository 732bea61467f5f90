// What was measured, as --json writes it, and the figures made of it.

import type { Machine } from "./machine.ts";
import type { PrecisionClass, Round } from "./work.ts";

export interface EngineResult {
  readonly name: string;
  readonly precisionClass: PrecisionClass;
  readonly description: string;
  readonly weightBytes: number;
  readonly peakBytes: number | undefined;
  readonly rounds: readonly Round[];
}

/** An engine that gave no figures, and why. */
export interface NotRun {
  readonly name: string;
  readonly reason: string;
}

export interface ModelResult {
  readonly model: string;
  readonly threads: number;
  readonly engines: readonly EngineResult[];
  readonly notRun: readonly NotRun[];
}

export interface SpeechResult {
  readonly model: string;
  readonly threads: number;
  readonly files: number;
  readonly seconds: number;
  readonly engines: readonly {
    readonly name: string;
    readonly wallMs: number;
    readonly firstSegmentMs: number;
    readonly wordErrorRate: number;
    readonly texts: readonly string[];
  }[];
  readonly notRun: readonly NotRun[];
}

export interface BenchReport {
  readonly machine: Machine;
  readonly startedAt: string;
  /** Before the first and after the last round. */
  readonly loadAverage: readonly [number, number];
  readonly models: readonly ModelResult[];
  readonly speech: readonly SpeechResult[];
}

export function median(rounds: readonly Round[], measure: keyof Round): number {
  return quantile(rounds, measure, 0.5);
}

/** How far apart the quarters of the windows' times lie, over their median: 0 on a machine where nothing else runs. */
export function spread(rounds: readonly Round[]): number {
  return (quantile(rounds, "window", 0.75) - quantile(rounds, "window", 0.25)) / median(rounds, "window");
}

function quantile(rounds: readonly Round[], measure: keyof Round, share: number): number {
  const sorted = rounds.map((round) => round[measure]).sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)] ?? Number.NaN, sorted[Math.ceil(at)] ?? Number.NaN];
  return below + (above - below) * (at - Math.floor(at));
}
