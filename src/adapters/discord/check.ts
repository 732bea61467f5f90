// Whether Discord takes the bot's token, and what the application may read.
import { type APIApplication, type APIUser, ApplicationFlags, Routes } from "discord.js";
import { PlatformError } from "../../core/errors.ts";
import { platformCall } from "./errors.ts";
import { createRest } from "./rest.ts";

export interface DiscordFinding {
  readonly finding: string;
  readonly remedy?: string;
}

/** @param options `api`: base URL of a local counterpart, in tests */
export async function checkDiscord(options: {
  readonly token: string;
  readonly api?: string;
}): Promise<DiscordFinding> {
  const { rest } = createRest({ ...options, now: Date.now });
  try {
    const [user, application] = await platformCall("the bot's token", () =>
      Promise.all([rest.get(Routes.user()), rest.get(Routes.currentApplication())]),
    );
    const { username } = user as APIUser;
    const { flags = 0 } = application as APIApplication;
    const granted = ApplicationFlags.GatewayMessageContent | ApplicationFlags.GatewayMessageContentLimited;
    const reads = (flags & granted) !== 0;
    const content = reads
      ? "reads messages, so recordings are taken as they are posted"
      : "may not read messages (MESSAGE CONTENT intent): recordings are taken when asked for";
    return { finding: `signed in as ${username}; ${content}` };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const remedy =
      error.code === "unauthorized"
        ? "copy the token anew from the developer portal into DISCORD_TOKEN"
        : "check the network, then run this again";
    return { finding: error.message, remedy };
  }
}
