// Messages and files of the bot: posted once for each key, edited, and found again after a crash.
import type { Activity } from "botbuilder";
import { PlatformError } from "../../core/errors.ts";
import type { Observe, Platform, PlatformNotes } from "../../core/ports.ts";
import type { Place } from "../../core/recording.ts";
import type { OutputFile } from "../../core/reply.ts";
import type { Calls } from "./calls.ts";
import { draw, fileCard, keyOf, textCard } from "./cards.ts";
import type { Connector } from "./connector.ts";
import type { Consents } from "./consents.ts";
import { type Conversations, GUID } from "./conversations.ts";
import { wasNotDone } from "./errors.ts";
import type { TeamsGraph } from "./graph/index.ts";
import { baseOf, messageId, readMessageId, rootOf, type Sort, sortOf, threadOf } from "./place.ts";
import { fileIsThere, filesAreKeptOut } from "./sentences.ts";

export interface PostsParts {
  readonly connector: Connector;
  readonly calls: Calls;
  readonly conversations: Conversations;
  readonly consents: () => Pick<Consents, "question">;
  /** undefined: without permissions in the directory, as in Microsoft's playground. */
  readonly graph: Pick<TeamsGraph, "upload" | "ownMessages"> | undefined;
  readonly notes: PlatformNotes;
  readonly observe: Observe;
  readonly now: () => number;
}

export interface Posts {
  /** The id is "conversation|message". @throws PlatformError */
  readonly reply: Platform["reply"];
  /** A message as it is, of which no record is kept. */
  send(place: Place, message: Partial<Activity>): Promise<string>;
  remove(conversation: string, message: string): Promise<void>;
  hasPosted(key: string): Promise<boolean>;
  /** As if nothing had been posted under a key. */
  forget(key: string): Promise<void>;
  /** What was posted long ago is not looked for any more. */
  tidy(): Promise<void>;
}

/** Where a message goes. */
interface Target {
  readonly channel: string;
  readonly sort: Sort;
  /** The message that began the thread, in a channel. */
  readonly thread?: string;
  readonly answers?: string;
}

interface SentFile {
  readonly file: OutputFile;
  readonly jobId: string | undefined;
  /** Whose OneDrive takes it, in a chat. */
  readonly user: string;
}

/** How far this machine's clock may be ahead of Microsoft's. */
const CLOCK_MS = 300_000;
const KEPT_MS = 14 * 86_400_000;

export function createPosts(parts: PostsParts): Posts {
  const { connector, calls, conversations, graph, notes } = parts;
  const noteOf = (key: string) => `posted:${key}`;

  async function targetOf({ channel, thread, message, user, reach, isDirect }: Place): Promise<Target> {
    if (!isDirect && (reach === "direct" || reach === "only_me")) {
      return { channel: await conversations.personal(user), sort: "personal" };
    }
    const sort = (await conversations.of(channel))?.sort ?? sortOf({ id: channel });
    if (reach === "channel") return { channel, sort };
    const root = thread ?? message;
    return {
      channel,
      sort,
      ...(sort !== "channel" || root === undefined ? {} : { thread: root }),
      ...(message === undefined ? {} : { answers: message }),
    };
  }

  async function deliver(target: Target, message: Partial<Activity>): Promise<string> {
    const { channel, thread, answers } = target;
    const to = { ...(thread === undefined ? {} : { thread }) };
    const post = async (answered: string | undefined) => {
      const reference = await conversations.reference(channel, {
        ...to,
        ...(answered === undefined ? {} : { answers: answered }),
      });
      return calls.call(channel, () => connector.send(reference, message));
    };
    let id: string;
    try {
      id = await post(answers);
    } catch (error) {
      // What it answers was deleted: the answer itself can still be given.
      if (!(error instanceof PlatformError && error.code === "gone") || answers === undefined) throw error;
      id = await post(undefined);
    }
    // A new thread in a channel is a conversation of its own, which its first message names.
    const conversation = target.sort !== "channel" ? channel : threadOf(channel, thread ?? id);
    return messageId({ conversation, message: id });
  }

  /** Written down before and after, so that a later attempt knows what became of this one. */
  async function post(target: Target, message: Partial<Activity>, key: string): Promise<string> {
    await notes.put(noteOf(key), { sinceMs: parts.now() });
    try {
      const id = await deliver(target, message);
      await notes.put(noteOf(key), { id });
      return id;
    } catch (error) {
      if (wasNotDone(error)) await notes.remove(noteOf(key));
      throw error;
    }
  }

  /** What an earlier attempt posted under this key. */
  async function find(target: Target, key: string): Promise<string | undefined> {
    const note = await notes.get(noteOf(key));
    if (typeof note !== "object" || note === null) return undefined;
    if ("id" in note && typeof note.id === "string") return note.id;
    // It died between the call and its answer: only Graph can tell, where Earshot may read the conversation.
    try {
      const sinceMs = "sinceMs" in note && typeof note.sinceMs === "number" ? note.sinceMs - CLOCK_MS : undefined;
      return await findInConversation(target, key, sinceMs);
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code === "rate_limited" || error.code === "unavailable")
        throw error;
      return undefined;
    }
  }

  async function findInConversation(
    { channel, sort, thread }: Target,
    key: string,
    sinceMs: number | undefined,
  ): Promise<string | undefined> {
    if (graph === undefined || sort === "personal") return undefined;
    const group = sort === "channel" ? await conversations.groupOf(channel) : undefined;
    if (sort === "channel" && (group === undefined || thread === undefined)) return undefined;
    const at =
      sort === "channel"
        ? ({ kind: "channel", team: group ?? "", channel, root: thread ?? "" } as const)
        : ({ kind: "chat", chat: channel } as const);
    const found = (await graph.ownMessages(at, sinceMs)).find(({ cards }) => cards.some((card) => keyOf(card) === key));
    if (found === undefined) return undefined;
    const conversation = thread === undefined ? channel : threadOf(channel, thread);
    return messageId({ conversation, message: found.id });
  }

  async function edit(id: string, message: Partial<Activity>): Promise<string> {
    const { conversation, message: activity } = readMessageId(id);
    const [channel, thread] = [baseOf(conversation), rootOf(conversation)];
    const reference = await conversations.reference(channel, thread === undefined ? {} : { thread });
    await calls.call(channel, () => connector.update(reference, activity, message));
    return id;
  }

  async function postOnce(target: Target, message: Partial<Activity>, key: string, mayExist: boolean): Promise<string> {
    const earlier = mayExist ? await find(target, key) : undefined;
    try {
      if (earlier !== undefined) return await edit(earlier, message);
    } catch (error) {
      // Somebody deleted it since: what is to be said now is said anew.
      if (!(error instanceof PlatformError && error.code === "gone")) throw error;
    }
    return post(target, message, key);
  }

  /** Into the files of the conversation, or, where Earshot may not put any there, as text. */
  async function fileMessage(target: Target, sent: SentFile, key: string): Promise<Partial<Activity>> {
    const { channel, sort } = target;
    const { file, user } = sent;
    if (sort === "personal") return parts.consents().question(channel, file, sent.jobId);
    try {
      const { webUrl, name } = await uploaded(channel, sort, file, user);
      return fileCard(key, fileIsThere(name), name, webUrl);
    } catch (error) {
      if (!(error instanceof PlatformError && error.code === "forbidden")) throw error;
      parts.observe({ kind: "unexpected", where: "a file on Teams", error });
      return textCard(key, filesAreKeptOut(file.name), file.content);
    }
  }

  async function uploaded(channel: string, sort: "chat" | "channel", file: OutputFile, user: string) {
    if (graph === undefined) throw new PlatformError("forbidden", "Earshot has no permissions in the directory.");
    if (sort === "chat") {
      if (!GUID.test(user)) throw new PlatformError("forbidden", "Guests have no OneDrive here to put a file into.");
      return graph.upload({ kind: "chat", chat: channel, owner: user }, file);
    }
    const team = await conversations.groupOf(channel);
    if (team === undefined) throw new PlatformError("forbidden", "Teams does not tell which team a channel is of.");
    return graph.upload({ kind: "channel", team, channel }, file);
  }

  return {
    async reply(place, reply, { key, editId, mayExist }) {
      const target = await targetOf(place);
      const { message, files } = draw(reply, key);
      // What comes with words is a file of its own; the others are a transcript's, which can be made again.
      const [jobId] = reply.kind === "words" ? [] : key.split(":");
      const sendFile = async (file: OutputFile, fileKey: string) =>
        (mayExist ? await find(target, fileKey) : undefined) ??
        post(target, await fileMessage(target, { file, jobId, user: place.user }, fileKey), fileKey);
      const [first] = files;
      if (message === undefined && first !== undefined) return sendFile(first, key);

      const id =
        editId === undefined
          ? await postOnce(target, message ?? {}, key, mayExist === true)
          : await edit(editId, message ?? {});
      for (const file of files) await sendFile(file, `${key}:${file.name}`);
      return id;
    },

    send: async (place, message) => deliver(await targetOf(place), message),

    async remove(conversation, message) {
      const [channel, thread] = [baseOf(conversation), rootOf(conversation)];
      const reference = await conversations.reference(channel, thread === undefined ? {} : { thread });
      await calls.call(channel, () => connector.remove(reference, message));
    },

    hasPosted: async (key) => (await notes.get(noteOf(key))) !== undefined,

    async forget(key) {
      await notes.remove(noteOf(key));
    },

    async tidy() {
      for (const { key, atMs } of await notes.list("posted:")) {
        if (atMs < parts.now() - KEPT_MS) await notes.remove(key);
      }
    },
  };
}
