// A Slack message -> its recordings, and what it asks of Earshot. Pure.
import { type Asked, commandIn } from "../../core/commands/said.ts";
import { kindByName, type Place, type Recording, type Scope } from "../../core/recording.ts";

/** The parts of a file that are read here. Ref: Slack, "File object" */
export interface SlackFile {
  readonly id: string;
  readonly name?: string | null;
  readonly title?: string | null;
  readonly mimetype?: string;
  readonly filetype?: string;
  readonly subtype?: string;
  readonly size?: number;
  readonly duration_ms?: number;
  readonly mode?: string;
  /** "check_file_info": a file of another workspace (Slack Connect), of which only the id is told. */
  readonly file_access?: string;
  readonly user?: string;
  readonly url_private?: string;
  readonly url_private_download?: string;
  /** Public or private -> channel -> where it was shared there. */
  readonly shares?: object;
}

export interface SlackShare {
  readonly ts?: string;
  readonly thread_ts?: string;
}

/** Ref: Slack, "message event" */
export interface SlackMessage {
  readonly ts?: string;
  readonly thread_ts?: string;
  readonly subtype?: string;
  readonly channel_type?: string;
  readonly user?: string;
  readonly bot_id?: string;
  readonly text?: string;
  readonly files?: readonly SlackFile[];
  /** Forwarded messages and those that a link leads to. */
  readonly attachments?: readonly { readonly files?: readonly SlackFile[] }[];
  readonly blocks?: readonly unknown[];
  /** Who answered in its thread, and who reacted to it, where Slack tells. */
  readonly reply_users?: readonly string[];
  readonly reactions?: readonly { readonly users?: readonly string[] }[];
}

export interface Site extends Scope {
  readonly isDirect: boolean;
}

/** What cannot be read by anybody any more. */
const GONE = new Set(["tombstone", "hidden_by_limit"]);

/** The files of a message and of the messages that are forwarded with it, each once. */
export function filesOf(message: SlackMessage): SlackFile[] {
  const files = [message, ...(message.attachments ?? [])].flatMap((part) => part.files ?? []);
  return [...new Map(files.map((file) => [file.id, file])).values()].filter(({ mode = "" }) => !GONE.has(mode));
}

/** Only `files.info` can tell what this is. */
export function isUnknown(file: SlackFile): boolean {
  return file.file_access === "check_file_info" || (file.mimetype === undefined && !file.name);
}

export function placeOf(message: SlackMessage, site: Site): Place {
  const { ts, thread_ts: thread, user = "" } = message;
  return {
    ...site,
    ...(ts === undefined ? {} : { message: ts }),
    ...(thread === undefined || thread === ts ? {} : { thread }),
    user,
    reach: "thread",
  };
}

/** @param isAsked somebody means this very file, so that one whose type nobody told is left to the decoder */
export function recordingOf(file: SlackFile, place: Place, isAsked = place.isDirect): Recording | undefined {
  const kind = kindOf(file, isAsked);
  if (kind === undefined) return undefined;
  const { channel, message = "", workspace } = place;
  const { duration_ms: durationMs, size, mimetype } = file;
  return {
    key: `slack:${workspace}:${channel}:${message}:${file.id}`,
    place,
    kind,
    name: file.name || file.title || "recording",
    ...(size === undefined ? {} : { bytes: size }),
    ...(durationMs === undefined ? {} : { durationSeconds: durationMs / 1000 }),
    ...(mimetype === undefined ? {} : { mimeType: mimetype }),
    source: { file: file.id, channel, message },
  };
}

/** A clip that was recorded in Slack itself is a voice message, whether or not it has a picture. */
function kindOf({ subtype, name, title, mimetype = "" }: SlackFile, isAsked: boolean): Recording["kind"] | undefined {
  if (subtype === "slack_audio" || subtype === "slack_video") return "voice message";
  const names = [name ?? "", title ?? ""];
  if (names.some((each) => /^audio_message\b/i.test(each))) return "voice message";
  if (mimetype.startsWith("audio/")) return "audio";
  if (mimetype.startsWith("video/")) return "video";
  if (mimetype !== "" && mimetype !== "application/octet-stream") return undefined;
  const kinds = names.map(kindByName);
  if (kinds.includes("audio")) return "audio";
  if (kinds.includes("video")) return "video";
  return isAsked && names.every((each) => !/\.\w{1,5}$/.test(each)) ? "audio" : undefined;
}

/**
 * Where a file was last shared in a channel, from `files.info`: what a `file_shared` event leaves out.
 * undefined: not there, or not yet.
 */
export function shareIn(file: SlackFile, channel: string): SlackShare | undefined {
  const byKind: Readonly<Record<string, readonly SlackShare[]>>[] = Object.values(file.shares ?? {});
  const shares = byKind.flatMap((channels) => channels[channel] ?? []);
  return shares.toSorted((a, b) => (a.ts ?? "").localeCompare(b.ts ?? "")).at(-1);
}

/** What people say to the bot: the words after its mention, or all of a direct message. */
export function askedIn(text: string, botUser: string, hasRecording: boolean): Asked {
  const words = plainText(text.replaceAll(new RegExp(`<@${botUser}(\\|[^>]*)?>`, "g"), " ")).trim();
  return commandIn(words, hasRecording);
}

/** As it was typed: links without their brackets, and Slack's three escapes undone. Ref: Slack, "Formatting message text" */
export function plainText(text: string): string {
  return text
    .replace(/<(https?:\/\/[^|>]+)(?:\|[^>]*)?>/g, "$1")
    .replace(/<mailto:[^|>]+\|([^>]*)>/g, "$1")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&amp;/g, "&");
}

export interface MessageLink {
  readonly channel: string;
  readonly message: string;
  readonly thread?: string;
}

/** "https://team.slack.com/archives/C1/p1700000000000100?thread_ts=1700000000.000050&cid=C1" */
export function readMessageLink(link: string): MessageLink | undefined {
  const [, channel, seconds, micros] =
    /^https:\/\/[\w.-]+\.slack\.com\/archives\/([A-Z0-9]+)\/p(\d{10})(\d{6})(?:[?#]|$)/.exec(link.trim()) ?? [];
  if (channel === undefined) return undefined;
  const thread = new URL(link.trim()).searchParams.get("thread_ts");
  return { channel, message: `${seconds}.${micros}`, ...(thread === null ? {} : { thread }) };
}
