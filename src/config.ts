// The gateway's configuration: flags over environment over file over defaults, checked as a whole, frozen.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { CLOUD_NAMES, type CloudName } from "./adapters/teams/graph/clouds.ts";
import { editDistance, slipDistance } from "./core/edit-distance.ts";
import { ConfigError } from "./core/errors.ts";
import { Secret } from "./core/secret.ts";
import { LOG_LEVELS } from "./log.ts";
import { dataFolder } from "./storage/paths.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const wholeNumber = z.coerce.number({ error: "must be a number" }).int("must be a whole number");
const yesNo = z.union([z.boolean(), z.stringbool()], { error: "must be true or false" }).describe("true|false");
const secret = z
  .string()
  .min(1, "must not be empty")
  .transform((value) => new Secret(value));

const guid = z
  .string()
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "must be an id such as 1f3a9c00-…, with 36 signs");

/** Name in the file -> its variable, what it takes and its default. A flag is the name in kebab case. */
const SETTINGS = {
  data: { variable: "EARSHOT_DATA", kind: z.string().min(1), help: "folder for the database and recordings" },
  host: { variable: "EARSHOT_HOST", kind: z.string().min(1), help: "address of the web page and the metrics" },
  port: { variable: "EARSHOT_PORT", kind: wholeNumber.min(0).max(65_535), help: "its port; 0 takes any free one" },
  playground: { variable: "EARSHOT_PLAYGROUND", kind: yesNo, help: "serve the playground, on loopback only" },
  model: {
    variable: "EARSHOT_MODEL",
    kind: z.string().min(1),
    help: 'model for channels that chose none; "auto" takes the best',
  },
  device: {
    variable: "EARSHOT_DEVICE",
    kind: z.enum(["auto", "cuda", "webgpu", "dml", "coreml", "cpu"]),
    help: "auto, cuda, webgpu, dml, coreml or cpu",
  },
  threads: {
    variable: "EARSHOT_THREADS",
    kind: wholeNumber.min(0).max(1024),
    help: "threads of the engine; 0: it chooses",
  },
  maxMegabytes: {
    variable: "EARSHOT_MAX_MEGABYTES",
    kind: wholeNumber.min(1),
    help: "largest recording that is taken",
  },
  maxMinutes: { variable: "EARSHOT_MAX_MINUTES", kind: wholeNumber.min(1), help: "longest recording that is taken" },
  cloudPricePerMinute: {
    variable: "EARSHOT_CLOUD_PRICE",
    kind: z.coerce.number({ error: "must be a number" }).min(0),
    help: "USD a minute that /earshot stats compares with",
  },
  logLevel: { variable: "EARSHOT_LOG_LEVEL", kind: z.enum(LOG_LEVELS), help: LOG_LEVELS.join(", ") },
  slackBotToken: { variable: "SLACK_BOT_TOKEN", kind: secret, help: "xoxb-…" },
  slackAppToken: { variable: "SLACK_APP_TOKEN", kind: secret, help: "xapp-…, for Socket Mode" },
  slackSigningSecret: { variable: "SLACK_SIGNING_SECRET", kind: secret, help: "for the Events API over HTTP instead" },
  discordToken: { variable: "DISCORD_TOKEN", kind: secret, help: "the bot's token" },
  discordGuilds: {
    variable: "DISCORD_GUILDS",
    kind: z.string().regex(/^\d+(,\d+)*$/, "must be ids of servers, with commas between them"),
    help: "servers that get the commands at once, for development",
  },
  teamsAppId: { variable: "TEAMS_APP_ID", kind: guid, help: "application (client) id of the bot" },
  teamsAppPassword: { variable: "TEAMS_APP_PASSWORD", kind: secret, help: "the value of its client secret" },
  teamsTenantId: { variable: "TEAMS_TENANT_ID", kind: guid, help: "directory id of the one organization served" },
  teamsCloud: { variable: "TEAMS_CLOUD", kind: z.enum(CLOUD_NAMES), help: CLOUD_NAMES.join(", ") },
  teamsPublicUrl: {
    variable: "TEAMS_PUBLIC_URL",
    kind: z.string().regex(/^https:\/\/[^/?#\s@]+\/?$/, "must be https:// and a host, without a path"),
    help: "where Microsoft reaches this server, for meetings",
  },
  teamsMeetings: {
    variable: "TEAMS_MEETINGS",
    kind: z.enum(["tenant", "installed", "off"]),
    help: "whose recordings are taken: tenant, installed, off",
  },
  teamsCatalogApp: { variable: "TEAMS_CATALOG_APP", kind: guid, help: 'the app\'s id in the catalog, for "installed"' },
  teamsPlayground: {
    variable: "TEAMS_PLAYGROUND",
    kind: yesNo,
    help: "unsigned, for Microsoft's Agents Playground here",
  },
} as const;

type SettingName = keyof typeof SETTINGS;
type SettingValues = { -readonly [Name in SettingName]?: z.output<(typeof SETTINGS)[Name]["kind"]> };

export interface Config {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly playground: boolean;
  readonly model: string;
  readonly device: "auto" | "cuda" | "webgpu" | "dml" | "coreml" | "cpu";
  readonly threads: number;
  readonly limits: { readonly bytes: number; readonly durationSeconds: number };
  readonly cloudPricePerMinute: number;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly slack?: { readonly botToken: Secret; readonly appToken?: Secret; readonly signingSecret?: Secret };
  readonly discord?: { readonly token: Secret; readonly guildIds?: readonly string[] };
  readonly teams?: TeamsConfig;
  /** Where models and programs are found: passed on to the engine. */
  readonly env: Environment;
}

export interface TeamsConfig {
  /** undefined: Microsoft's Agents Playground on this machine, which signs nothing. */
  readonly app: { readonly id: string; readonly password: Secret; readonly tenant: string } | undefined;
  readonly cloud: CloudName;
  readonly publicUrl?: string;
  readonly meetings: { readonly kind: "off" | "tenant" } | { readonly kind: "installed"; readonly catalogApp: string };
}

export interface ConfigSources {
  readonly flags: readonly string[];
  readonly env: Environment;
  /** Folder in which earshot.config.json is looked for. */
  readonly cwd: string;
}

/** @throws ConfigError with every problem, each naming the setting */
export function readConfig({ flags, env, cwd }: ConfigSources): Config {
  const problems: string[] = [];
  const flagged = readFlags(flags, problems);
  const path = flagged["config"] ?? env["EARSHOT_CONFIG"];
  const filed = readFile(resolve(cwd, path ?? "earshot.config.json"), path !== undefined, problems);
  const values: SettingValues = {};
  for (const name of settingNames()) {
    const found =
      given(flagFor(name), flagged[name]) ??
      fromEnvironment(name, env, problems) ??
      given(`${name} in earshot.config.json`, filed[name]);
    if (found === undefined) continue;
    const parsed = SETTINGS[name].kind.safeParse(found.value);
    if (parsed.success) Object.assign(values, { [name]: parsed.data });
    else problems.push(`${found.source} ${parsed.error.issues[0]?.message ?? "cannot be used"}.`);
  }
  const slack = slackOf(values, problems);
  const discord = discordOf(values, problems);
  const host = values.host ?? "127.0.0.1";
  const teams = teamsOf(values, isLoopback(host), problems);
  const playground = values.playground ?? true;
  if (playground && !isLoopback(host)) {
    problems.push(
      `${SETTINGS.host.variable} is ${host}, and the playground answers on this machine only: set ` +
        `${SETTINGS.playground.variable}=false, or leave the host at 127.0.0.1.`,
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze({
    data: resolve(cwd, values.data ?? dataFolder(env)),
    host,
    port: values.port ?? 3978,
    playground,
    model: values.model ?? "auto",
    device: values.device ?? "auto",
    threads: values.threads ?? 0,
    limits: { bytes: (values.maxMegabytes ?? 2048) * 1024 ** 2, durationSeconds: (values.maxMinutes ?? 360) * 60 },
    cloudPricePerMinute: values.cloudPricePerMinute ?? 0.006,
    logLevel: values.logLevel ?? "info",
    ...(slack === undefined ? {} : { slack }),
    ...(discord === undefined ? {} : { discord }),
    ...(teams === undefined ? {} : { teams }),
    env,
  });
}

/** The settings as lines of help. */
export function configHelp(): string {
  const rows = settingNames().map((name) => {
    const { variable, help } = SETTINGS[name];
    return `  ${isSecret(name) ? "" : flagFor(name)}`.padEnd(28) + variable.padEnd(24) + help;
  });
  return [`  ${"--config FILE".padEnd(26)}${"EARSHOT_CONFIG".padEnd(24)}settings file`, ...rows].join("\n");
}

function settingNames(): readonly SettingName[] {
  return Object.keys(SETTINGS) as SettingName[];
}

/** Secrets have no flag: a command line can be seen by everybody on the machine. */
function isSecret(name: SettingName): boolean {
  return SETTINGS[name].kind === secret;
}

function flagFor(name: SettingName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function given(source: string, value: unknown): { source: string; value: unknown } | undefined {
  return value === undefined ? undefined : { source, value };
}

function readFlags(flags: readonly string[], problems: string[]): Record<string, string> {
  const byFlag = new Map<string, string>([["--config", "config"]]);
  for (const name of settingNames()) if (!isSecret(name)) byFlag.set(flagFor(name), name);
  const read: Record<string, string> = {};
  for (let index = 0; index < flags.length; index++) {
    const word = flags[index] ?? "";
    const [flag = "", inline] = word.split(/=(.*)/s);
    const name = byFlag.get(flag);
    if (name === undefined) {
      problems.push(unknown(flag, [...byFlag.keys()], "earshot start"));
      // What follows it is most likely its value.
      if (inline === undefined && !flags[index + 1]?.startsWith("--")) index++;
      continue;
    }
    const value = inline ?? flags[++index];
    if (value === undefined) problems.push(`${flag} needs a value.`);
    else read[name] = value;
  }
  return read;
}

function readFile(path: string, isRequired: boolean, problems: string[]): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    if (code !== "ENOENT" || isRequired) problems.push(`The settings file ${path} cannot be read (${code}).`);
    return {};
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    problems.push(`${path} is not JSON: ${error instanceof Error ? error.message : error}.`);
    return {};
  }
  const object = z.record(z.string(), z.unknown()).safeParse(content);
  if (!object.success) {
    problems.push(`${path} must hold one JSON object of settings.`);
    return {};
  }
  for (const key of Object.keys(object.data)) {
    if (!Object.hasOwn(SETTINGS, key)) problems.push(unknown(key, settingNames(), path));
  }
  return object.data;
}

function unknown(key: string, known: readonly string[], where: string): string {
  const near = known.find((name) => editDistance(key, name) <= slipDistance(key));
  return `${where} does not know "${key}".${near === undefined ? "" : ` Did you mean ${near}?`}`;
}

/** A secret may also lie in a file: SLACK_BOT_TOKEN_FILE, as container platforms give it. */
function fromEnvironment(name: SettingName, env: Environment, problems: string[]) {
  const { variable } = SETTINGS[name];
  const value = env[variable];
  const path = isSecret(name) ? env[`${variable}_FILE`] : undefined;
  // An empty variable is one that is not set, as in compose files.
  if (value) return { source: variable, value };
  if (!path) return undefined;
  try {
    return { source: `${variable}_FILE`, value: readFileSync(path, "utf8").trim() };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    problems.push(`${variable}_FILE names a file that cannot be read (${code}).`);
    return undefined;
  }
}

function slackOf(values: SettingValues, problems: string[]): Config["slack"] {
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

function discordOf({ discordToken: token, discordGuilds }: SettingValues, problems: string[]): Config["discord"] {
  if (token === undefined) {
    if (discordGuilds !== undefined) problems.push("DISCORD_TOKEN is missing: DISCORD_GUILDS does nothing without it.");
    return undefined;
  }
  return discordGuilds === undefined ? { token } : { token, guildIds: discordGuilds.split(",") };
}

const TEAMS_NEEDS = ["teamsAppId", "teamsAppPassword", "teamsTenantId"] as const;
const TEAMS_MAY = ["teamsCloud", "teamsPublicUrl", "teamsMeetings", "teamsCatalogApp"] as const;

function teamsOf(values: SettingValues, isLocal: boolean, problems: string[]): TeamsConfig | undefined {
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

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
