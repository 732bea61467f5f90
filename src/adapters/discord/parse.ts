// A Discord message -> its recordings, and what it asks of Earshot. Pure.
import {
  type APIAttachment,
  type APIMessage,
  type APIMessageSnapshotFields,
  AttachmentFlags,
  MessageFlags,
} from "discord.js";
import { COMMAND_NAMES, type CommandName } from "../../core/ports.ts";
import { kindByName, type Place, type Recording } from "../../core/recording.ts";
import { channelOf, type Site } from "./place.ts";

/** What recordings are read from: a message, or the copy of one in a forward. */
type WithAttachments = Pick<APIMessageSnapshotFields, "attachments"> & { readonly flags?: MessageFlags };

/** All recordings of a message and of the messages forwarded with it. */
export function recordingsOf(
  message: APIMessage,
  site: Site,
  options: { readonly keepsUrl?: boolean } = {},
): Recording[] {
  const place: Place = { ...site, message: message.id, user: message.author.id, reach: "thread" };
  return attachmentsOf(message).flatMap(({ attachment, isVoice }) => {
    const recording = recordingOf(attachment, isVoice, place, message.id);
    if (recording === undefined) return [];
    // What cannot be asked for again, as without the message content intent, keeps its link.
    return [options.keepsUrl ? { ...recording, source: { ...recording.source, url: attachment.url } } : recording];
  });
}

/** The attachment of a command's `file` option; it belongs to no message, so it keeps its link. */
export function recordingOfOption(
  attachment: APIAttachment,
  place: Place,
  interactionId: string,
): Recording | undefined {
  const recording = recordingOf(attachment, false, place, interactionId);
  return recording === undefined
    ? undefined
    : { ...recording, source: { attachment: attachment.id, url: attachment.url } };
}

export function attachmentsOf(message: APIMessage): { attachment: APIAttachment; isVoice: boolean }[] {
  const forwarded = (message.message_snapshots ?? []).map((snapshot): WithAttachments => snapshot.message);
  return [message as WithAttachments, ...forwarded].flatMap(({ attachments, flags = 0 }) =>
    // A partial message, such as one without content, may come without the list.
    (attachments ?? []).map((attachment) => ({
      attachment,
      isVoice: (flags & MessageFlags.IsVoiceMessage) !== 0,
    })),
  );
}

function recordingOf(
  attachment: APIAttachment,
  isVoice: boolean,
  place: Place,
  messageId: string,
): Recording | undefined {
  const kind = isVoice ? "voice message" : kindOf(attachment);
  if (kind === undefined) return undefined;
  const { duration_secs: durationSeconds, content_type: mimeType } = attachment;
  return {
    key: `discord:${channelOf(place)}:${messageId}:${attachment.id}`,
    place,
    kind,
    name: attachment.title ? titled(attachment.title, attachment.filename) : attachment.filename,
    bytes: attachment.size,
    ...(durationSeconds === undefined ? {} : { durationSeconds }),
    ...(mimeType === undefined ? {} : { mimeType }),
    source: { channel: channelOf(place), message: messageId, attachment: attachment.id },
  };
}

function kindOf({ content_type: type = "", filename, flags }: APIAttachment): "audio" | "video" | undefined {
  if (type.startsWith("audio/")) return "audio";
  if (type.startsWith("video/") || ((flags ?? 0) & AttachmentFlags.IsClip) !== 0) return "video";
  if (type !== "" && !type.startsWith("application/octet-stream")) return undefined;
  return kindByName(filename);
}

/** Names with letters that Discord takes out of file names have a title without the ending. */
function titled(title: string, filename: string): string {
  const ending = /\.[^.]+$/.exec(filename)?.[0] ?? "";
  return title.endsWith(ending) ? title : title + ending;
}

/** A voice message whose file Discord keeps from bots that lack the message content intent. */
export function isHiddenVoiceMessage(message: APIMessage): boolean {
  return ((message.flags ?? 0) & MessageFlags.IsVoiceMessage) !== 0 && attachmentsOf(message).length === 0;
}

export interface Asked {
  readonly command: CommandName;
  readonly text: string;
}

/**
 * What a message asks for: words after a mention of the bot, or anything in a direct message that is no recording.
 * undefined: it is not addressed to the bot.
 */
export function askedIn(message: APIMessage, botId: string, isDirect: boolean): Asked | undefined {
  if (message.author.bot || message.webhook_id !== undefined) return undefined;
  const mention = new RegExp(`<@!?${botId}>`, "g");
  const isMentioned = mention.test(message.content);
  const text = message.content.replace(mention, " ").trim();
  if (!isMentioned && (!isDirect || recordingsOfAny(message))) return undefined;
  const [, word = "", rest = ""] = /^\/?(\S*)\s*(.*)$/s.exec(text) ?? [];
  const command = COMMAND_NAMES.find((name) => name === word.toLowerCase());
  if (command !== undefined) return { command, text: rest };
  const isAboutRecording = isMentioned || message.message_reference !== undefined || /https?:\/\//.test(text);
  return isAboutRecording && !/^(hi|hello|hey|help)?[!?.]*$/i.test(text || "-")
    ? { command: "transcribe", text: text }
    : { command: "earshot", text: "help" };
}

function recordingsOfAny(message: APIMessage): boolean {
  return attachmentsOf(message).some(({ attachment, isVoice }) => isVoice || kindOf(attachment) !== undefined);
}

export interface MessageLink {
  readonly guild: string;
  readonly channel: string;
  readonly message: string;
}

/** "https://discord.com/channels/1/2/3", also of the test builds of Discord. */
export function readMessageLink(link: string): MessageLink | undefined {
  const [, guild, channel, message] =
    /^<?https:\/\/(?:(?:ptb|canary)\.)?discord(?:app)?\.com\/channels\/(@me|\d+)\/(\d+)\/(\d+)\/?>?$/.exec(
      link.trim(),
    ) ?? [];
  return guild && channel && message ? { guild, channel, message } : undefined;
}
