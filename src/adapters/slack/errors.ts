// What Slack refuses or does not answer -> PlatformError, by its error codes.
import { webApi } from "@slack/bolt";
import { PlatformError, type PlatformErrorCode } from "../../core/errors.ts";

const { WebAPIHTTPError, WebAPIPlatformError, WebAPIRateLimitedError, WebAPIRequestError } = webApi;

/** Ref: the lists of errors in the reference of each method; what stands in no line here is "rejected". */
const CODES: Readonly<Record<PlatformErrorCode, readonly string[]>> = {
  unauthorized: [
    "account_inactive",
    "invalid_auth",
    "not_authed",
    "org_login_required",
    "team_access_not_granted",
    "token_expired",
    "token_revoked",
  ],
  forbidden: [
    "access_denied",
    "cannot_dm_bot",
    "channel_not_found",
    "ekm_access_denied",
    "enterprise_is_restricted",
    "file_sharing_restricted",
    "is_archived",
    "missing_scope",
    "no_permission",
    "not_allowed_token_type",
    "not_in_channel",
    "posting_to_general_channel_denied",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_locked",
    "restricted_action_thread_only_channel",
    "slack_connect_file_link_sharing_blocked",
    "user_disabled",
    "user_not_in_channel",
  ],
  gone: ["cant_update_message", "edit_window_closed", "file_deleted", "file_not_found", "message_not_found"],
  rate_limited: ["message_limit_exceeded", "ratelimited", "rate_limited"],
  unavailable: ["fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"],
  rejected: [],
};

/** What an operator can do about it. */
const REMEDIES: Readonly<Record<string, string>> = {
  account_inactive: "The app was removed from the workspace. Install it again and set the new SLACK_BOT_TOKEN.",
  channel_not_found: "Earshot was removed from the channel, or the channel is no more. Invite it: /invite @Earshot",
  enterprise_is_restricted: "The workspace keeps its files from apps. Its owner can allow Earshot.",
  file_sharing_restricted: "The workspace restricts its files. Its owner can allow Earshot.",
  invalid_auth: "The token is wrong. Set SLACK_BOT_TOKEN to the one under OAuth & Permissions.",
  is_archived: "The channel was archived.",
  not_in_channel: "Earshot was removed from the channel. Invite it: /invite @Earshot",
  token_revoked: "The token was revoked. Install the app again and set the new SLACK_BOT_TOKEN.",
};

export const SCOPE_PLACE = "at https://api.slack.com/apps under OAuth & Permissions, and install the app again";

/** The same error as the core knows it; what is no failure of Slack's is given back as it is. */
export function asPlatformError(error: unknown, doing: string): unknown {
  if (error instanceof PlatformError) return error;
  if (error instanceof WebAPIPlatformError) return refusal(error.data, doing, error);
  if (error instanceof WebAPIRateLimitedError) {
    const retryAfterMs = error.retryAfter * 1000;
    return new PlatformError("rate_limited", `Slack asks to wait before ${doing}.`, { cause: error, retryAfterMs });
  }
  if (error instanceof WebAPIHTTPError) {
    const { statusCode } = error;
    const code = statusCode >= 500 ? "unavailable" : statusCode === 401 ? "unauthorized" : "rejected";
    return new PlatformError(code, `Slack answered ${statusCode} to ${doing}.`, { cause: error });
  }
  if (error instanceof WebAPIRequestError) {
    return new PlatformError("unavailable", `Slack did not answer to ${doing}.`, { cause: error });
  }
  return error;
}

function refusal(
  { error, ...more }: { readonly error: string; readonly needed?: unknown },
  doing: string,
  cause: Error,
): PlatformError {
  const code = (Object.keys(CODES) as PlatformErrorCode[]).find((each) => CODES[each].includes(error)) ?? "rejected";
  const remedy =
    error === "missing_scope" ? `Add the scope ${String(more.needed ?? "it needs")} ${SCOPE_PLACE}.` : REMEDIES[error];
  return new PlatformError(code, `Slack refused ${doing}: ${error}.${remedy === undefined ? "" : ` ${remedy}`}`, {
    cause,
  });
}

/** Slack's own word for a refusal. */
export function slackCode(error: unknown): string | undefined {
  const cause = error instanceof PlatformError ? error.cause : error;
  return cause instanceof WebAPIPlatformError ? cause.data.error : undefined;
}
