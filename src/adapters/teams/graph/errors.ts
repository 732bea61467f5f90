// What Graph refuses or does not answer -> PlatformError, by status and error code.
import { PlatformError, type PlatformErrorCode } from "../../../core/errors.ts";

/** Graph's own words for a refusal, without its message, which quotes addresses and names. */
export class GraphRefusal extends Error {
  override readonly name = "GraphRefusal";
  readonly status: number;
  /** Such as "itemNotFound"; "" where the answer told none. */
  readonly code: string;
  constructor(status: number, code: string, requestId: string | undefined) {
    super(`${status} ${code}${requestId === undefined ? "" : ` (request ${requestId})`}`);
    this.status = status;
    this.code = code;
  }
}

/** Ref: Microsoft Graph, "Error responses and resource types"; OneDrive, "Error response" */
const STATUSES: Readonly<Record<number, PlatformErrorCode>> = {
  401: "unauthorized",
  402: "forbidden",
  403: "forbidden",
  404: "gone",
  408: "unavailable",
  410: "gone",
  // Somebody else changes it right now.
  412: "unavailable",
  423: "unavailable",
  429: "rate_limited",
  // Bandwidth of a SharePoint site.
  509: "rate_limited",
};
/** Codes that say more than their status. */
const CODES: Readonly<Record<string, PlatformErrorCode>> = {
  // No application access policy, which is not the token's fault: that is "InvalidAuthenticationToken".
  // Ref: Microsoft Graph, "Configure application access to online meetings"
  Unauthorized: "forbidden",
  // The drive is full, which no waiting mends.
  insufficientStorage: "rejected",
  quotaLimitReached: "rejected",
};
const MOST_RETRY_AFTER_MS = 3_600_000;

export interface Doing {
  /** Completes "Microsoft refused …": "the files of a message". */
  readonly doing: string;
  /** The permission that this takes, for the operator. */
  readonly needs?: string;
}

export function refusal(response: Response, body: unknown, { doing, needs }: Doing): PlatformError {
  const { status } = response;
  const word = codeIn(body);
  const code = CODES[word] ?? STATUSES[status] ?? (status >= 500 ? "unavailable" : "rejected");
  const cause = new GraphRefusal(status, word, response.headers.get("request-id") ?? undefined);
  const text = `Microsoft refused ${doing}: ${status}${word === "" ? "" : `, ${word}`}.`;
  const remedy =
    code === "forbidden" && needs !== undefined ? ` It takes ${needs}; docs/teams.md says who grants it.` : "";
  const retryAfterMs = retryAfterOf(response);
  return new PlatformError(code, text + remedy, { cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}

export function unanswered(cause: unknown, { doing }: Doing): PlatformError {
  return new PlatformError("unavailable", `Microsoft did not answer to ${doing}.`, { cause: withoutAddress(cause) });
}

/** Seconds, or a date. Ref: RFC 9110, 10.2.3 */
export function retryAfterOf({ status, headers }: Response, nowMs = Date.now()): number | undefined {
  const told = headers.get("retry-after");
  if (told === null) return status === 429 ? 1000 : undefined;
  const ms = /^\d+(\.\d+)?$/.test(told.trim()) ? Number(told) * 1000 : Date.parse(told) - nowMs;
  return Number.isNaN(ms) ? 1000 : Math.min(Math.max(ms, 0), MOST_RETRY_AFTER_MS);
}

export function graphStatus(error: unknown): number | undefined {
  return error instanceof PlatformError && error.cause instanceof GraphRefusal ? error.cause.status : undefined;
}

export function isRefused(error: unknown, ...codes: readonly PlatformErrorCode[]): error is PlatformError {
  return error instanceof PlatformError && codes.includes(error.code);
}

function codeIn(body: unknown): string {
  const { error } = (typeof body === "object" && body !== null ? body : {}) as { error?: unknown };
  const { code } = (typeof error === "object" && error !== null ? error : {}) as { code?: unknown };
  // It goes into a log line: a word, and nothing that somebody made up.
  return typeof code === "string" && /^[\w.-]{1,80}$/.test(code) ? code : "";
}

/** undici's errors may carry the request; its code is all that is kept. */
function withoutAddress(cause: unknown): unknown {
  if (!(cause instanceof Error)) return undefined;
  const { cause: inner } = cause;
  const code = [cause, inner]
    .map((each) => (each instanceof Error && "code" in each ? String(each.code) : ""))
    .join("");
  return new Error([cause.name, code].filter((word) => word !== "").join(" "));
}
