// The SDK's own log: its errors go where Earshot's go, all else is left out, since it may hold what people wrote.
import { type Logger, LogLevel } from "@slack/bolt";
import type { Observe } from "../../core/ports.ts";

export type BoltLogger = Logger;

export function createBoltLogger(observe: Observe): BoltLogger {
  let level: LogLevel = LogLevel.ERROR;
  return {
    debug() {},
    info() {},
    warn() {},
    error(...words: unknown[]) {
      const error = words.find((word) => word instanceof Error) ?? new Error(words.map(String).join(" "));
      observe({ kind: "unexpected", where: "Slack's SDK", error });
    },
    setLevel(wanted) {
      level = wanted;
    },
    getLevel: () => level,
    setName() {},
  };
}
