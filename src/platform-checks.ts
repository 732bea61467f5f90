// What `earshot doctor` says of the chat platforms: whether their tokens are taken, and what is missing.
import { checkDiscord } from "./adapters/discord/check.ts";
import { checkSlack } from "./adapters/slack/check.ts";
import { checkTeams } from "./adapters/teams/check.ts";
import { revealedApp } from "./config/platforms.ts";
import type { Config } from "./config.ts";

export interface PlatformFinding {
  readonly name: string;
  readonly finding: string;
  /** Present when something must be mended. */
  readonly remedy?: string;
}

export async function checkPlatforms({ slack, discord, teams }: Config): Promise<PlatformFinding[]> {
  return [
    slack === undefined
      ? { name: "slack", finding: "not set up (SLACK_BOT_TOKEN); docs/slack.md says how" }
      : { name: "slack", ...(await checkSlack({ botToken: slack.botToken.reveal() })) },
    discord === undefined
      ? { name: "discord", finding: "not set up (DISCORD_TOKEN); docs/discord.md says how" }
      : { name: "discord", ...(await checkDiscord({ token: discord.token.reveal() })) },
    ...(teams === undefined
      ? [{ name: "teams", finding: "not set up (TEAMS_APP_ID); docs/teams.md says how" }]
      : (await checkTeams({ ...teams, app: revealedApp(teams) })).map((found) => ({ name: "teams", ...found }))),
  ];
}
