// Every setting of the gateway: its name in the file, its variable, what it takes, and a word about it.
import { z } from "zod";
import { CLOUD_NAMES } from "../adapters/teams/graph/clouds.ts";
import { Secret } from "../core/secret.ts";
import { LOG_LEVELS } from "../log.ts";

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
export const SETTINGS = {
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
  way: {
    variable: "EARSHOT_WAY",
    kind: z.enum(["auto", "sequential", "batched"]),
    help: "how long recordings are gone through; auto: by length",
  },
  transcriber: {
    variable: "EARSHOT_TRANSCRIBER",
    kind: z.enum(["local", "nats"]),
    help: "local: this machine; nats: a pool of machines",
  },
  nats: {
    variable: "EARSHOT_NATS",
    kind: z
      .string()
      .regex(/^((nats|tls):\/\/)?[^,\s/]+(,((nats|tls):\/\/)?[^,\s/]+)*$/, "must be nats://host:4222, or several"),
    help: "the pool's NATS servers; stands for transcriber nats",
  },
  natsCreds: {
    variable: "EARSHOT_NATS_CREDS",
    kind: z.string().min(1),
    help: ".creds file, or an NKey's seed in a file",
  },
  natsCa: {
    variable: "EARSHOT_NATS_CA",
    kind: z.string().min(1),
    help: "certificate that the server's is signed with",
  },
  natsCert: {
    variable: "EARSHOT_NATS_CERT",
    kind: z.string().min(1),
    help: "our own certificate, where it is asked for",
  },
  natsKey: { variable: "EARSHOT_NATS_KEY", kind: z.string().min(1), help: "its key" },
  natsReplicas: {
    variable: "EARSHOT_NATS_REPLICAS",
    kind: wholeNumber.min(1).max(5),
    help: "how many servers of a cluster keep everything: 1, 3 or 5",
  },
  natsMegabytes: {
    variable: "EARSHOT_NATS_MEGABYTES",
    kind: wholeNumber.min(1),
    help: "what recordings may take in the pool; more wait",
  },
  parallel: {
    variable: "EARSHOT_PARALLEL",
    kind: wholeNumber.min(2).max(1000),
    help: "recordings that are given to the pool at once",
  },
  sandbox: {
    variable: "EARSHOT_SANDBOX",
    kind: z.enum(["auto", "require", "off"]),
    help: "walls around ffmpeg: auto, require or off",
  },
  maxMegabytes: {
    variable: "EARSHOT_MAX_MEGABYTES",
    kind: wholeNumber.min(1),
    help: "largest recording that is taken",
  },
  maxMinutes: { variable: "EARSHOT_MAX_MINUTES", kind: wholeNumber.min(1), help: "longest recording that is taken" },
  minutesPerUser: {
    variable: "EARSHOT_MINUTES_PER_USER",
    kind: wholeNumber.min(1),
    help: "audio a day of one person",
  },
  minutesPerChannel: {
    variable: "EARSHOT_MINUTES_PER_CHANNEL",
    kind: wholeNumber.min(1),
    help: "audio a day in a channel",
  },
  minutesPerWorkspace: {
    variable: "EARSHOT_MINUTES_PER_WORKSPACE",
    kind: wholeNumber.min(1),
    help: "audio a day in a workspace",
  },
  jobsPerUser: {
    variable: "EARSHOT_JOBS_PER_USER",
    kind: wholeNumber.min(1),
    help: "recordings of one person at once",
  },
  cloudPricePerMinute: {
    variable: "EARSHOT_CLOUD_PRICE",
    kind: z.coerce.number({ error: "must be a number" }).min(0),
    help: "USD a minute that /earshot stats compares with",
  },
  logLevel: { variable: "EARSHOT_LOG_LEVEL", kind: z.enum(LOG_LEVELS), help: LOG_LEVELS.join(", ") },
  logNames: { variable: "EARSHOT_LOG_NAMES", kind: yesNo, help: "names of recordings in the log too" },
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

export type SettingName = keyof typeof SETTINGS;
export type SettingValues = { -readonly [Name in SettingName]?: z.output<(typeof SETTINGS)[Name]["kind"]> };

export function settingNames(): readonly SettingName[] {
  return Object.keys(SETTINGS) as SettingName[];
}

/** Secrets have no flag: a command line can be seen by everybody on the machine. */
export function isSecret(name: SettingName): boolean {
  return SETTINGS[name].kind === secret;
}

export function flagFor(name: SettingName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
