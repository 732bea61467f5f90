// Slack as a platform of Earshot.
import { App, webApi } from "@slack/bolt";
import type { FastifyPluginAsync } from "fastify";
import { ConfigError, PlatformError } from "../../core/errors.ts";
import type { Listener, Observe, Platform } from "../../core/ports.ts";
import { downloadFile } from "../download.ts";
import { createCalls } from "./calls.ts";
import { catchUp } from "./catch-up.ts";
import { hearCommands } from "./commands.ts";
import { SCOPE_PLACE } from "./errors.ts";
import { hearFixWord } from "./fix-word.ts";
import { hearHome } from "./home.ts";
import { createHttpReceiver } from "./http.ts";
import { createIncoming, type FileShared, type MessageEvent } from "./incoming.ts";
import { createBoltLogger } from "./logger.ts";
import { createLookups } from "./lookups.ts";
import { createPosts } from "./posts.ts";
import { hearPresses } from "./presses.ts";
import { hearShortcuts } from "./shortcuts.ts";
import { createSocketReceiver } from "./socket.ts";

export interface SlackOptions {
  /** xoxb-… */
  readonly botToken: string;
  /** xapp-…, for Socket Mode. */
  readonly appToken?: string;
  /** For the Events API over HTTP instead; the plugin then takes Slack's requests. */
  readonly signingSecret?: string;
  /** Largest recording that is fetched. */
  readonly maxBytes: number;
  /** Base URL of a local counterpart, in tests, and the origins of its files. */
  readonly apiUrl?: string;
  readonly fileOrigins?: readonly string[];
  /** The least time between two messages in a channel. */
  readonly postEveryMs?: number;
  readonly observe?: Observe;
  readonly now: () => number;
}

export interface Slack {
  readonly platform: Platform;
  /** Takes Slack's requests where a signing secret was given. */
  readonly plugin: FastifyPluginAsync | undefined;
}

/** Where Slack keeps files and takes uploads, and its government cloud does. */
const FILE_ORIGINS = ["https://files.slack.com", "https://files-origin.slack.com", "https://files.slack-gov.com"];
/** Ref: Slack, "Rate limits": one message a second in a channel. */
const POST_EVERY_MS = 1000;
const CALL_MS = 30_000;
/** Without these nothing works; what else is missing is said when it is needed. */
const LEAST_SCOPES = ["chat:write", "files:read", "files:write"];

interface Identity {
  readonly botUser: string;
  readonly botId: string;
  readonly team: string;
  /** Where people sign in to the workspace: a file that may not be read leads there. */
  readonly signInOrigin: string | undefined;
}

export function createSlack(options: SlackOptions): Slack {
  const { botToken, apiUrl, now, observe = () => {}, fileOrigins = FILE_ORIGINS } = options;
  const logger = createBoltLogger(observe);
  const clientOptions = {
    ...(apiUrl === undefined ? {} : { slackApiUrl: apiUrl }),
    rejectRateLimitedCalls: true,
    retryConfig: { retries: 0 },
    timeout: CALL_MS,
    logger,
  };
  const client = new webApi.WebClient(botToken, clientOptions);
  const postEveryMs = options.postEveryMs ?? POST_EVERY_MS;
  const calls = createCalls({ postEveryMs, now });
  const lookups = createLookups(client, calls, now);
  let known: Promise<Identity> | undefined;
  const identity = (): Promise<Identity> => {
    known ??= identify();
    known.catch(() => {
      known = undefined;
    });
    return known;
  };
  const botUser = async () => (await identity()).botUser;
  const posts = createPosts({ client, calls, fileOrigins, botUser });
  const http =
    options.signingSecret === undefined
      ? undefined
      : createHttpReceiver({ signingSecret: options.signingSecret, observe, now });

  async function identify(): Promise<Identity> {
    const told = await calls.call("the bot's token", () => client.auth.test());
    const scopes = told.response_metadata?.scopes ?? [];
    const missing = scopes.length === 0 ? [] : LEAST_SCOPES.filter((scope) => !scopes.includes(scope));
    if (missing.length > 0) {
      throw new ConfigError([`Slack: the bot lacks ${missing.join(", ")}. Add it ${SCOPE_PLACE}.`]);
    }
    if (told.user_id === undefined || told.bot_id === undefined) {
      throw new ConfigError(["SLACK_BOT_TOKEN is no bot's token. Set the one that begins with xoxb-."]);
    }
    const signInOrigin = told.url !== undefined && URL.canParse(told.url) ? new URL(told.url).origin : undefined;
    return { botUser: told.user_id, botId: told.bot_id, team: told.team_id ?? "", signInOrigin };
  }

  function receiverFor(signal: AbortSignal) {
    if (http !== undefined) return http.receiver;
    const { appToken } = options;
    if (appToken === undefined) {
      throw new ConfigError(["Slack needs SLACK_APP_TOKEN, for Socket Mode, or SLACK_SIGNING_SECRET, for HTTP."]);
    }
    return createSocketReceiver({
      appToken,
      logger,
      observe,
      signal,
      now,
      ...(apiUrl === undefined ? {} : { apiUrl }),
    });
  }

  async function listen(listener: Listener, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const receiver = receiverFor(signal);
    const { botUser: me, botId, team } = await identity();
    const app = new App({
      receiver,
      authorize: async () => ({ botToken, botId, botUserId: me, teamId: team }),
      clientOptions,
      logger,
    });
    // Whatever goes wrong is not acknowledged.
    app.error(async (error) => {
      throw error;
    });
    const parts = { client, lookups, posts, listener, botUser: me, observe };
    const incoming = createIncoming(parts);
    app.event("message", ({ event, body }) => incoming.message(event as MessageEvent, body.team_id));
    app.event("app_mention", ({ event, body, context }) =>
      incoming.mention(event as MessageEvent, body.team_id, context.retryNum !== undefined),
    );
    app.event("file_shared", ({ event, body }) => incoming.fileShared(event as FileShared, body.team_id));
    hearCommands(app, parts);
    hearPresses(app, parts);
    hearShortcuts(app, parts);
    hearFixWord(app, parts);
    hearHome(app, parts);
    await app.start();
    catchUp({
      ...parts,
      calls,
      nowMs: now(),
      missed: (message, channel) => incoming.missed(message, channel, team),
      signal,
    }).catch((error: unknown) => {
      if (!signal.aborted) observe({ kind: "unexpected", where: "what was missed on Slack", error });
    });
    signal.addEventListener(
      "abort",
      () => {
        app.stop().catch((error: unknown) => observe({ kind: "unexpected", where: "leaving Slack", error }));
      },
      { once: true },
    );
  }

  return {
    plugin: http?.plugin,
    platform: {
      name: "slack",
      // About fifty edits a minute are allowed in a workspace, which its other recordings need too.
      editEveryMs: 3000,
      listen,
      reply: posts.reply,

      async download(recording, toPath, signal) {
        signal.throwIfAborted();
        const file = await lookups.file(recording.source["file"] ?? "");
        const url = file.url_private_download ?? file.url_private;
        if (url === undefined) throw new PlatformError("forbidden", "Slack keeps the file from apps.");
        const { signInOrigin } = await identity();
        await downloadFile(url, toPath, {
          origins: signInOrigin === undefined ? fileOrigins : [...fileOrigins, signInOrigin],
          maxBytes: options.maxBytes,
          name: recording.name,
          signal,
          credentials: { authorization: `Bearer ${botToken}` },
          checkType: checkNoPage,
        });
      },
    },
  };
}

/** Slack answers with its sign-in page, and 200, where the token may not read a file. */
function checkNoPage(contentType: string): void {
  if (!contentType.startsWith("text/html")) return;
  throw new PlatformError(
    "forbidden",
    `Slack answered with a page instead of the file. Add the scope files:read ${SCOPE_PLACE}.`,
  );
}
