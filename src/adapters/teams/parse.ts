// An activity of Teams -> its recordings, and what it asks of Earshot. Pure.
import type { Activity } from "botbuilder";
import { type Asked, commandIn } from "../../core/commands/said.ts";
import type { Place, Recording } from "../../core/recording.ts";
import { type Json, list, record, text } from "./activity.ts";
import type { MessageFile } from "./graph/index.ts";
import { mediaKind } from "./graph/media-kind.ts";

/** A file that a person sent to the bot itself, and a link to it that works for a short time. */
export interface SentFile {
  readonly recording: Recording;
  readonly url: string;
}

const DOWNLOAD = "application/vnd.microsoft.teams.file.download.info";
const AUDIO_CARD = "application/vnd.microsoft.card.audio";
/** Where a voice note should be, bots get an element without content. Ref: MicrosoftDocs/msteams-docs#14169, #1805 */
const VOICE_NOTE = /itemtype="https?:\/\/schema\.skype\.com\/(InputExtension|AudioMessage)"/i;

/** The media files that come with a message in a personal chat. Ref: Teams, "Send and receive files through a bot" */
export function sentFilesOf(attachments: readonly Json[], place: Place, sender: string | undefined): SentFile[] {
  return attachments.flatMap((attachment) => {
    if (attachment["contentType"] !== DOWNLOAD) return [];
    const content = record(attachment["content"]);
    const [url, file] = [text(content["downloadUrl"]), text(content["uniqueId"])];
    const ending = text(content["fileType"]) ?? "";
    const name = text(attachment["name"]) ?? (ending === "" ? "recording" : `recording.${ending}`);
    const kind = mediaKind(name) ?? mediaKind(`x.${ending}`);
    if (url === undefined || file === undefined || kind === undefined) return [];
    return [{ recording: personalFile({ file, name, kind, sender }, place), url }];
  });
}

/** Files came to the bot itself, of whatever kind. */
export function hasSentFiles(attachments: readonly Json[]): boolean {
  return attachments.some(({ contentType }) => contentType === DOWNLOAD);
}

/** A file in the OneDrive of the one who sent it to the bot. */
export function personalFile(
  { file, name, kind, sender }: { file: string; name: string; kind: "audio" | "video"; sender: string | undefined },
  place: Place,
): Recording {
  const source = { from: "personal", file, ...(sender === undefined ? {} : { user: sender }) };
  return { key: keyOf(place, file), place, kind: spokenKind(kind), name, source };
}

/** A media file that Graph knows. */
export function recordingOf(
  { name, kind, bytes, mimeType, durationSeconds, source }: MessageFile,
  place: Place,
): Recording {
  return {
    key: keyOf(place, `${source.drive}:${source.item}`),
    place,
    kind: spokenKind(kind),
    name,
    ...(bytes === undefined ? {} : { bytes }),
    ...(mimeType === undefined ? {} : { mimeType }),
    ...(durationSeconds === undefined ? {} : { durationSeconds }),
    source,
  };
}

function keyOf({ workspace, channel, message = "" }: Place, file: string): string {
  return `teams:${workspace}:${channel}:${message}:${file}`;
}

/** Teams keeps its own voice notes from bots, so that people send sound files in their place: those are what is spoken. */
function spokenKind(kind: "audio" | "video"): Recording["kind"] {
  return kind === "audio" ? "voice message" : "video";
}

/** Files lie in SharePoint or OneDrive, and only Graph can tell which; a message without the sign has none. */
export function mayHaveFiles(attachments: readonly Json[]): boolean {
  return attachments.some(({ contentType, content }) => {
    const html = typeof content === "string" ? content : "";
    if (contentType === "text/html") return /<attachment\b/i.test(html);
    return contentType === "reference" || /messageReference$/i.test(String(contentType));
  });
}

/** A voice note of Teams itself, whose sound bots are not given. */
export function hasVoiceNote(attachments: readonly Json[]): boolean {
  return attachments.some(({ contentType, content }) => {
    if (contentType === AUDIO_CARD || /^audio\//.test(String(contentType))) return true;
    const html = contentType === "text/html" && typeof content === "string" ? content : "";
    // Other extensions of the writing box leave the same element, beside a text.
    return VOICE_NOTE.test(html) && html.replace(/<[^>]*>|&nbsp;/g, "").trim() === "";
  });
}

/** The message that a reply in a chat quotes. */
export function quotedIn(attachments: readonly Json[]): string | undefined {
  for (const { contentType, content, id } of attachments) {
    if (contentType === "messageReference") return text(id);
    const html = contentType === "text/html" && typeof content === "string" ? content : "";
    const [, message] = /itemtype="https?:\/\/schema\.skype\.com\/Reply"[^>]*\bitemid="(\d{13})"/i.exec(html) ?? [];
    if (message !== undefined) return message;
  }
  return undefined;
}

export function attachmentsOf(activity: Activity): readonly Json[] {
  return list(activity.attachments);
}

/** Mentions of the bot, as they stand in the text. */
function mentionsIn({ entities, recipient }: Activity): readonly string[] {
  return list(entities).flatMap((entity) =>
    entity["type"] === "mention" && record(entity["mentioned"])["id"] === recipient.id
      ? (text(entity["text"]) ?? [])
      : [],
  );
}

export function isMentioned(activity: Activity): boolean {
  return mentionsIn(activity).length > 0;
}

/** What people say to the bot: the words beside its mention, or all of a direct message. */
export function askedIn(activity: Activity, hasRecording: boolean): Asked {
  let said = activity.text ?? "";
  for (const mention of mentionsIn(activity)) said = said.replaceAll(mention, " ");
  const words = plainText(said).trim();
  return commandIn(words, hasRecording);
}

/** As it was typed: other mentions by their names, and Teams' escapes undone. */
export function plainText(said: string): string {
  return said
    .replace(/<at[^>]*>([^<]*)<\/at>/g, "$1")
    .replace(/&nbsp;|\u00a0/g, " ")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, "&");
}

export interface MessageLink {
  readonly channel: string;
  readonly message: string;
  /** The message that began the thread. */
  readonly thread?: string;
  readonly tenant?: string;
}

const LINK_HOST =
  /^(teams\.(microsoft|live)\.com|teams\.cloud\.microsoft|(gov|dod)\.teams\.microsoft\.us|teams\.microsoftonline\.cn)$/;

/** "https://teams.microsoft.com/l/message/19:abc@thread.tacv2/1700000000000?tenantId=…&parentMessageId=…" */
export function readMessageLink(link: string): MessageLink | undefined {
  if (!URL.canParse(link.trim())) return undefined;
  const { protocol, hostname, pathname, searchParams } = new URL(link.trim());
  const [, channel, message] = /^\/l\/message\/([^/]+)\/(\d{13})\/?$/.exec(pathname) ?? [];
  if (protocol !== "https:" || !LINK_HOST.test(hostname) || channel === undefined || message === undefined)
    return undefined;
  const [thread, tenant] = [searchParams.get("parentMessageId"), searchParams.get("tenantId")];
  let plain: string;
  try {
    plain = decodeURIComponent(channel);
  } catch {
    return undefined;
  }
  return {
    channel: plain,
    message,
    ...(thread === null || thread === message ? {} : { thread }),
    ...(tenant === null ? {} : { tenant }),
  };
}
