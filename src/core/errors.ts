// The error classes, each with a code; the class says who is told and whether trying again can help.

export type UserErrorCode =
  | "no_audio"
  | "unreadable"
  | "too_long"
  | "too_large"
  | "not_found"
  | "not_writable"
  | "prompt_too_long"
  | "unsupported_language"
  | "bad_option";

export type InferenceErrorCode =
  | "out_of_memory"
  | "child_died"
  | "model_missing"
  | "model_broken"
  | "download_failed"
  | "no_ffmpeg"
  | "no_device"
  | "disk_full";

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

/** Settings that cannot be used; lists every problem at once, each naming its setting. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}
