// Whether Slack takes the bot's token, and which scopes of the manifest it lacks.
import { webApi } from "@slack/bolt";
import { PlatformError } from "../../core/errors.ts";
import { createCalls } from "./calls.ts";
import { SCOPE_PLACE } from "./errors.ts";

export interface SlackFinding {
  readonly finding: string;
  readonly remedy?: string;
}

/** As slack-manifest.yaml asks for them. */
export const SCOPES = [
  ...["app_mentions:read", "channels:history", "channels:read", "chat:write", "commands", "files:read", "files:write"],
  ...["groups:history", "groups:read", "im:history", "im:read", "im:write", "mpim:history", "mpim:read"],
  ...["reactions:write", "users:read"],
] as const;

/** @param options `apiUrl`: base URL of a local counterpart, in tests */
export async function checkSlack(options: {
  readonly botToken: string;
  readonly apiUrl?: string;
}): Promise<SlackFinding> {
  const { botToken, apiUrl } = options;
  const quiet = { ...(apiUrl === undefined ? {} : { slackApiUrl: apiUrl }), retryConfig: { retries: 0 } };
  const client = new webApi.WebClient(botToken, { ...quiet, logLevel: webApi.LogLevel.ERROR });
  try {
    const told = await createCalls({ postEveryMs: 0, now: Date.now }).call("the bot's token", () => client.auth.test());
    const finding = `signed in as ${told.user} in ${told.team}`;
    const granted = told.response_metadata?.scopes ?? [];
    const missing = granted.length === 0 ? [] : SCOPES.filter((scope) => !granted.includes(scope));
    return missing.length === 0
      ? { finding }
      : { finding: `${finding}, without ${missing.join(", ")}`, remedy: `add them ${SCOPE_PLACE}` };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const remedy =
      error.code === "unauthorized"
        ? "copy the token anew from the app's page, OAuth & Permissions, into SLACK_BOT_TOKEN"
        : "check the network, then run this again";
    return { finding: error.message, remedy };
  }
}
