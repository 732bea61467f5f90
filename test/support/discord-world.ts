// What the local counterpart of Discord knows: guilds, channels, messages, files and interactions, with Discord's limits.
import {
  type APIApplicationCommandInteraction,
  type APIAttachment,
  type APIInteraction,
  type APIMessage,
  type APIUser,
  ChannelType,
  type GuildMemberFlags,
  InteractionContextType,
  type MessageFlags,
  MessageType,
  PermissionFlagsBits,
} from "discord-api-types/v10";

const EPOCH_MS = 1_420_070_400_000;
export const APPLICATION = "900000000000000001";
export const BOT = "900000000000000002";
export const OWNER = "900000000000000003";
export const PERSON = "900000000000000004";
export const GUILD = "900000000000000010";
export const EDITOR_ROLE = "900000000000000011";

export interface ChannelState {
  readonly id: string;
  readonly type: ChannelType;
  readonly guild?: string;
  readonly parent?: string;
  readonly recipient?: string;
  /** Denied to everyone there but people who administer. */
  denied: bigint;
  /** One person who does not see the channel. */
  hiddenFrom?: string;
  readonly messages: APIMessage[];
}

export interface StoredFile {
  readonly data: Buffer;
  readonly contentType: string;
  expiresAtMs: number;
}

export interface InteractionState {
  readonly interaction: APIInteraction;
  readonly createdAtMs: number;
  acknowledged: boolean;
  isEphemeral: boolean;
  responseId?: string;
}

export type World = ReturnType<typeof createWorld>;

export function user(id: string, name: string, bot = false): APIUser {
  return { id, username: name, discriminator: "0", global_name: name, avatar: null, ...(bot ? { bot } : {}) };
}

export function createWorld(now: () => number) {
  let serial = 0n;
  const id = () => String((BigInt(now() - EPOCH_MS) << 22n) | (serial++ & 0x3fffffn));
  const channels = new Map<string, ChannelState>();
  const files = new Map<string, StoredFile>();
  const interactions = new Map<string, InteractionState>();
  const people = new Map([
    [BOT, user(BOT, "Earshot", true)],
    [OWNER, user(OWNER, "owner")],
    [PERSON, user(PERSON, "person")],
  ]);

  function addChannel(type: ChannelType, more: { guild?: string; parent?: string; recipient?: string } = {}): string {
    const channel = { id: id(), type, denied: 0n, messages: [], ...more };
    channels.set(channel.id, channel);
    return channel.id;
  }

  function attach(name: string, data: Buffer, contentType: string, base: string, more: Partial<APIAttachment> = {}) {
    const attachmentId = id();
    const path = `/attachments/1/${attachmentId}/${encodeURIComponent(name)}`;
    files.set(path, { data, contentType, expiresAtMs: now() + 24 * 3_600_000 });
    const attachment: APIAttachment = {
      id: attachmentId,
      filename: name,
      size: data.length,
      url: signed(path, base),
      proxy_url: signed(path, base),
      content_type: contentType,
      ...more,
    };
    return attachment;
  }

  /** As Discord does when a message is fetched: the same file with a new time of expiry. */
  function signed(path: string, base: string): string {
    const file = files.get(path);
    if (file !== undefined && file.expiresAtMs < now()) file.expiresAtMs = now() + 24 * 3_600_000;
    const expires = Math.floor((file?.expiresAtMs ?? 0) / 1000).toString(16);
    return `${base}${path}?ex=${expires}&is=1&hm=1`;
  }

  function addMessage(channelId: string, author: string, more: Partial<APIMessage> = {}): APIMessage {
    const channel = channels.get(channelId)!;
    const message: APIMessage = {
      id: id(),
      channel_id: channelId,
      author: people.get(author) ?? user(author, "somebody"),
      content: "",
      timestamp: new Date(now()).toISOString(),
      edited_timestamp: null,
      tts: false,
      mention_everyone: false,
      mentions: [],
      mention_roles: [],
      attachments: [],
      embeds: [],
      pinned: false,
      type: MessageType.Default,
      flags: 0 as MessageFlags,
      components: [],
      ...more,
    };
    channel.messages.push(message);
    return message;
  }

  function directChannel(recipient: string): string {
    for (const channel of channels.values()) if (channel.recipient === recipient) return channel.id;
    return addChannel(ChannelType.DM, { recipient });
  }

  function member(userId: string, roles: readonly string[] = []) {
    return {
      user: people.get(userId) ?? user(userId, "somebody"),
      roles: [...roles],
      joined_at: "2026-01-01T00:00:00.000Z",
      deaf: false,
      mute: false,
      flags: 0 as GuildMemberFlags,
    };
  }

  function permissions(channelId: string): bigint {
    const channel = channels.get(channelId);
    const parent = channel?.parent === undefined ? undefined : channels.get(channel.parent);
    return GRANTED & ~(channel?.denied ?? 0n) & ~(parent?.denied ?? 0n);
  }

  /** A command as Discord would send it; `data` says which. */
  function addInteraction(
    channelId: string,
    by: string,
    rest: Pick<APIApplicationCommandInteraction, "type" | "data"> | object,
    options: { isInstalledByUser?: boolean; uploadBytes?: number; isAdmin?: boolean } = {},
  ): APIInteraction {
    const channel = channels.get(channelId)!;
    const interactionId = id();
    const rights = options.isAdmin ? permissions(channelId) | PermissionFlagsBits.ManageGuild : permissions(channelId);
    const person = member(by);
    const interaction = {
      id: interactionId,
      application_id: APPLICATION,
      token: `interaction-${interactionId}`,
      version: 1,
      channel: { id: channelId, type: channel.type, ...(channel.parent ? { parent_id: channel.parent } : {}) },
      channel_id: channelId,
      app_permissions: String(options.isInstalledByUser ? 0n : permissions(channelId)),
      locale: "en-US",
      entitlements: [],
      authorizing_integration_owners: options.isInstalledByUser ? { 1: by } : { 0: channel.guild ?? "0" },
      context:
        channel.guild !== undefined
          ? InteractionContextType.Guild
          : channel.recipient === by
            ? InteractionContextType.BotDM
            : InteractionContextType.PrivateChannel,
      attachment_size_limit: options.uploadBytes ?? 10 * 1024 ** 2,
      ...(channel.guild === undefined
        ? { user: person.user }
        : { guild_id: channel.guild, member: { ...person, permissions: String(rights) } }),
      ...rest,
    } as unknown as APIInteraction;
    interactions.set(interaction.token, {
      interaction,
      createdAtMs: now(),
      acknowledged: false,
      isEphemeral: false,
    });
    return interaction;
  }

  return {
    now,
    id,
    channels,
    files,
    interactions,
    people,
    addChannel,
    attach,
    signed,
    addMessage,
    directChannel,
    member,
    permissions,
    addInteraction,
    /** People who take no direct messages from the bot. */
    closed: new Set<string>(),
  };
}

/** What the invite link grants, and what everyone has besides. */
export const GRANTED =
  PermissionFlagsBits.ViewChannel |
  PermissionFlagsBits.SendMessages |
  PermissionFlagsBits.SendMessagesInThreads |
  PermissionFlagsBits.AttachFiles |
  PermissionFlagsBits.ReadMessageHistory;
