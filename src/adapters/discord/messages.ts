// Ordinary messages of the bot: posted once for each key, edited, and found again after a crash.
import { createHash } from "node:crypto";
import {
  type APIDMChannel,
  type APIMessage,
  ComponentType,
  MessageReferenceType,
  type REST,
  RESTJSONErrorCodes,
  Routes,
} from "discord.js";
import { PlatformError } from "../../core/errors.ts";
import type { Posting } from "../../core/ports.ts";
import type { Place } from "../../core/recording.ts";
import type { OutputFile, Reply } from "../../core/reply.ts";
import { hasCode, isTooLarge, platformCall } from "./errors.ts";
import { channelOf } from "./place.ts";
import { type Drawn, draw, type MessageBody, readButtonId } from "./render.ts";
import { packed } from "./uploads.ts";

/** A channel and a message in it, as the core keeps it: "channel/message". */
export interface MessageAt {
  readonly channel: string;
  readonly message: string;
}

export function messageId({ channel, message }: MessageAt): string {
  return `${channel}/${message}`;
}

export function readMessageId(id: string): MessageAt {
  const [channel = "", message = ""] = id.split("/");
  return { channel, message };
}

export interface MessagesParts {
  readonly rest: REST;
  readonly botId: () => string | undefined;
  /** Bytes that one file may have there. */
  readonly uploadBytes: (place: Place) => number;
}

export interface Messages {
  /** An `editId` names a message that is not the one to look for. @throws PlatformError */
  post(place: Place, reply: Reply, posting: Posting): Promise<string>;
  /** @throws PlatformError gone, also when the message is out of the bot's reach */
  edit(at: MessageAt, place: Place, reply: Reply): Promise<string>;
}

/** What is looked through for a message that an earlier attempt may have posted. */
const LOOK_BACK = 100;
/** Below this a file is not what Discord minds. */
const LEAST_UPLOAD_BYTES = 64 * 1024;

export function createMessages({ rest, botId, uploadBytes }: MessagesParts): Messages {
  const directChannels = new Map<string, string>();

  async function directChannel(user: string): Promise<string> {
    let channel = directChannels.get(user);
    if (channel === undefined) {
      const body = { recipient_id: user };
      channel = ((await rest.post(Routes.userChannels(), { body })) as APIDMChannel).id;
      directChannels.set(user, channel);
    }
    return channel;
  }

  /** What only one person is to see goes to that person, as Discord has no other way once a command has ended. */
  async function channelFor(place: Place): Promise<string> {
    const isPrivate = place.reach === "only_me" || place.reach === "direct";
    return isPrivate && !place.isDirect ? directChannel(place.user) : channelOf(place);
  }

  async function send(channel: string, body: object, drawn: Drawn, key: string, mostBytes: number): Promise<string> {
    const sendOne = async (part: object, nonce: string) => {
      const extras = { nonce: nonceOf(nonce), enforce_nonce: true };
      const sent = (await rest.post(Routes.channelMessages(channel), {
        body: { ...body, ...extras },
        ...part,
      })) as APIMessage;
      // With a nonce that was used before Discord gives the message of that time, as it was then.
      if (sent.content !== drawn.body.content) {
        await rest.patch(Routes.channelMessage(channel, sent.id), { body: drawn.body });
      }
      return messageId({ channel, message: sent.id });
    };
    if (drawn.files.length === 0) return sendOne({}, key);
    return withUploads(drawn.files, mostBytes, async (groups) => {
      let first: string | undefined;
      for (const [index, files] of groups.entries()) {
        const id = await sendOne({ files }, index === 0 ? key : `${key}:part${index + 1}`);
        first ??= id;
      }
      if (first === undefined) throw new PlatformError("rejected", "There was no file to send to Discord.");
      return first;
    });
  }

  async function find(
    channel: string,
    place: Place,
    reply: Reply,
    { key, editId }: Posting,
  ): Promise<string | undefined> {
    const query = new URLSearchParams({ limit: String(LOOK_BACK) });
    if (place.message !== undefined && channel === channelOf(place)) query.set("after", place.message);
    let history: APIMessage[];
    try {
      history = (await rest.get(Routes.channelMessages(channel), { query })) as APIMessage[];
    } catch (error) {
      // Without the permission to read the history the nonce alone has to do.
      if (hasCode(error, RESTJSONErrorCodes.MissingAccess, RESTJSONErrorCodes.MissingPermissions)) return undefined;
      throw error;
    }
    const found = history.find(
      (message) =>
        message.author.id === botId() &&
        messageId({ channel, message: message.id }) !== editId &&
        isPostOf(message, place, reply, key),
    );
    return found === undefined ? undefined : messageId({ channel, message: found.id });
  }

  return {
    post: (place, reply, posting) =>
      platformCall("a message", async () => {
        const channel = await channelFor(place);
        const { key, mayExist } = posting;
        const earlier = mayExist ? await find(channel, place, reply, posting) : undefined;
        if (earlier !== undefined) return reply.kind === "file" ? earlier : editAt(earlier, place, reply);
        const drawn = draw(reply);
        const reference = referenceIn(channel, place);
        try {
          return await send(channel, { ...drawn.body, ...reference }, drawn, key, uploadBytes(place));
        } catch (error) {
          // The one answered is out of sight, so that it cannot be referred to: the answer itself can still be given.
          if (!hasCode(error, RESTJSONErrorCodes.CannotReplyWithoutPermissionToReadMessageHistory)) throw error;
          return await send(channel, drawn.body, drawn, key, uploadBytes(place));
        }
      }),

    edit: (at, place, reply) => editAt(messageId(at), place, reply),
  };

  async function editAt(id: string, place: Place, reply: Reply): Promise<string> {
    const { channel, message } = readMessageId(id);
    const drawn = draw(reply);
    try {
      await platformCall("an edit", () =>
        withUploads(drawn.files, uploadBytes(place), ([files = []]) =>
          rest.patch(Routes.channelMessage(channel, message), { body: bodyOfEdit(drawn.body), files }),
        ),
      );
    } catch (error) {
      if (error instanceof PlatformError && error.code === "forbidden") {
        throw new PlatformError("gone", "The message to edit is out of Earshot's reach.", { cause: error });
      }
      throw error;
    }
    return id;
  }
}

/** What an edit shows takes the place of everything that was shown, files included. */
export function bodyOfEdit(body: MessageBody): object {
  return { ...body, attachments: [] };
}

/**
 * Calls `send` with the files in groups, a message each, within the limit; what Discord still finds too large is tried
 * again in smaller pieces. A channel's limit can be lower than what is known of it.
 */
export async function withUploads<Result>(
  files: readonly OutputFile[],
  mostBytes: number,
  send: (groups: ReturnType<typeof packed>[]) => Promise<Result>,
): Promise<Result> {
  const pieces = files.map((file) => packed(file, mostBytes));
  const most = Math.max(1, ...pieces.map((parts) => parts.length));
  const groups = Array.from({ length: most }, (_, index) => pieces.flatMap((parts) => parts.slice(index, index + 1)));
  try {
    return await send(groups);
  } catch (error) {
    if (files.length === 0 || !isTooLarge(error) || mostBytes < LEAST_UPLOAD_BYTES) throw error;
    const largest = Math.max(...files.map((file) => Buffer.byteLength(file.content)));
    return withUploads(files, Math.floor(Math.min(mostBytes, largest) / 2), send);
  }
}

/** Ref: Discord, "Create Message": up to 25 characters; with enforce_nonce the same one posts once. */
export function nonceOf(key: string): string {
  return createHash("sha256").update(key).digest("base64url").slice(0, 25);
}

function referenceIn(channel: string, { message, reach, ...place }: Place): object {
  if (message === undefined || reach !== "thread" || channel !== channelOf(place)) return {};
  const reference = { type: MessageReferenceType.Default, message_id: message, fail_if_not_exists: false };
  return { message_reference: reference };
}

function isPostOf(message: APIMessage, place: Place, reply: Reply, key: string): boolean {
  if (message.nonce === nonceOf(key)) return true;
  const referred = message.message_reference?.message_id;
  if (reply.kind === "file") {
    const name = plainName(reply.file.name);
    const isNamed = message.attachments.some((attachment) => plainName(attachment.filename) === name);
    return isNamed && referred === (place.reach === "thread" ? place.message : undefined);
  }
  // Every word about a job has its buttons.
  const [jobId] = key.split(":");
  return (message.components ?? []).some(
    (row) =>
      row.type === ComponentType.ActionRow &&
      row.components.some((part) => "custom_id" in part && readButtonId(part.custom_id)?.jobId === jobId),
  );
}

/** As Discord keeps file names. */
function plainName(name: string): string {
  return name.replace(/[^\w.-]+/g, "_");
}
