// Why the inference child ended, as an error for those whose questions it leaves unanswered.
import { InferenceError, type InferenceErrorCode } from "../core/errors.ts";

/** Why it was killed from here: what stands after "The engine was stopped:". */
export interface KillReason {
  readonly code: Extract<InferenceErrorCode, "child_died" | "out_of_memory">;
  readonly why: string;
}

export interface Death {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last that it wrote to stderr. */
  readonly complaint: string;
  /** Processes that the kernel has killed for want of memory while the child lived. */
  readonly oomKills: number;
  readonly killedFor?: KillReason | undefined;
}

export function deathError({ exitCode, signal, complaint, oomKills, killedFor }: Death): InferenceError {
  if (killedFor !== undefined) return new InferenceError(killedFor.code, `The engine was stopped: ${killedFor.why}.`);
  const how = signal ?? `exit code ${exitCode}`;
  // The words of V8 and of C++'s allocator, before they abort the process.
  const ranOut = /heap out of memory|bad_alloc|Failed to allocate memory/i.test(complaint);
  if (ranOut || (signal === "SIGKILL" && oomKills > 0)) {
    return new InferenceError(
      "out_of_memory",
      `The engine ran out of memory (${how}): use a smaller model, or give the machine more memory.`,
    );
  }
  const last = complaint.trim().split("\n").at(-1) ?? "";
  return new InferenceError("child_died", `The engine ended by itself (${how})${last === "" ? "." : `: ${last}`}`);
}
