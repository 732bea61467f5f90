// Which site a channel's id means, and messages and links fetched from there.
import { type APIChannel, type APIMessage, ChannelType, type Client, type REST, Routes } from "discord.js";
import { PlatformError } from "../../core/errors.ts";
import type { Recording } from "../../core/recording.ts";
import { platformCall } from "./errors.ts";
import { readMessageLink, recordingsOf } from "./parse.ts";
import { canRead } from "./permissions.ts";
import { NO_GUILD, type Site, siteOf } from "./place.ts";

export interface Channels {
  /** @param guildId undefined in direct messages */
  site(channel: string, guildId: string | undefined): Promise<Site>;
  /** The recordings that a link leads to, if `user` may see them from `from`. undefined: no link to a message there. */
  linked(link: string, from: Site, user: string): Promise<readonly Recording[] | undefined>;
}

export function createChannels(rest: REST, client: Client): Channels {
  async function site(channel: string, guildId: string | undefined): Promise<Site> {
    if (guildId === undefined) return siteOf({ id: channel, type: ChannelType.DM }, undefined, true);
    const known = client.guilds.cache.get(guildId)?.channels.cache.get(channel);
    if (known !== undefined) {
      return siteOf({ id: channel, type: known.type, parent_id: known.parentId }, guildId, false);
    }
    // An archived thread is not told of before somebody writes in it.
    const fetched = await platformCall("a channel", () => rest.get(Routes.channel(channel)));
    const { type, parent_id: parent } = fetched as Extract<APIChannel, { guild_id?: string }> & { parent_id?: string };
    return siteOf({ id: channel, type, ...(parent === undefined ? {} : { parent_id: parent }) }, guildId, false);
  }

  return {
    site,
    async linked(link, from, user) {
      const target = readMessageLink(link);
      if (target === undefined) return undefined;
      // A link must not carry what was said out of a server, nor out of somebody else's direct messages.
      if (target.guild !== from.workspace) return undefined;
      if (target.guild === NO_GUILD && target.channel !== from.channel) return undefined;
      try {
        const there = await site(target.channel, target.guild === NO_GUILD ? undefined : target.guild);
        if (target.guild !== NO_GUILD && !(await canRead(client, there, user))) return undefined;
        return recordingsOf(await fetchMessage(rest, target.channel, target.message), there);
      } catch (error) {
        if (error instanceof PlatformError && ["gone", "forbidden"].includes(error.code)) return undefined;
        throw error;
      }
    },
  };
}

/** @throws PlatformError */
export async function fetchMessage(rest: REST, channel: string, message: string): Promise<APIMessage> {
  return (await platformCall("a message", () => rest.get(Routes.channelMessage(channel, message)))) as APIMessage;
}
