// The chat platforms that are set up, each with what it needs of this machine.
import { join } from "node:path";
import type { FastifyPluginAsync } from "fastify";
import { createDiscord, type DiscordOptions } from "./adapters/discord/index.ts";
import type { ChatBody } from "./adapters/playground/chat-log.ts";
import { createPlayground } from "./adapters/playground/index.ts";
import { createSlack, type SlackOptions } from "./adapters/slack/index.ts";
import { createTeams, type TeamsOptions } from "./adapters/teams/index.ts";
import { revealedApp, revealedSlack } from "./config/platforms.ts";
import type { Config } from "./config.ts";
import type { Observe, Platform } from "./core/ports.ts";
import type { PlatformName } from "./core/recording.ts";
import { demoFolder } from "./inference/models.ts";
import { createChatLog } from "./storage/chat-log.ts";
import type { Database } from "./storage/database.ts";
import { createPlatformNotes } from "./storage/platform-notes.ts";

export interface Platforms {
  readonly all: readonly Platform[];
  /** For jobs, whose platform may have been set up when they came, and not be any more. */
  of(name: PlatformName): Platform;
  /** Routes for people at this machine. */
  readonly plugins: readonly FastifyPluginAsync[];
  /** Routes for the platforms' own servers, which sign what they send. */
  readonly signedPlugins: readonly FastifyPluginAsync[];
}

export interface PlatformParts {
  readonly database: Database;
  /** Where the playground keeps its recordings. */
  readonly chatFolder: string;
  readonly models: readonly string[];
  readonly observe: Observe;
  readonly warn: (message: string) => void;
  readonly now: () => number;
  readonly counterparts: Counterparts;
}

/** Where local counterparts of the platforms are, in tests. */
export interface Counterparts {
  readonly slack?: Pick<SlackOptions, "apiUrl" | "fileOrigins" | "postEveryMs">;
  readonly discord?: Pick<DiscordOptions, "api" | "cdn">;
  readonly teams?: Pick<TeamsOptions, "hosts" | "callEveryMs" | "lookEveryMs">;
}

export function createPlatforms(config: Config, parts: PlatformParts): Platforms {
  const { database, counterparts, observe, now } = parts;
  const { limits } = config;
  const common = { maxBytes: limits.bytes, observe, now };
  const samples = { folder: join(demoFolder, "sample"), files: ["standup.flac", "voice-note.ogg", "meeting.flac"] };
  const playground = config.playground
    ? createPlayground({ chatLog: createChatLog<ChatBody>(database), folder: parts.chatFolder, limits, samples, now })
    : undefined;
  const discord =
    config.discord &&
    createDiscord({
      ...{ ...config.discord, token: config.discord.token.reveal() },
      ...counterparts.discord,
      models: parts.models,
      ...common,
    });
  const slack = config.slack && createSlack({ ...revealedSlack(config.slack), ...counterparts.slack, ...common });
  const teams =
    config.teams &&
    createTeams({
      ...{ ...config.teams, app: revealedApp(config.teams) },
      notes: createPlatformNotes(database, "teams"),
      warn: parts.warn,
      ...counterparts.teams,
      ...common,
    });

  const all = [playground?.platform, discord, slack?.platform, teams?.platform].filter((one) => one !== undefined);
  const teamsPlugins = teams?.plugins ?? [];
  // What nobody signs is for this machine alone.
  const isTeamsSigned = config.teams?.app !== undefined;
  return {
    all,
    of(name) {
      const found = all.find((platform) => platform.name === name);
      if (found === undefined) throw new Error(`The platform ${name} is not configured, and a job is for it.`);
      return found;
    },
    plugins: [...(playground ? [playground.plugin] : []), ...(isTeamsSigned ? [] : teamsPlugins)],
    signedPlugins: [...(slack?.plugin ? [slack.plugin] : []), ...(isTeamsSigned ? teamsPlugins : [])],
  };
}
