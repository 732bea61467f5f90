// Messages that Teams tells of: recordings, what is asked of the bot in words, buttons, and what was deleted.

import type { Activity } from "botbuilder";
import type { Asked } from "../../core/commands/said.ts";
import { PlatformError } from "../../core/errors.ts";
import type { JobRequest } from "../../core/job.ts";
import type { Listener, Observe, PlatformNotes } from "../../core/ports.ts";
import type { Place, Recording } from "../../core/recording.ts";
import type { Reply } from "../../core/reply.ts";
import { readButton } from "./cards.ts";
import type { Errands } from "./errands.ts";
import type { Lookups } from "./lookups.ts";
import {
  askedIn,
  attachmentsOf,
  hasSentFiles,
  hasVoiceNote,
  isMentioned,
  mayHaveFiles,
  quotedIn,
  sentFilesOf,
} from "./parse.ts";
import { placeOf, siteOf, threadOf } from "./place.ts";
import type { Posts } from "./posts.ts";
import type { SentFiles } from "./sent-files.ts";
import * as sentences from "./sentences.ts";

export interface IncomingParts {
  readonly lookups: Lookups;
  readonly posts: Posts;
  readonly errands: () => Errands;
  readonly listener: Listener;
  readonly sentFiles: Pick<SentFiles, "keepLink">;
  readonly notes: PlatformNotes;
  readonly tenant: string;
  /** Shows for a moment that something is being done. */
  readonly typing: (place: Place) => void;
  readonly observe: Observe;
}

/** Each resolves when what it holds is durable, and fails when it is not. */
export interface Incoming {
  message(activity: Activity): Promise<void>;
  /** The second half of a message whose files only Graph knows. */
  lookedUp(activity: Activity): Promise<void>;
  /** A message with files that came while nobody listened. */
  missed(place: Place): Promise<void>;
  deleted(activity: Activity): Promise<void>;
  /** One recording, however it was heard of. */
  take(recording: Recording, request?: JobRequest): Promise<void>;
}

const MOST_SAID = 5000;
/** Notes of messages with files that were heard; a day is longer than any start looks back. */
export const HEARD = "heard:";

export function createIncoming(parts: IncomingParts): Incoming {
  const { lookups, posts, listener, notes, tenant } = parts;
  /** What was said once in a conversation, and is not said again before the next start. */
  const said = new Set<string>();

  async function take(recording: Recording, request?: JobRequest): Promise<void> {
    const reception = await listener.recording(recording, request);
    if (reception.kind === "refused") {
      // Before the last start it may have been refused already.
      await posts.reply(recording.place, reception.reply, { key: `refused:${recording.key}`, mayExist: true });
    }
    if (reception.kind === "added") parts.typing(recording.place);
  }

  async function say(place: Place, reply: Reply, what: string): Promise<void> {
    await posts.reply(place, reply, { key: `${what}:${place.channel}:${place.message}`, mayExist: true });
  }

  async function sayOnce(place: Place, reply: Reply, what: string): Promise<void> {
    const key = `${what}:${place.channel}`;
    if (said.has(key)) return;
    said.add(key);
    if (said.size > MOST_SAID) said.delete([...said][0] ?? "");
    await say(place, reply, what);
  }

  /** People there want to be heard without asking for it. */
  async function isListening(place: Place): Promise<boolean> {
    return place.isDirect || (await listener.channel(place)).settings.auto !== "off";
  }

  async function press(activity: Activity, button: NonNullable<ReturnType<typeof readButton>>): Promise<void> {
    const place = placeOf(activity, tenant, activity.replyToId);
    const key = `${button.jobId}:pressed:${activity.id}`;
    let reply: Reply | undefined;
    try {
      reply = await listener.press({ ...button, place, actor: await lookups.actor(place) });
    } catch (error) {
      parts.observe({ kind: "unexpected", where: "a button on Teams", error });
      reply = sentences.brokeHere;
    }
    if (reply !== undefined) await posts.reply(place, reply, { key });
  }

  /** What came with a message to the bot itself. */
  async function sent(activity: Activity, place: Place): Promise<readonly Recording[]> {
    const files = sentFilesOf(attachmentsOf(activity), place, activity.from.aadObjectId);
    for (const { recording, url } of files) await parts.sentFiles.keepLink(recording.source["file"] ?? "", url);
    return files.map(({ recording }) => recording);
  }

  async function answer(activity: Activity, place: Place, own: readonly Recording[]): Promise<void> {
    const asked = askedIn(activity, own.length > 0 || place.thread !== undefined || quoted(activity) !== undefined);
    const found = own.length > 0 ? { recordings: own, place } : await pointedAt(asked, activity, place);
    const key = `asked:${place.channel}:${activity.id}`;
    if (found === undefined) {
      await posts.reply(place, sentences.noRecordingInThread, { key, mayExist: true });
      return;
    }
    const reply = await listener.command({
      ...asked,
      place: found.place,
      actor: await lookups.actor(place),
      recordings: found.recordings,
      resolveLink: (link) => lookups.linked(link, place),
    });
    await posts.reply(place, reply, { key, mayExist: true });
  }

  /** What "this" means: the message that is quoted, or the one that began the thread. undefined: it has no recording. */
  async function pointedAt({ command, text }: Asked, activity: Activity, place: Place) {
    const none = { recordings: [], place };
    const isElsewhere = /https?:\/\/|\b[0-9a-f]{6}\b|\blatest\b/i.test(text);
    const { thread, ...here } = place;
    const message = quoted(activity) ?? thread;
    if (command !== "transcribe" || message === undefined || isElsewhere || place.isDirect) return none;
    const pointed = { ...here, message };
    const recordings = await lookups.recordings(pointed);
    return recordings.length === 0 ? undefined : { recordings, place: pointed };
  }

  const quoted = (activity: Activity) => quotedIn(attachmentsOf(activity));

  /** So that a start which looks back does not take it again, above all not when its transcript was deleted since. */
  const mark = ({ channel, message }: Place) => notes.put(`${HEARD}${channel}:${message}`, true);
  const isHeard = async ({ channel, message }: Place) =>
    (await notes.get(`${HEARD}${channel}:${message}`)) !== undefined;

  async function lookedUp(activity: Activity): Promise<void> {
    const place = placeOf(activity, tenant);
    await hear(activity, place);
    if (mayHaveFiles(attachmentsOf(activity))) await mark(place);
  }

  async function hear(activity: Activity, place: Place): Promise<void> {
    const isAsked = isMentioned(activity) && !isBot(activity);
    try {
      const own = mayHaveFiles(attachmentsOf(activity)) ? await lookups.recordings(place) : [];
      if (isAsked) await answer(activity, place, own);
      else for (const recording of own) await take(recording);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      // Deleted before it could be looked at.
      if (error.code === "gone") return;
      if (error.code !== "forbidden") throw error;
      parts.observe({ kind: "unexpected", where: "files on Teams", error });
      if (isAsked) await say(place, sentences.filesAreClosed, "closed");
      else if (await isListening(place)) await sayOnce(place, sentences.filesAreClosed, "closed");
    }
  }

  return {
    take,
    lookedUp,

    async message(activity) {
      const button = readButton(activity.value);
      if (button !== undefined) return press(activity, button);
      if (activity.from.id === activity.recipient.id) return undefined;
      const place = placeOf(activity, tenant);
      const isAsked = !isBot(activity) && (place.isDirect || isMentioned(activity));
      const attachments = attachmentsOf(activity);
      if (hasVoiceNote(attachments) && (isAsked || (await isListening(place)))) {
        return say(place, sentences.voiceNote, "voice");
      }
      if (!place.isDirect) {
        const isWorthIt = isAsked || mayHaveFiles(attachments);
        return isWorthIt ? parts.errands().take(activity) : undefined;
      }
      const own = await sent(activity, place);
      if (own.length === 0 && hasSentFiles(attachments)) return say(place, sentences.noRecordingThere, "none");
      if (own.length === 0 && isAsked && activity.type === "message") return answer(activity, place, own);
      for (const recording of own) await take(recording);
      return undefined;
    },

    async missed(place) {
      const { channel, message = "", thread = message } = place;
      const conversations = [channel, threadOf(channel, thread)];
      const isTaken = (conversation: string) => parts.errands().isTaken(conversation, message);
      if ((await isHeard(place)) || (await Promise.all(conversations.map(isTaken))).includes(true)) return;
      try {
        for (const recording of await lookups.recordings(place)) await take(recording);
      } catch (error) {
        // Nobody asked for it just now: what may not be read, or is gone, is left in silence.
        if (!(error instanceof PlatformError && (error.code === "forbidden" || error.code === "gone"))) throw error;
      }
      await mark(place);
    },

    async deleted(activity) {
      if (activity.id !== undefined) await listener.removed(siteOf(activity, tenant), activity.id);
    },
  };
}

function isBot({ from }: Activity): boolean {
  return from.id.startsWith("28:");
}
