// Who may do what in a guild's channels: the bot before it begins its work, a person before a linked message is read.
import { ChannelType, type Client, PermissionFlagsBits, PermissionsBitField } from "discord.js";
import { channelOf, type Site } from "./place.ts";

/** What an answer needs -> the name that Discord's settings have for it. */
const NEEDED = [
  { flag: PermissionFlagsBits.ViewChannel, name: "View Channel" },
  { flag: PermissionFlagsBits.SendMessages, name: "Send Messages" },
  { flag: PermissionFlagsBits.AttachFiles, name: "Attach Files" },
  { flag: PermissionFlagsBits.ReadMessageHistory, name: "Read Message History" },
] as const;

const IN_THREADS = { flag: PermissionFlagsBits.SendMessagesInThreads, name: "Send Messages in Threads" } as const;

/** What the invite link asks for. */
export const NEEDED_PERMISSIONS = [...NEEDED, IN_THREADS].reduce((sum, { flag }) => sum | flag, 0n);

export interface Missing {
  /** As Discord's settings name them. */
  readonly names: readonly string[];
  /** The bot cannot even say so there. */
  readonly isMute: boolean;
}

/**
 * What the bot lacks for an answer at a site; undefined: nothing, or Discord has not told enough of the guild.
 * @param granted the permissions that came with an interaction, else those known of the guild
 */
export function missingPermissions(
  client: Client,
  site: Site,
  granted = knownPermissions(client, site),
): Missing | undefined {
  if (granted === undefined) return undefined;
  const needed =
    site.thread === undefined ? NEEDED : [...NEEDED.filter(({ name }) => name !== "Send Messages"), IN_THREADS];
  const lacking = needed.filter(({ flag }) => !granted.has(flag));
  if (lacking.length === 0) return undefined;
  const speaks = [PermissionFlagsBits.ViewChannel, PermissionFlagsBits.SendMessages, IN_THREADS.flag];
  return {
    names: lacking.map(({ name }) => name),
    isMute: lacking.some(({ flag }) => speaks.includes(flag)),
  };
}

function knownPermissions(client: Client, site: Site): PermissionsBitField | undefined {
  const channel = client.guilds.cache.get(site.workspace)?.channels.cache.get(site.channel);
  const me = channel?.guild.members.me;
  return channel === undefined || !me ? undefined : new PermissionsBitField(channel.permissionsFor(me).bitfield);
}

/** Whether a person can read what was written in a channel. Asks Discord for the person's roles. */
export async function canRead(client: Client, site: Site, user: string): Promise<boolean> {
  const channel = client.guilds.cache.get(site.workspace)?.channels.cache.get(site.channel);
  if (channel === undefined) return false;
  const member = await channel.guild.members.fetch(user).catch(() => undefined);
  if (member === undefined) return false;
  const readable = [PermissionFlagsBits.ViewChannel, PermissionFlagsBits.ReadMessageHistory];
  if (!channel.permissionsFor(member).has(readable)) return false;
  const inThread = site.thread === undefined ? undefined : channel.guild.channels.cache.get(channelOf(site));
  // A private thread is for its members alone.
  return !(inThread?.isThread() && inThread.type === ChannelType.PrivateThread) || (await isInThread(inThread, user));
}

async function isInThread(
  thread: { members: { fetch(user: string): Promise<unknown> } },
  user: string,
): Promise<boolean> {
  return thread.members.fetch(user).then(
    () => true,
    () => false,
  );
}

/** A person's standing in a guild, from the roles that came with a message. */
export function isGuildAdmin(client: Client, guildId: string, user: string, roles: readonly string[]): boolean {
  const guild = client.guilds.cache.get(guildId);
  if (guild === undefined) return false;
  if (guild.ownerId === user) return true;
  return [guildId, ...roles].some((role) =>
    guild.roles.cache.get(role)?.permissions.has(PermissionFlagsBits.ManageGuild),
  );
}
