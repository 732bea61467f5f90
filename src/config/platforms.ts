// What the configuration says of each chat platform, and what is missing where only a part of it was given.
import type { CloudName } from "../adapters/teams/graph/clouds.ts";
import type { Secret } from "../core/secret.ts";
import { SETTINGS, type SettingValues } from "./settings.ts";

export interface SlackConfig {
  readonly botToken: Secret;
  readonly appToken?: Secret;
  readonly signingSecret?: Secret;
}

export interface DiscordConfig {
  readonly token: Secret;
  readonly guildIds?: readonly string[];
}

export interface TeamsConfig {
  /** undefined: Microsoft's Agents Playground on this machine, which signs nothing. */
  readonly app: { readonly id: string; readonly password: Secret; readonly tenant: string } | undefined;
  readonly cloud: CloudName;
  readonly publicUrl?: string;
  readonly meetings: { readonly kind: "off" | "tenant" } | { readonly kind: "installed"; readonly catalogApp: string };
}

export function slackOf(values: SettingValues, problems: string[]): SlackConfig | undefined {
  const { slackBotToken: botToken, slackAppToken: appToken, slackSigningSecret: signingSecret } = values;
  if (botToken === undefined) {
    if (appToken ?? signingSecret) problems.push("SLACK_BOT_TOKEN is missing: Slack needs it beside the other token.");
    return undefined;
  }
  if (appToken === undefined && signingSecret === undefined) {
    problems.push("SLACK_APP_TOKEN is missing (Socket Mode), or SLACK_SIGNING_SECRET for the Events API.");
    return undefined;
  }
  return {
    botToken,
    ...(appToken === undefined ? {} : { appToken }),
    ...(signingSecret === undefined ? {} : { signingSecret }),
  };
}

export function discordOf(
  { discordToken: token, discordGuilds }: SettingValues,
  problems: string[],
): DiscordConfig | undefined {
  if (token === undefined) {
    if (discordGuilds !== undefined) problems.push("DISCORD_TOKEN is missing: DISCORD_GUILDS does nothing without it.");
    return undefined;
  }
  return discordGuilds === undefined ? { token } : { token, guildIds: discordGuilds.split(",") };
}

const TEAMS_NEEDS = ["teamsAppId", "teamsAppPassword", "teamsTenantId"] as const;
const TEAMS_MAY = ["teamsCloud", "teamsPublicUrl", "teamsMeetings", "teamsCatalogApp"] as const;

export function teamsOf(values: SettingValues, isLocal: boolean, problems: string[]): TeamsConfig | undefined {
  const { teamsAppId: id, teamsAppPassword: password, teamsTenantId: tenant, teamsPublicUrl: url } = values;
  const given = TEAMS_NEEDS.filter((name) => values[name] !== undefined);
  if (values.teamsPlayground) {
    if (given.length > 0)
      problems.push("TEAMS_PLAYGROUND takes unsigned messages: set it without the TEAMS_… of a real app.");
    if (!isLocal) problems.push("TEAMS_PLAYGROUND takes unsigned messages: leave EARSHOT_HOST at 127.0.0.1.");
    return { app: undefined, cloud: "global", meetings: { kind: "off" } };
  }
  if (given.length === 0 && TEAMS_MAY.every((name) => values[name] === undefined)) return undefined;
  for (const name of TEAMS_NEEDS.filter((each) => values[each] === undefined)) {
    problems.push(
      `${SETTINGS[name].variable} is missing: Teams needs ${SETTINGS[name].help}. docs/teams.md says where it is.`,
    );
  }
  const kind = values.teamsMeetings ?? (url === undefined ? "off" : "tenant");
  const { teamsCatalogApp: catalogApp = "" } = values;
  if (kind === "installed" && catalogApp === "") {
    problems.push(
      "TEAMS_CATALOG_APP is missing: TEAMS_MEETINGS=installed needs the app's id in your organization's catalog.",
    );
  }
  if (id === undefined || password === undefined || tenant === undefined) return undefined;
  return {
    app: { id: id.toLowerCase(), password, tenant: tenant.toLowerCase() },
    cloud: values.teamsCloud ?? "global",
    ...(url === undefined ? {} : { publicUrl: url.replace(/\/$/, "") }),
    meetings: kind === "installed" ? { kind, catalogApp } : { kind },
  };
}

/** As the Slack adapter takes them. */
export function revealedSlack({ botToken, appToken, signingSecret }: SlackConfig) {
  return {
    botToken: botToken.reveal(),
    ...(appToken === undefined ? {} : { appToken: appToken.reveal() }),
    ...(signingSecret === undefined ? {} : { signingSecret: signingSecret.reveal() }),
  };
}

/** As the Teams adapter takes it. */
export function revealedApp({ app }: TeamsConfig) {
  return app && { ...app, password: app.password.reveal() };
}
