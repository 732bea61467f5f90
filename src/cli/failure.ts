// How an error reads on the terminal, and whether it ends the command.
import process from "node:process";
import { ConfigError, InferenceError, PlatformError, UserError } from "../core/errors.ts";
import type { Io } from "./io.ts";

/** Errors whose message is a sentence for the person at the terminal. */
export function isExplained(error: unknown): error is UserError | InferenceError | ConfigError | PlatformError {
  return [UserError, InferenceError, ConfigError, PlatformError].some((kind) => error instanceof kind);
}

/** One sentence; for a bug with EARSHOT_DEBUG=1 the stack as well. */
export function describeFailure(error: unknown, env: Io["env"]): string {
  const isDebugging = env["EARSHOT_DEBUG"] === "1";
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (isExplained(error)) return isDebugging ? stack : error.message;
  if (isDebugging) return stack;
  const message = error instanceof Error ? error.message : String(error);
  return (
    `This is a bug in Earshot (${message.split("\n")[0]}): run the command again with EARSHOT_DEBUG=1 ` +
    `and report what it prints, with Node ${process.version} on ${process.platform} ${process.arch}.`
  );
}

/** Whether the next recording may do better. */
export function concernsOneFile(error: unknown): boolean {
  if (error instanceof UserError) return error.code !== "prompt_too_long" && error.code !== "unsupported_language";
  if (error instanceof InferenceError) return error.code === "out_of_memory" || error.code === "child_died";
  return true;
}
