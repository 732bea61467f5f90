// What the Bot Connector refuses or does not answer -> PlatformError, by status and error code.
import { PlatformError, type PlatformErrorCode } from "../../core/errors.ts";
import { retryAfterOf } from "./graph/errors.ts";

/** The Bot Connector's own words for a refusal, without its message, which may quote what was sent. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  /** Such as "BotNotInConversationRoster"; "" where the answer told none. */
  readonly code: string;
  constructor(status: number, code: string) {
    super(`${status} ${code}`.trim());
    this.status = status;
    this.code = code;
  }
}

/** Ref: Teams, "Status codes from bot conversational APIs" */
const STATUSES: Readonly<Record<number, PlatformErrorCode>> = {
  401: "unauthorized",
  403: "forbidden",
  404: "gone",
  408: "unavailable",
  // Another call changed the conversation meanwhile.
  412: "unavailable",
  429: "rate_limited",
};
const CODES: Readonly<Record<string, PlatformErrorCode>> = {
  // 404, and yet no message is gone: the bot is not there.
  BotNotInConversationRoster: "forbidden",
  ConversationBlockedByUser: "forbidden",
  ConversationNotFound: "forbidden",
  ActivityNotFoundInConversation: "gone",
  BotDisabledByAdmin: "forbidden",
  MessageSizeTooBig: "rejected",
};
/** What an operator can do about it. */
const REMEDIES: Readonly<Record<string, string>> = {
  BotDisabledByAdmin: "An administrator of Teams switched the app off.",
  BotNotInConversationRoster: "Earshot was removed from the conversation, or was never in it. Add it there.",
  ConversationBlockedByUser: "The person blocked Earshot.",
};

/** @throws nothing: gives the error to throw */
export function refusedBy(response: Response, body: string): PlatformError {
  const { status } = response;
  const word = codeIn(body);
  const code = CODES[word] ?? STATUSES[status] ?? (status >= 500 ? "unavailable" : "rejected");
  const remedy =
    REMEDIES[word] ?? (status === 401 ? "Check TEAMS_APP_ID, TEAMS_APP_PASSWORD and TEAMS_TENANT_ID." : "");
  const text = `Teams answered ${status}${word === "" ? "" : `, ${word}`}. ${remedy}`.trim();
  const retryAfterMs = retryAfterOf(response);
  const cause = new Refusal(status, word);
  return new PlatformError(code, text, { cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}

export function unanswered(error: unknown): PlatformError {
  // The network's own errors can carry the address and more; the code is all that is told.
  const inner = error instanceof Error ? error.cause : undefined;
  const codes = [error, inner].map((each) => (each instanceof Error && "code" in each ? String(each.code) : ""));
  const code = codes.find((each) => /^[A-Z_]{3,40}$/.test(each));
  return new PlatformError("unavailable", `Teams did not answer${code === undefined ? "" : ` (${code})`}.`);
}

/** The call was refused before anything was done, so that it can be made again at once. */
export function wasNotDone(error: unknown): boolean {
  return error instanceof PlatformError && error.cause instanceof Refusal && error.cause.status < 500;
}

export function statusOf(error: unknown): number | undefined {
  return error instanceof PlatformError && error.cause instanceof Refusal ? error.cause.status : undefined;
}

function codeIn(body: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return "";
  }
  const { error } = (typeof parsed === "object" && parsed !== null ? parsed : {}) as { error?: unknown };
  const { code } = (typeof error === "object" && error !== null ? error : {}) as { code?: unknown };
  return typeof code === "string" && /^[\w.-]{1,80}$/.test(code) ? code : "";
}
