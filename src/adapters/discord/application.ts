// What the bot's token says of its application, and the link that invites it.
import { type APIApplication, type APIUser, ApplicationFlags, type REST, Routes } from "discord.js";
import { platformCall } from "./errors.ts";
import { NEEDED_PERMISSIONS } from "./permissions.ts";

export interface Application {
  readonly id: string;
  readonly botId: string;
  readonly botName: string;
  /** The Message Content intent is granted. */
  readonly readsMessages: boolean;
  /** Servers that the bot is in, as Discord counts them. */
  readonly guildCount: number | undefined;
}

/** @throws PlatformError unauthorized, unavailable */
export async function fetchApplication(rest: REST): Promise<Application> {
  const [application, user] = await platformCall("the bot's token", () =>
    Promise.all([rest.get(Routes.currentApplication()), rest.get(Routes.user())]),
  );
  const { id, flags = 0, approximate_guild_count: guildCount } = application as APIApplication;
  const { id: botId, username: botName } = user as APIUser;
  const granted = ApplicationFlags.GatewayMessageContent | ApplicationFlags.GatewayMessageContentLimited;
  return { id, botId, botName, readsMessages: (flags & granted) !== 0, guildCount };
}

export function inviteUrl(applicationId: string): string {
  const query = new URLSearchParams({
    client_id: applicationId,
    scope: "bot applications.commands",
    permissions: String(NEEDED_PERMISSIONS),
  });
  return `https://discord.com/oauth2/authorize?${query}`;
}
