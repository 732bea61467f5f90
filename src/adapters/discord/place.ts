// Where something happens on Discord: the channel whose settings hold, and the thread in it.
import { ChannelType } from "discord.js";
import type { Place, Scope } from "../../core/recording.ts";

/** The workspace of direct messages, as in Discord's own links. */
export const NO_GUILD = "@me";

export interface Site extends Scope {
  readonly thread?: string;
  readonly isDirect: boolean;
}

export interface ChannelFacts {
  readonly id: string;
  readonly type: ChannelType;
  /** Of a thread: its channel or forum. Of a channel: its category. */
  readonly parent_id?: string | null;
}

const THREADS: readonly ChannelType[] = [
  ChannelType.PublicThread,
  ChannelType.PrivateThread,
  ChannelType.AnnouncementThread,
];

/** @param isDirect a direct message with the bot itself, not one between two people */
export function siteOf(channel: ChannelFacts, guildId: string | undefined, isDirect: boolean): Site {
  const isThread = THREADS.includes(channel.type);
  return {
    platform: "discord",
    workspace: guildId ?? NO_GUILD,
    channel: isThread ? (channel.parent_id ?? channel.id) : channel.id,
    ...(isThread ? { thread: channel.id } : {}),
    isDirect,
  };
}

/** The channel in Discord's sense: a thread is one. */
export function channelOf({ thread, channel }: Pick<Place, "thread" | "channel">): string {
  return thread ?? channel;
}
