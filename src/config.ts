// The gateway's configuration: flags over environment over file over defaults, checked as a whole, frozen.
import { resolve } from "node:path";
import {
  type DiscordConfig,
  discordOf,
  type SlackConfig,
  slackOf,
  type TeamsConfig,
  teamsOf,
} from "./config/platforms.ts";
import { type PoolConfig, poolConfig } from "./config/pool.ts";
import { flagFor, isSecret, SETTINGS, type SettingValues, settingNames } from "./config/settings.ts";
import { type ConfigSources, type Environment, readValues } from "./config/sources.ts";
import { ConfigError } from "./core/errors.ts";
import type { GatewayLimits } from "./core/limits.ts";
import { Secret } from "./core/secret.ts";
import type { Way } from "./core/transcript.ts";
import type { LogLevel } from "./log.ts";
import { dataFolder } from "./storage/paths.ts";

export interface Config {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly playground: boolean;
  readonly model: string;
  readonly device: "auto" | "cuda" | "webgpu" | "dml" | "coreml" | "cpu";
  readonly threads: number;
  readonly way: "auto" | Way;
  /** Instead of this machine. */
  readonly pool?: PoolConfig;
  readonly sandbox: "auto" | "require" | "off";
  readonly limits: GatewayLimits;
  readonly cloudPricePerMinute: number;
  readonly logLevel: LogLevel;
  readonly logNames: boolean;
  readonly slack?: SlackConfig;
  readonly discord?: DiscordConfig;
  readonly teams?: TeamsConfig;
  /** Where models and programs are found: passed on to the engine. */
  readonly env: Environment;
}

/** @throws ConfigError with every problem, each naming the setting */
export function readConfig({ flags, env, cwd }: ConfigSources): Config {
  const problems: string[] = [];
  const values = readValues({ flags, env, cwd }, problems);
  const slack = slackOf(values, problems);
  const discord = discordOf(values, problems);
  const pool = poolConfig(values, problems);
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
    way: values.way ?? "auto",
    ...(pool === undefined ? {} : { pool }),
    sandbox: values.sandbox ?? "auto",
    limits: limitsOf(values),
    cloudPricePerMinute: values.cloudPricePerMinute ?? 0.006,
    logLevel: values.logLevel ?? "info",
    logNames: values.logNames ?? false,
    ...(slack === undefined ? {} : { slack }),
    ...(discord === undefined ? {} : { discord }),
    ...(teams === undefined ? {} : { teams }),
    env,
  });
}

/** Names of variables that hold secrets, of Earshot's own and of the libraries that it carries. */
const SECRET_NAME = /TOKEN|SECRET|PASSWORD|API_?KEY|CREDENTIAL/i;
/** A shorter one would blot out ordinary words. */
const SECRET_LENGTH = 8;

/** All that must not be printed: the settings' own secrets, and what the environment holds besides. */
export function secretsOf({ slack, discord, teams, env }: Config): readonly Secret[] {
  const others = Object.entries(env).flatMap(([name, value = ""]) =>
    SECRET_NAME.test(name) && !name.endsWith("_FILE") && value.length >= SECRET_LENGTH ? [new Secret(value)] : [],
  );
  const own = [slack?.botToken, slack?.appToken, slack?.signingSecret, discord?.token, teams?.app?.password];
  return [...own.filter((secret) => secret !== undefined), ...others];
}

/** As wide as EARSHOT_MINUTES_PER_WORKSPACE, and a space. */
const VARIABLE_COLUMNS = 30;

/** The settings as lines of help. */
export function configHelp(): string {
  const rows = settingNames().map((name) => {
    const { variable, help } = SETTINGS[name];
    return `  ${isSecret(name) ? "" : flagFor(name)}`.padEnd(28) + variable.padEnd(VARIABLE_COLUMNS) + help;
  });
  return [`  ${"--config FILE".padEnd(26)}${"EARSHOT_CONFIG".padEnd(VARIABLE_COLUMNS)}settings file`, ...rows].join(
    "\n",
  );
}

function limitsOf(values: SettingValues): GatewayLimits {
  const { minutesPerUser, minutesPerChannel, minutesPerWorkspace, jobsPerUser } = values;
  return {
    bytes: (values.maxMegabytes ?? 2048) * 1024 ** 2,
    durationSeconds: (values.maxMinutes ?? 360) * 60,
    ...(minutesPerUser === undefined ? {} : { minutesPerUser }),
    ...(minutesPerChannel === undefined ? {} : { minutesPerChannel }),
    ...(minutesPerWorkspace === undefined ? {} : { minutesPerWorkspace }),
    ...(jobsPerUser === undefined ? {} : { jobsPerUser }),
  };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
