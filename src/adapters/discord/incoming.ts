// Messages that come over the gateway: recordings and what is asked of the bot in words.
import { setTimeout as sleep } from "node:timers/promises";
import {
  type APIMessage,
  type Client,
  type GatewayMessageCreateDispatchData,
  MessageReferenceType,
  type REST,
} from "discord.js";
import type { Listener, Observe, Platform, Reception } from "../../core/ports.ts";
import type { Place, Recording } from "../../core/recording.ts";
import { type Channels, fetchMessage } from "./channels.ts";
import { type Asked, askedIn, isHiddenVoiceMessage, recordingsOf } from "./parse.ts";
import { isGuildAdmin, type Missing, missingPermissions } from "./permissions.ts";
import { channelOf, type Site } from "./place.ts";
import { contentIsHidden, permissionsMissing, repliedToNothing } from "./sentences.ts";

export interface IncomingParts {
  readonly client: Client;
  readonly rest: REST;
  readonly channels: Channels;
  readonly listener: Listener;
  readonly reply: Platform["reply"];
  readonly botId: string;
  readonly observe: Observe;
  readonly signal: AbortSignal;
}

export interface Incoming {
  /** Settles when what the message holds is durable; never fails. */
  message(message: GatewayMessageCreateDispatchData): Promise<void>;
  /** Only the recordings of a message, which may have been seen before. */
  missed(message: APIMessage, guildId: string): Promise<void>;
  deleted(channel: string, guildId: string | undefined, messages: readonly string[]): Promise<void>;
}

/** Discord does not deliver a message twice, so that what cannot be written down now is tried again. */
const TRY_AGAIN_AFTER_MS = [500, 2000, 10_000, 60_000];

const MOST_SEEN = 10_000;

export function createIncoming(parts: IncomingParts): Incoming {
  const { client, rest, channels, listener, reply, botId, observe, signal } = parts;
  /** What was said once, and is not said again before the next start. */
  const said = new Set<string>();
  /** Messages that came over the gateway, so that a reconnect does not take them a second time. */
  const seen = new Set<string>();

  function see(message: string): void {
    seen.add(message);
    const [oldest] = seen;
    if (seen.size > MOST_SEEN && oldest !== undefined) seen.delete(oldest);
  }

  async function durably<Result>(call: () => Promise<Result>): Promise<Result> {
    for (const afterMs of TRY_AGAIN_AFTER_MS) {
      try {
        return await call();
      } catch (error) {
        observe({ kind: "unexpected", where: "writing down a message of Discord's", error });
        await sleep(afterMs, undefined, { signal, ref: false });
      }
    }
    return call();
  }

  async function once(what: string, say: () => Promise<unknown>): Promise<void> {
    if (said.has(what)) return;
    said.add(what);
    await say();
  }

  async function take(recordings: readonly Recording[], site: Site): Promise<void> {
    for (const recording of recordings) {
      const missing = site.isDirect ? undefined : missingPermissions(client, site);
      if (missing !== undefined) {
        if (await isWanted(recording)) await tellMissing(missing, recording.place);
        continue;
      }
      const reception: Reception = await durably(() => listener.recording(recording));
      if (reception.kind === "refused") {
        await reply(recording.place, reception.reply, { key: `refused:${recording.key}` });
      }
    }
  }

  async function isWanted({ kind, place }: Pick<Recording, "kind" | "place">): Promise<boolean> {
    const { auto } = (await listener.channel(place)).settings;
    return auto === "all" || (auto === "voice" && kind === "voice message");
  }

  /** In the channel where that is possible, else to the owner of the server, who can mend it. */
  async function tellMissing({ names, isMute }: Missing, place: Place): Promise<void> {
    const guild = client.guilds.cache.get(place.workspace);
    const channel = guild?.channels.cache.get(channelOf(place));
    const where = isMute
      ? `${channel === undefined ? "a channel" : `#${channel.name}`} of ${guild?.name}`
      : "this channel";
    const to: Place = isMute
      ? { ...place, user: guild?.ownerId ?? place.user, reach: "direct" }
      : { ...place, reach: "channel" };
    const key = `permissions:${channelOf(place)}:${names.join()}`;
    await once(key, () => reply(to, permissionsMissing(names, where), { key: `${key}:${place.message}` }));
  }

  async function answer(asked: Asked, message: GatewayMessageCreateDispatchData, site: Site): Promise<void> {
    const place: Place = { ...site, message: message.id, user: message.author.id, reach: "thread" };
    const missing = site.isDirect ? undefined : missingPermissions(client, site);
    if (missing !== undefined) return tellMissing(missing, place);
    const own = recordingsOf(message, site);
    const referred = own.length === 0 && asked.command === "transcribe" ? await referredTo(message) : undefined;
    const recordings = referred === undefined ? own : recordingsOf(referred, site, { keepsUrl: true });
    const key = `asked:${message.id}`;
    if (referred !== undefined && recordings.length === 0) {
      await reply(place, repliedToNothing, { key });
      return;
    }
    const answered = referred === undefined ? place : { ...place, message: referred.id };
    const roles = message.member?.roles ?? [];
    const user = message.author.id;
    const said = await durably(() =>
      listener.command({
        ...asked,
        place: answered,
        actor: { user, roles, isAdmin: !site.isDirect && isGuildAdmin(client, site.workspace, user, roles) },
        recordings,
        resolveLink: (link) => channels.linked(link, site, user),
      }),
    );
    await reply(place, said, { key });
  }

  /** The message that this one replies to; if that is an answer of the bot's, the recording's own message. */
  async function referredTo(message: APIMessage): Promise<APIMessage | undefined> {
    const { message_reference: reference } = message;
    if (reference?.message_id === undefined || reference.type === MessageReferenceType.Forward) return undefined;
    const referred =
      message.referenced_message ??
      (await fetchMessage(rest, reference.channel_id, reference.message_id).catch(() => undefined));
    if (referred === undefined || referred.author.id !== botId) return referred;
    return (await referredTo(referred)) ?? referred;
  }

  async function guarded(where: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) observe({ kind: "unexpected", where, error });
    }
  }

  return {
    message: (message) =>
      guarded("a message of Discord's", async () => {
        if (message.author.id === botId) return;
        const isDirect = message.guild_id === undefined;
        const asked = askedIn(message, botId, isDirect);
        const mayMatter = asked !== undefined || isHiddenVoiceMessage(message) || hasFiles(message);
        if (!mayMatter) return;
        see(message.id);
        const site = await channels.site(message.channel_id, message.guild_id);
        if (asked !== undefined) return answer(asked, message, site);
        const recordings = recordingsOf(message, site);
        if (recordings.length > 0 || !isHiddenVoiceMessage(message)) return take(recordings, site);
        const place: Place = { ...site, message: message.id, user: message.author.id, reach: "thread" };
        if (!(await isWanted({ kind: "voice message", place }))) return;
        await once(`content:${site.workspace}`, () => reply(place, contentIsHidden, { key: `content:${message.id}` }));
      }),

    missed: (message, guildId) =>
      guarded("a message that Discord sent before", async () => {
        if (message.author.id === botId || !hasFiles(message) || seen.has(message.id)) return;
        if (askedIn(message, botId, false) !== undefined) return;
        see(message.id);
        const site = await channels.site(message.channel_id, guildId);
        await take(recordingsOf(message, site), site);
      }),

    deleted: (channel, guildId, messages) =>
      guarded("a deleted message of Discord's", async () => {
        const site = await channels.site(channel, guildId);
        for (const message of messages) await listener.removed(site, message);
      }),
  };
}

function hasFiles(message: APIMessage): boolean {
  return (message.attachments?.length ?? 0) > 0 || (message.message_snapshots?.length ?? 0) > 0;
}
