// What Discord refuses or does not answer -> PlatformError, by status and error code.
import { DiscordAPIError, HTTPError, RateLimitError, RESTJSONErrorCodes } from "discord.js";
import { PlatformError, type PlatformErrorCode } from "../../core/errors.ts";

/** Codes that say more than their HTTP status. Ref: Discord, "Opcodes and Status Codes", JSON error codes */
const CODES: Readonly<Record<number, PlatformErrorCode>> = {
  [RESTJSONErrorCodes.MissingAccess]: "forbidden",
  [RESTJSONErrorCodes.MissingPermissions]: "forbidden",
  [RESTJSONErrorCodes.CannotSendMessagesToThisUser]: "forbidden",
  // 401 with this code is the end of an interaction's 15 minutes, not of the bot's token.
  [RESTJSONErrorCodes.InvalidWebhookToken]: "gone",
  [RESTJSONErrorCodes.RequestEntityTooLarge]: "rejected",
};

/** Network failures by their Node code; undici puts it into the cause. */
const NETWORK = /^(ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|UND_ERR_)/;

/** The same error as the core knows it; what is no failure of Discord's is given back as it is. */
export function asPlatformError(error: unknown, doing: string): unknown {
  if (error instanceof PlatformError) return error;
  if (error instanceof RateLimitError) {
    const retryAfterMs = error.retryAfter;
    return new PlatformError("rate_limited", `Discord asks to wait before ${doing}.`, { cause: error, retryAfterMs });
  }
  if (error instanceof DiscordAPIError || error instanceof HTTPError) scrub(error);
  if (error instanceof DiscordAPIError) {
    const code = CODES[Number(error.code)] ?? codeOfStatus(error.status);
    return new PlatformError(code, `Discord refused ${doing}: ${error.status}, code ${error.code}.`, { cause: error });
  }
  if (error instanceof HTTPError) {
    return new PlatformError(codeOfStatus(error.status), `Discord answered ${error.status} to ${doing}.`, {
      cause: error,
    });
  }
  if (isNetworkError(error)) {
    return new PlatformError("unavailable", `Discord did not answer to ${doing}.`, { cause: error });
  }
  return error;
}

/** @throws PlatformError instead of discord.js's own errors */
export async function platformCall<Result>(doing: string, call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    throw asPlatformError(error, doing);
  }
}

export function hasCode(error: unknown, ...codes: readonly RESTJSONErrorCodes[]): boolean {
  const cause = error instanceof PlatformError ? error.cause : error;
  return cause instanceof DiscordAPIError && codes.some((code) => code === cause.code);
}

/** Bigger than what may be uploaded there. */
export function isTooLarge(error: unknown): boolean {
  const cause = error instanceof PlatformError ? error.cause : error;
  return (
    hasCode(error, RESTJSONErrorCodes.RequestEntityTooLarge) ||
    ((cause instanceof HTTPError || cause instanceof DiscordAPIError) && cause.status === 413)
  );
}

/** An error that is logged must not carry the token in an interaction's address, nor what was said. */
function scrub(error: DiscordAPIError | HTTPError): void {
  error.url = error.url.replace(/\/(interactions|webhooks)\/(\d+)\/[^/?]+/, "/$1/$2/[secret]").replace(/\?.*$/, "");
  error.requestBody = { files: undefined, json: undefined };
}

function codeOfStatus(status: number): PlatformErrorCode {
  if (status === 401) return "unauthorized";
  if (status === 403) return "forbidden";
  if (status === 404) return "gone";
  if (status === 429) return "rate_limited";
  return status >= 500 ? "unavailable" : "rejected";
}

function isNetworkError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === "AbortError" || error.name === "TimeoutError") return true;
  const codes = [error, error.cause].map((each) => (each instanceof Error && "code" in each ? String(each.code) : ""));
  return codes.some((code) => NETWORK.test(code));
}
