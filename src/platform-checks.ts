// What `earshot doctor` says of the chat platforms that are set up: whether their tokens are taken, and what is missing.
import { checkDiscord } from "./adapters/discord/check.ts";
import type { Config } from "./config.ts";

export interface PlatformFinding {
  readonly name: string;
  readonly finding: string;
  /** Present when something must be mended. */
  readonly remedy?: string;
}

export async function checkPlatforms(config: Config): Promise<PlatformFinding[]> {
  if (config.discord === undefined) {
    return [{ name: "discord", finding: "not set up (DISCORD_TOKEN); docs/discord.md says how" }];
  }
  return [{ name: "discord", ...(await checkDiscord({ token: config.discord.token.reveal() })) }];
}
