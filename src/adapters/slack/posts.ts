// Messages and files of the bot: posted once for each key, edited, and found again after a crash.
import type { webApi } from "@slack/bolt";
import { PlatformError } from "../../core/errors.ts";
import type { Posting } from "../../core/ports.ts";
import type { Place } from "../../core/recording.ts";
import type { OutputFile, Reply } from "../../core/reply.ts";
import { type Drawn, draw } from "./blocks.ts";
import type { Calls } from "./calls.ts";
import { keyOf, marked } from "./mark.ts";
import type { SlackMessage } from "./parse.ts";
import { sendBytes } from "./uploads.ts";

export interface PostsParts {
  readonly client: webApi.WebClient;
  readonly calls: Calls;
  /** Where Slack takes the bytes of uploads. */
  readonly fileOrigins: readonly string[];
  readonly botUser: () => Promise<string>;
}

export interface Posts {
  /** The id is "channel/timestamp", or "channel/F…" of a file. @throws PlatformError */
  reply(place: Place, reply: Reply, posting: Posting): Promise<string>;
}

/** Where a message goes. */
interface Target {
  readonly channel: string;
  readonly thread?: string;
  /** The only one who sees it. */
  readonly viewer?: string;
}

/** Stands for the timestamp of a message that only one person sees and nobody can edit. */
const EPHEMERAL = "ephemeral";
/** Messages that are looked through for one that an earlier attempt may have posted. */
const LOOK_BACK = 200;
const MOST_PAGES = 5;

export function createPosts({ client, calls, fileOrigins, botUser }: PostsParts): Posts {
  const directChannels = new Map<string, string>();

  async function directChannel(user: string): Promise<string> {
    let channel = directChannels.get(user);
    if (channel === undefined) {
      channel = (await calls.call("a direct message", () => client.conversations.open({ users: user }))).channel?.id;
      if (channel === undefined) throw new PlatformError("forbidden", "Slack opened no direct message.");
      directChannels.set(user, channel);
    }
    return channel;
  }

  async function targetOf({ channel, thread, message, user, reach, isDirect }: Place): Promise<Target> {
    const root = thread ?? message;
    if (isDirect || reach === "thread") return { channel, ...(root === undefined ? {} : { thread: root }) };
    if (reach === "direct") return { channel: await directChannel(user) };
    if (reach === "only_me") return { channel, viewer: user, ...(thread === undefined ? {} : { thread }) };
    return { channel };
  }

  async function post(target: Target, drawn: Drawn, key: string): Promise<string> {
    const { channel, thread, viewer } = target;
    const message = {
      channel,
      text: drawn.text,
      blocks: marked(drawn.blocks, key),
      ...(thread === undefined ? {} : { thread_ts: thread }),
    };
    if (viewer !== undefined) {
      await calls.post(channel, "a message", () => client.chat.postEphemeral({ ...message, user: viewer }));
      return `${channel}/${EPHEMERAL}`;
    }
    const sent = await calls.post(channel, "a message", () =>
      client.chat.postMessage({ ...message, unfurl_links: false, unfurl_media: false }),
    );
    return `${channel}/${sent.ts}`;
  }

  async function upload({ channel, thread, viewer }: Target, file: OutputFile): Promise<string> {
    // A file cannot be shown to one person in a channel.
    if (viewer !== undefined) return upload({ channel: await directChannel(viewer) }, file);
    const bytes = Buffer.from(file.content, "utf8");
    const id = await sendBytes(bytes, file, { client, calls, fileOrigins });
    await calls.post(channel, "a file", () =>
      client.files.completeUploadExternal({
        files: [{ id, title: file.name }],
        channel_id: channel,
        ...(thread === undefined ? {} : { thread_ts: thread }),
      } as Parameters<typeof client.files.completeUploadExternal>[0]),
    );
    return `${channel}/${id}`;
  }

  /** The newest that Slack has there, oldest first. */
  async function messagesAt({ channel, thread }: Target): Promise<SlackMessage[]> {
    const found: SlackMessage[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < MOST_PAGES; page++) {
      const paged = { channel, limit: LOOK_BACK, ...(cursor ? { cursor } : {}) };
      const { messages, response_metadata } = await calls.call("earlier messages", () =>
        thread === undefined
          ? client.conversations.history(paged)
          : client.conversations.replies({ ...paged, ts: thread }),
      );
      found.push(...((messages ?? []) as SlackMessage[]));
      cursor = response_metadata?.next_cursor;
      if (!cursor || thread === undefined) break;
    }
    return found.toSorted((a, b) => (a.ts ?? "").localeCompare(b.ts ?? ""));
  }

  async function find(target: Target, key: string, file?: OutputFile): Promise<string | undefined> {
    if (target.viewer !== undefined) return undefined;
    const messages = await messagesAt(target);
    if (file === undefined) {
      const found = messages.find((message) => keyOf(message) === key);
      return found === undefined ? undefined : `${target.channel}/${found.ts}`;
    }
    // A file carries no key: it stands behind the word about its job.
    const status = messages.findIndex((message) => keyOf(message) === `${key.split(":")[0]}:status`);
    const bot = await botUser();
    const found = messages
      .slice(Math.max(0, status))
      .filter(({ user }) => user === bot)
      .flatMap(({ files = [] }) => files)
      .find(({ name, title }) => name === file.name || title === file.name);
    return found === undefined ? undefined : `${target.channel}/${found.id}`;
  }

  async function edit(id: string, drawn: Drawn, key: string): Promise<string> {
    const [channel = "", ts = ""] = id.split("/");
    await calls.call("an edit", () =>
      client.chat.update({ channel, ts, text: drawn.text, blocks: marked(drawn.blocks, key) }),
    );
    return id;
  }

  return {
    async reply(place, reply, { key, editId, mayExist }) {
      const target = await targetOf(place);
      const drawn = draw(reply);
      const [first, ...others] = drawn.files;
      const sendFile = async (file: OutputFile) =>
        (mayExist ? await find(target, key, file) : undefined) ?? upload(target, file);
      if (drawn.blocks.length === 0 && first !== undefined) return sendFile(first);

      const isSeenByOne = target.viewer !== undefined || editId?.endsWith(`/${EPHEMERAL}`);
      // Nobody could edit it away again.
      if (isSeenByOne && reply.kind === "status") return `${target.channel}/${EPHEMERAL}`;
      const earlier = isSeenByOne ? undefined : (editId ?? (mayExist ? await find(target, key) : undefined));
      const id = earlier === undefined ? await post(target, drawn, key) : await edit(earlier, drawn, key);
      for (const file of first === undefined ? [] : [first, ...others]) await sendFile(file);
      return id;
    },
  };
}
