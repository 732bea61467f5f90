// How much of the pool's work was lost with machines that died, by what the logs tell and when they died.
import type { LogEntry } from "../../src/inference/pool/protocol.ts";

export interface TimedEntry {
  readonly entry: LogEntry;
  readonly atMs: number;
}

/**
 * Of use is the time up to each finished window. Lost is what a machine did between its last entry and its death, or the
 * next one's beginning where it was only taken for dead: at most, since it may have waited for its turn in that time.
 */
export function wasteOf(
  logs: readonly (readonly TimedEntry[])[],
  killedAtMs: ReadonlyMap<string, number>,
): { readonly usefulMs: number; readonly wastedMs: number; readonly deliveries: number } {
  let usefulMs = 0;
  let wastedMs = 0;
  let deliveries = 0;
  for (const log of logs) {
    let machine: { readonly name: string; lastMs: number } | undefined;
    for (const { entry, atMs } of log) {
      if (entry.kind === "began") {
        deliveries++;
        if (machine !== undefined) {
          const diedAtMs = killedAtMs.get(machine.name) ?? Number.POSITIVE_INFINITY;
          wastedMs += Math.max(0, Math.min(diedAtMs, atMs) - machine.lastMs);
        }
        machine = { name: entry.worker, lastMs: atMs };
      } else if (machine !== undefined) {
        if (entry.kind === "window" || entry.kind === "heard") usefulMs += atMs - machine.lastMs;
        machine.lastMs = atMs;
      }
    }
  }
  return { usefulMs, wastedMs, deliveries };
}
