// Messages that Slack tells of: recordings, what is asked of the bot in words, and what was deleted.

import type { webApi } from "@slack/bolt";
import type { Asked } from "../../core/commands/said.ts";
import { PlatformError } from "../../core/errors.ts";
import type { Listener, Observe, Reception } from "../../core/ports.ts";
import type { Place, Recording } from "../../core/recording.ts";
import { slackCode } from "./errors.ts";
import { type Lookups, siteAt } from "./lookups.ts";
import { askedIn, filesOf, placeOf, type Site, type SlackFile, type SlackMessage, shareIn } from "./parse.ts";
import type { Posts } from "./posts.ts";
import { noRecordingInThread, notInChannel } from "./sentences.ts";

export interface IncomingParts {
  readonly client: webApi.WebClient;
  readonly lookups: Lookups;
  readonly posts: Posts;
  readonly listener: Listener;
  readonly botUser: string;
  readonly observe: Observe;
}

/** The message event as far as it is read here. */
export interface MessageEvent extends SlackMessage {
  readonly channel: string;
  readonly deleted_ts?: string;
  readonly message?: SlackMessage;
  readonly previous_message?: SlackMessage;
}

export interface FileShared {
  readonly file_id: string;
  readonly channel_id: string;
  readonly user_id?: string;
}

/** Each resolves when what it holds is durable, and fails when it is not. */
export interface Incoming {
  message(event: MessageEvent, workspace: string): Promise<void>;
  mention(event: MessageEvent, workspace: string, isRetry: boolean): Promise<void>;
  fileShared(event: FileShared, workspace: string): Promise<void>;
  /** Only the recordings of a message, which may have been taken before. */
  missed(message: SlackMessage, channel: string, workspace: string): Promise<void>;
}

/** Subtypes of messages that people or apps wrote; the others are notes of Slack's own. */
const WRITTEN = new Set([undefined, "file_share", "thread_broadcast", "bot_message", "me_message", "reply_broadcast"]);
const REACTION = "ear";
/** Files and recordings that are remembered, so that the second event about one costs nothing. */
const MOST_SEEN = 5000;

export function createIncoming({ client, lookups, posts, listener, botUser, observe }: IncomingParts): Incoming {
  const seen = new Set<string>();
  /** A recording's key -> its being taken, which the second event about it waits for. */
  const taken = new Map<string, Promise<void>>();
  const seenKey = (file: string, channel: string) => `${channel}/${file}`;

  function see(files: readonly SlackFile[], channel: string): void {
    for (const { id } of files) seen.add(seenKey(id, channel));
    shorten(seen);
  }

  async function take(message: SlackMessage, site: Site): Promise<void> {
    const files = filesOf(message);
    if (files.length === 0) return;
    see(files, site.channel);
    try {
      for (const recording of await lookups.recordings(message, site)) await takeOnce(recording);
    } catch (error) {
      for (const { id } of files) seen.delete(seenKey(id, site.channel));
      // Deleted before it could be looked at.
      if (error instanceof PlatformError && error.code === "gone") return;
      throw error;
    }
  }

  async function takeOnce(recording: Recording): Promise<void> {
    const { key } = recording;
    const before = taken.get(key);
    if (before !== undefined) return before;
    const taking = takeOne(recording);
    taken.set(key, taking);
    shorten(taken);
    // What failed comes again.
    taking.catch(() => taken.delete(key));
    return taking;
  }

  async function takeOne(recording: Recording): Promise<void> {
    const reception: Reception = await listener.recording(recording);
    if (reception.kind === "refused") {
      // Before the last start it may have been refused already.
      await posts.reply(recording.place, reception.reply, { key: `refused:${recording.key}`, mayExist: true });
    }
    if (reception.kind === "added") void react(recording.place);
  }

  /** At once and only once: a reaction that does not come about is nothing to wait for. */
  async function react({ channel, message }: Place): Promise<void> {
    if (message === undefined) return;
    try {
      await client.reactions.add({ channel, timestamp: message, name: REACTION });
    } catch (error) {
      if (slackCode(error) === "missing_scope") observe({ kind: "unexpected", where: "a reaction", error });
    }
  }

  function isOwn({ user }: SlackMessage): boolean {
    return user === botUser;
  }

  async function posted(message: SlackMessage, site: Site, isRetry: boolean): Promise<void> {
    if (isOwn(message) || !WRITTEN.has(message.subtype)) return;
    const isMentioned = message.text?.includes(`<@${botUser}`) ?? false;
    // In a channel, a mention comes as an event of its own.
    if (isMentioned && !site.isDirect) return see(filesOf(message), site.channel);
    const isTalk = site.isDirect && message.bot_id === undefined && (isMentioned || filesOf(message).length === 0);
    return isTalk ? answer(message, site, isRetry) : take(message, site);
  }

  async function changed({ message, previous_message: before }: MessageEvent, site: Site): Promise<void> {
    if (message?.ts === undefined || isOwn(message)) return;
    const known = new Set(filesOf(before ?? {}).map(({ id }) => id));
    const files = filesOf(message);
    if (files.length === 0 && known.size > 0) return listener.removed(site, message.ts);
    const added = files.filter(({ id }) => !known.has(id));
    if (before !== undefined && added.length > 0) await take({ ...message, files: added, attachments: [] }, site);
  }

  async function answer(message: SlackMessage, site: Site, isRetry: boolean): Promise<void> {
    const own = await lookups.recordings(message, site, true);
    const asked = askedIn(message.text ?? "", botUser, own.length > 0 || message.thread_ts !== undefined);
    const place = placeOf(message, site);
    const found = own.length > 0 ? { recordings: own, place } : await inThread(asked, message, place, site);
    const key = `asked:${site.channel}:${message.ts}`;
    if (found === undefined) {
      await posts.reply(place, noRecordingInThread, { key, mayExist: isRetry });
      return;
    }
    const actor = await lookups.actor(place.user);
    const said = await listener.command({
      ...asked,
      place: found.place,
      actor,
      recordings: found.recordings,
      resolveLink: (link) => lookups.linked(link, place),
    });
    try {
      await posts.reply(place, said, { key, mayExist: isRetry });
    } catch (error) {
      if (!["not_in_channel", "channel_not_found"].includes(slackCode(error) ?? "")) throw error;
      await posts.reply({ ...place, reach: "direct" }, notInChannel, { key });
    }
  }

  /** What "this" means in a thread: the recording that began it, or else its newest. undefined: it has none. */
  async function inThread({ command, text }: Asked, message: SlackMessage, place: Place, site: Site) {
    const none = { recordings: [], place };
    const root = message.thread_ts;
    const isElsewhere = /https?:\/\/|\b[0-9a-f]{6}\b|\blatest\b/i.test(text);
    if (command !== "transcribe" || root === undefined || isElsewhere) return none;
    const [first, ...others] = (await lookups.thread(site.channel, root)).filter((each) => !isOwn(each));
    for (const candidate of [first, ...others.toReversed()]) {
      if (candidate?.ts === undefined || candidate.ts === message.ts) continue;
      const recordings = await lookups.recordings(candidate, site, true);
      if (recordings.length > 0) return { recordings, place: { ...place, message: candidate.ts, thread: root } };
    }
    return undefined;
  }

  return {
    async message(event, workspace) {
      const site = siteAt(workspace, event.channel, event.channel_type);
      if (event.subtype === "message_deleted") {
        if (event.deleted_ts !== undefined) await listener.removed(site, event.deleted_ts);
        return;
      }
      return event.subtype === "message_changed" ? changed(event, site) : posted(event, site, false);
    },

    async mention(event, workspace, isRetry) {
      const site = siteAt(workspace, event.channel, event.channel_type);
      // Where the bot is alone with somebody, the message itself is heard.
      if (!isOwn(event) && !site.isDirect) await answer(event, site, isRetry);
    },

    async missed(message, channel, workspace) {
      const isMentioned = message.text?.includes(`<@${botUser}`) ?? false;
      if (isOwn(message) || isMentioned || !WRITTEN.has(message.subtype)) return;
      await take(message, siteAt(workspace, channel));
    },

    async fileShared({ file_id: id, channel_id: channel, user_id: user }, workspace) {
      if (user === botUser || seen.has(seenKey(id, channel))) return;
      const share = shareIn(await lookups.file(id), channel);
      if (share?.ts === undefined) return;
      const message = await lookups.message(channel, share.ts);
      if (message !== undefined) await posted(message, siteAt(workspace, channel), false);
    },
  };
}

function shorten(known: Set<string> | Map<string, unknown>): void {
  for (const oldest of known.keys()) {
    if (known.size <= MOST_SEEN) return;
    known.delete(oldest);
  }
}
