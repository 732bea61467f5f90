// The error classes, each with a code; the class says who is told and whether trying again can help.

export type UserErrorCode =
  | "no_audio"
  | "unreadable"
  | "too_long"
  | "too_large"
  | "over_quota"
  | "not_found"
  | "not_writable"
  | "prompt_too_long"
  | "unsupported_language"
  | "bad_option"
  | "not_allowed"
  | "unknown_command";

export type PlatformErrorCode =
  /** The token is wrong or revoked. */
  | "unauthorized"
  /** A permission is missing. */
  | "forbidden"
  /** The file or message is not there any more. */
  | "gone"
  | "rate_limited"
  | "unavailable"
  /** The platform does not take this reply, such as for its size. */
  | "rejected";

export type InferenceErrorCode =
  | "out_of_memory"
  | "child_died"
  /** The engine ended with several recordings in it: another one may be the cause, and this is no attempt of its own. */
  | "child_shared"
  | "model_missing"
  | "model_broken"
  | "download_failed"
  | "no_ffmpeg"
  | "no_device"
  | "disk_full"
  /** It ended one machine of the pool after the other. */
  | "poisoned"
  | "database_locked";

/** Something the user can mend. The message is a sentence that says what to do next. */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly code: UserErrorCode;
  constructor(code: UserErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Something wrong with the machine or the model files, which the operator can mend. The message says how. */
export class InferenceError extends Error {
  override readonly name = "InferenceError";
  readonly code: InferenceErrorCode;
  constructor(code: InferenceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Something that a chat platform refused or did not answer. The message is a sentence for the operator's log. */
export class PlatformError extends Error {
  override readonly name = "PlatformError";
  readonly code: PlatformErrorCode;
  /** What the platform asks to wait before the next try. */
  readonly retryAfterMs: number | undefined;
  constructor(code: PlatformErrorCode, message: string, options?: ErrorOptions & { readonly retryAfterMs?: number }) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** Settings that cannot be used; lists every problem at once, each naming its setting. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** The gateway stops: what runs is wanted again at its next start. */
export class Stopping extends Error {
  override readonly name = "Stopping";
}

/** What happens next with a job that met an error. */
export type Disposition =
  | { readonly kind: "retry"; readonly afterMs: number | undefined; readonly isBug: boolean }
  /** `tells` the user why in the error's own words, or only that it failed. */
  | { readonly kind: "final"; readonly tellsUser: boolean };

/** Retry, tell the user, or tell the operator: by class and code, never by the message's text. */
export function dispositionOf(error: unknown): Disposition {
  if (error instanceof UserError) return { kind: "final", tellsUser: true };
  if (error instanceof PlatformError) {
    return error.code === "rate_limited" || error.code === "unavailable"
      ? { kind: "retry", afterMs: error.retryAfterMs, isBug: false }
      : { kind: "final", tellsUser: false };
  }
  if (error instanceof InferenceError) {
    return ["out_of_memory", "child_died", "child_shared", "disk_full", "database_locked"].includes(error.code)
      ? { kind: "retry", afterMs: undefined, isBug: false }
      : { kind: "final", tellsUser: false };
  }
  if (error instanceof ConfigError) return { kind: "final", tellsUser: false };
  return { kind: "retry", afterMs: undefined, isBug: true };
}
