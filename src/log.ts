// The gateway's log: one line of JSON for each event, without transcript text, file names or tokens.
import { pino } from "pino";
import type { GatewayEvent, Observe } from "./core/ports.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Log {
  readonly observe: Observe;
  info(message: string): void;
  warn(message: string): void;
}

export function createLog(level: LogLevel, destination: { write(line: string): void }): Log {
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return {
    observe(event) {
      const { level, message, fields } = lineOf(event);
      log[level](fields, message);
    },
    info: (message) => log.info(message),
    warn: (message) => log.warn(message),
  };
}

interface Line {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function lineOf(event: GatewayEvent): Line {
  if (event.kind === "unexpected") {
    return { level: "error", message: `unexpected in ${event.where}`, fields: errorFields(event.error) };
  }
  if (event.kind === "platform_back")
    return { level: "info", message: event.kind, fields: { platform: event.platform } };
  if (event.kind === "platform_away") {
    const { platform, nextTryMs, error } = event;
    return { level: "warn", message: event.kind, fields: { platform, nextTryMs, ...errorFields(error) } };
  }
  const { id: jobId, attempt, recording } = event.job;
  const fields = { jobId, platform: recording.place.platform };
  switch (event.kind) {
    case "job_added":
    case "job_cancelled":
      return { level: "info", message: event.kind, fields };
    case "job_started":
      return { level: "info", message: event.kind, fields: { ...fields, attempt, waitMs: event.waitMs } };
    case "job_done": {
      const { audioSeconds, workMs, waitMs, model, device } = event;
      return { level: "info", message: event.kind, fields: { ...fields, audioSeconds, workMs, waitMs, model, device } };
    }
    case "job_retried":
      return {
        level: "warn",
        message: event.kind,
        fields: { ...fields, attempt, code: event.code, ...errorFields(event.error) },
      };
    case "job_failed":
      return {
        level: "error",
        message: event.kind,
        fields: { ...fields, attempt, code: event.code, ...errorFields(event.error) },
      };
    default:
      return event satisfies never;
  }
}

/** The stack only says where; what a message of a UserError quotes may be a file name, so it stays out. */
function errorFields(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { error: typeof error };
  if (error.name === "UserError") return { error: error.name };
  const isBug = !["PlatformError", "InferenceError", "ConfigError"].includes(error.name);
  return { error: error.name, reason: error.message, ...(isBug ? { stack: error.stack } : {}) };
}
