// Where things are on Teams: conversations, threads in channels, and the ids of the bot's own messages.
import type { Activity } from "botbuilder";
import type { Place, Scope } from "../../core/recording.ts";
import { record, text } from "./activity.ts";

export interface Site extends Scope {
  readonly isDirect: boolean;
}

/** What sort of conversation it is: that decides where files lie and how they are sent. */
export type Sort = "personal" | "chat" | "channel";

const THREAD = /;messageid=(\d+)$/;

/** "19:abc@thread.tacv2;messageid=1700000000000" -> the channel alone. */
export function baseOf(conversation: string): string {
  return conversation.replace(THREAD, "");
}

export function rootOf(conversation: string): string | undefined {
  return THREAD.exec(conversation)?.[1];
}

/** The conversation of one thread in a channel, to which replies go. */
export function threadOf(channel: string, root: string): string {
  return `${channel};messageid=${root}`;
}

export function sortOf(conversation: { readonly id: string; readonly conversationType?: unknown }): Sort {
  const { conversationType: type } = conversation;
  if (type === "personal" || type === "channel") return type;
  if (type === "groupChat") return "chat";
  const base = baseOf(conversation.id);
  if (/@thread\.(tacv2|skype)$/.test(base)) return "channel";
  return base.startsWith("19:") ? "chat" : "personal";
}

export function isMeeting(conversation: string): boolean {
  return conversation.startsWith("19:meeting_");
}

export function siteOf(activity: Activity, tenant: string): Site {
  const conversation = record(activity.conversation);
  const id = text(conversation["id"]) ?? "";
  return {
    platform: "teams",
    workspace: tenant,
    channel: baseOf(id),
    isDirect: sortOf({ id, conversationType: conversation["conversationType"] }) === "personal",
  };
}

/** The place of a message; in a channel it names the thread where the message is not the one that began it. */
export function placeOf(activity: Activity, tenant: string, message = activity.id): Place {
  const site = siteOf(activity, tenant);
  const thread = rootOf(activity.conversation.id);
  return {
    ...site,
    ...(message === undefined ? {} : { message }),
    ...(thread === undefined || thread === message ? {} : { thread }),
    user: userOf(activity),
    reach: "thread",
  };
}

/** The directory's id of who sent an activity, which is the same in all conversations, or else Teams' own. */
export function userOf({ from }: Activity): string {
  return from.aadObjectId ?? from.id;
}

/** A message of the bot, as the core keeps it. */
export interface MessageAt {
  readonly conversation: string;
  readonly message: string;
}

export function messageId({ conversation, message }: MessageAt): string {
  return `${conversation}|${message}`;
}

export function readMessageId(id: string): MessageAt {
  const at = id.lastIndexOf("|");
  return { conversation: id.slice(0, at), message: id.slice(at + 1) };
}
