// Discord as a platform of Earshot.
import type { Client } from "discord.js";
import { ConfigError } from "../../core/errors.ts";
import type { Listener, Observe, Platform, Posting } from "../../core/ports.ts";
import type { Place } from "../../core/recording.ts";
import type { Reply } from "../../core/reply.ts";
import { downloadFile } from "../download.ts";
import { fetchApplication } from "./application.ts";
import { catchUp } from "./catch-up.ts";
import { createChannels, fetchMessage } from "./channels.ts";
import { registerCommands } from "./commands.ts";
import { connect, createClient, disconnect } from "./gateway.ts";
import { createIncoming } from "./incoming.ts";
import { createInteractions } from "./interactions.ts";
import { createMessages, readMessageId } from "./messages.ts";
import { recordingUrl } from "./recording-url.ts";
import { createRest } from "./rest.ts";
import { createSessions } from "./sessions.ts";
import { DEFAULT_UPLOAD_BYTES, UPLOAD_BYTES_OF_TIER } from "./uploads.ts";

export interface DiscordOptions {
  /** The bot's token. */
  readonly token: string;
  /** Found out with the token when left out. */
  readonly applicationId?: string;
  /** Registers the commands in these guilds, where they show at once, instead of everywhere: for development. */
  readonly guildIds?: readonly string[];
  /** Whether the privileged intent is granted; found out with the token when left out. */
  readonly hasMessageContent?: boolean;
  /** Names that are suggested for a model. */
  readonly models?: readonly string[];
  /** Largest recording that is fetched. */
  readonly maxBytes: number;
  /** Base URLs of a local counterpart, in tests. */
  readonly api?: string;
  readonly cdn?: string;
  readonly observe?: Observe;
  readonly now: () => number;
}

/** Where Discord keeps the files of messages. */
const FILE_ORIGINS = ["https://cdn.discordapp.com", "https://media.discordapp.net"];

export function createDiscord(options: DiscordOptions): Platform {
  const { token, now, observe = () => {} } = options;
  const { rest, options: restOptions } = createRest(options);
  const sessions = createSessions(rest, now);
  let botId: string | undefined;
  let client: Client | undefined;

  const uploadBytes = ({ workspace }: Place) =>
    UPLOAD_BYTES_OF_TIER[client?.guilds.cache.get(workspace)?.premiumTier ?? 0] ?? DEFAULT_UPLOAD_BYTES;
  const messages = createMessages({ rest, botId: () => botId, uploadBytes });

  /** Where only a person installed it, the bot can write with an interaction's token, and else to that person alone. */
  function isMember({ isDirect, workspace }: Place): boolean {
    return isDirect || client === undefined || client.guilds.cache.has(workspace);
  }

  async function reply(place: Place, shown: Reply, posting: Posting): Promise<string> {
    const ordinary = isMember(place) ? place : ({ ...place, reach: "direct" } as const);
    if (posting.editId === undefined) {
      return (await sessions.post(place, shown)) ?? (await messages.post(ordinary, shown, posting));
    }
    const at = readMessageId(posting.editId);
    const edited = await sessions.edit(at, shown);
    if (edited === undefined) return messages.edit(at, place, shown);
    return edited === "over"
      ? messages.post(ordinary, shown, { ...posting, key: `${posting.key}:late`, mayExist: true })
      : edited;
  }

  async function listen(listener: Listener, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { id, botId: me, readsMessages } = await fetchApplication(rest);
    botId = me;
    if (options.hasMessageContent && !readsMessages) throw contentNotGranted();
    await registerCommands(rest, options.applicationId ?? id, options.guildIds);

    const connected = createClient(options.hasMessageContent ?? readsMessages, restOptions);
    client = connected;
    signal.addEventListener("abort", () => void disconnect(connected), { once: true });
    const channels = createChannels(rest, connected);
    const incoming = createIncoming({ client: connected, rest, channels, listener, reply, botId: me, observe, signal });
    const models = options.models ?? [];
    const interacted = createInteractions({ rest, sessions, messages, channels, listener, models, observe });
    await connect(
      connected,
      token,
      {
        message: (message) => void incoming.message(message),
        interaction: (interaction) => void interacted(interaction),
        deleted: (channel, guildId, ids) => void incoming.deleted(channel, guildId, ids),
        began: () => {
          catchUp(connected, rest, me, now(), incoming.missed, signal).catch((error: unknown) => {
            if (!signal.aborted) observe({ kind: "unexpected", where: "what was missed on Discord", error });
          });
        },
      },
      observe,
      signal,
    );
  }

  return {
    name: "discord",
    // Five edits in 5 s are allowed a channel, which its other answers need too.
    editEveryMs: 3000,
    listen,
    reply,

    async download(recording, toPath, signal) {
      const url = await recordingUrl(recording, (channel, message) => fetchMessage(rest, channel, message), now());
      await downloadFile(url, toPath, {
        origins: options.cdn === undefined ? FILE_ORIGINS : [options.cdn],
        maxBytes: options.maxBytes,
        name: recording.name,
        signal,
      });
    },
  };
}

function contentNotGranted(): ConfigError {
  return new ConfigError([
    "Discord: the Message Content intent is off. Switch it on at https://discord.com/developers/applications, under Bot.",
  ]);
}
