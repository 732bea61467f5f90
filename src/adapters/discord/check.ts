// Whether Discord takes the bot's token, what the application may read, and whether anybody invited it.
import { PlatformError } from "../../core/errors.ts";
import { fetchApplication, inviteUrl } from "./application.ts";
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
    const { id, botName, readsMessages, guildCount } = await fetchApplication(rest);
    const content = readsMessages
      ? "reads messages, so recordings are taken as they are posted"
      : "may not read messages (Message Content intent): recordings are taken when asked for";
    const finding = `signed in as ${botName}; ${content}`;
    return guildCount === 0
      ? { finding: `${finding}; in no server`, remedy: `invite it: ${inviteUrl(id)}` }
      : { finding };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const remedy =
      error.code === "unauthorized"
        ? "copy the token anew from the developer portal into DISCORD_TOKEN"
        : "check the network, then run this again";
    return { finding: error.message, remedy };
  }
}
