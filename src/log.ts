// The gateway's log: one line of JSON for each event, without transcript text, file names or tokens.
import { pino } from "pino";
import type { GatewayEvent, Observe } from "./core/ports.ts";
import type { Secret } from "./core/secret.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Log {
  readonly observe: Observe;
  info(message: string): void;
  warn(message: string): void;
}

export interface LogOptions {
  /** Names of recordings, and sentences that quote them, are written too. */
  readonly names?: boolean;
  /** What is never to stand in any line, wherever it comes from. */
  readonly secrets?: readonly Secret[];
}

export function createLog(
  level: LogLevel,
  destination: { write(line: string): void },
  { names = false, secrets = [] }: LogOptions = {},
): Log {
  const clean = {
    write: (line: string) =>
      destination.write(secrets.reduce((text, secret) => text.replaceAll(secret.reveal(), "[secret]"), line)),
  };
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, clean);
  return {
    observe(event) {
      const { level, message, fields } = lineOf(event, names);
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

function lineOf(event: GatewayEvent, names: boolean): Line {
  if (event.kind === "unexpected") {
    return { level: "error", message: `unexpected in ${event.where}`, fields: errorFields(event.error, names) };
  }
  if (event.kind === "platform_back")
    return { level: "info", message: event.kind, fields: { platform: event.platform } };
  if (event.kind === "platform_away") {
    const { platform, nextTryMs, error } = event;
    return { level: "warn", message: event.kind, fields: { platform, nextTryMs, ...errorFields(error, names) } };
  }
  const { id: jobId, attempt, recording } = event.job;
  const fields = {
    ...{ jobId, platform: recording.place.platform },
    ...(names ? { name: recording.name } : {}),
  };
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
        fields: { ...fields, attempt, code: event.code, ...errorFields(event.error, names) },
      };
    case "job_failed":
      return {
        level: "error",
        message: event.kind,
        fields: { ...fields, attempt, code: event.code, ...errorFields(event.error, names) },
      };
    default:
      return event satisfies never;
  }
}

/** What a message quotes may be a file name, or a piece of what could not be read, so it stays out. */
const QUOTING = ["UserError", "SyntaxError", "ZodError"];
const EXPLAINED = ["UserError", "PlatformError", "InferenceError", "ConfigError"];

function errorFields(error: unknown, names: boolean): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { error: typeof error };
  const { name, message, stack = "" } = error;
  // The stack begins with the message.
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  return {
    error: name,
    ...(names || !QUOTING.includes(name) ? { reason: message } : {}),
    ...(EXPLAINED.includes(name) ? {} : { stack: frames.join("\n") }),
  };
}
