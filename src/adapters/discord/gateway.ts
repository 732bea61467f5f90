// The connection to Discord's gateway: least intents, reconnects, and the events that matter.
import {
  type APIInteraction,
  Client,
  Events,
  GatewayDispatchEvents,
  GatewayIntentBits,
  type GatewayMessageCreateDispatchData,
  type GatewayMessageDeleteBulkDispatchData,
  type GatewayMessageDeleteDispatchData,
  Options,
  type RESTOptions,
} from "discord.js";
import { PlatformError } from "../../core/errors.ts";
import type { Observe } from "../../core/ports.ts";
import { asPlatformError } from "./errors.ts";

export function createClient(hasMessageContent: boolean, rest: Partial<RESTOptions>): Client {
  const { Guilds, GuildMessages, DirectMessages, MessageContent } = GatewayIntentBits;
  return new Client({
    intents: [Guilds, GuildMessages, DirectMessages, ...(hasMessageContent ? [MessageContent] : [])],
    rest,
    shards: "auto",
    // Guilds, channels and roles tell the permissions; of messages and people nothing is kept.
    makeCache: Options.cacheWithLimits({
      ...Options.DefaultMakeCacheSettings,
      MessageManager: 0,
      PresenceManager: 0,
      ReactionManager: 0,
      GuildEmojiManager: 0,
      GuildStickerManager: 0,
      VoiceStateManager: 0,
      GuildMemberManager: { maxSize: 1, keepOverLimit: (member) => member.id === member.client.user.id },
      UserManager: { maxSize: 1, keepOverLimit: (user) => user.id === user.client.user.id },
    }),
  });
}

export interface GatewayEvents {
  message(message: GatewayMessageCreateDispatchData): void;
  interaction(interaction: APIInteraction): void;
  deleted(channel: string, guildId: string | undefined, messages: readonly string[]): void;
  /** A session began that knows nothing of what was sent before it; a resumed one does. */
  began(): void;
}

/** Resolves when events arrive. @throws PlatformError unauthorized, forbidden, unavailable; the signal's reason */
export async function connect(
  client: Client,
  token: string,
  on: GatewayEvents,
  observe: Observe,
  signal: AbortSignal,
): Promise<void> {
  // The raw payloads, as fixtures and the documentation have them.
  client.ws.on(GatewayDispatchEvents.MessageCreate, (message: GatewayMessageCreateDispatchData) => on.message(message));
  client.ws.on(GatewayDispatchEvents.InteractionCreate, (interaction: APIInteraction) => on.interaction(interaction));
  client.ws.on(GatewayDispatchEvents.MessageDelete, ({ channel_id, guild_id, id }: GatewayMessageDeleteDispatchData) =>
    on.deleted(channel_id, guild_id, [id]),
  );
  client.ws.on(
    GatewayDispatchEvents.MessageDeleteBulk,
    ({ channel_id, guild_id, ids }: GatewayMessageDeleteBulkDispatchData) => on.deleted(channel_id, guild_id, ids),
  );
  client.on(Events.ShardReady, () => on.began());
  client.on(Events.Error, (error) => observe({ kind: "unexpected", where: "the Discord client", error }));
  client.on(Events.ShardError, (error) => observe({ kind: "unexpected", where: "the Discord gateway", error }));

  const ready = new Promise<void>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    client.once(Events.ClientReady, () => resolve());
    // Told only when discord.js does not try again.
    client.on(Events.ShardDisconnect, ({ code }) => {
      const error = refusedBy(code);
      observe({ kind: "unexpected", where: "the Discord gateway", error });
      reject(error);
    });
    client.login(token).catch(reject);
  });
  try {
    await ready;
  } catch (error) {
    await disconnect(client);
    throw asPlatformError(error, "the connection");
  }
}

/**
 * Ends all connections. @discordjs/ws 1.2 forgets a connection that is still being made when it is destroyed, and its
 * failure would then end the process as an error that nobody listens to; such a connection is broken off here.
 */
export async function disconnect(client: Client): Promise<void> {
  const { _ws } = client.ws as unknown as {
    readonly _ws?: { readonly strategy?: { readonly shards?: Shards } } | null;
  };
  const connections = [...(_ws?.strategy?.shards?.values() ?? [])].flatMap(({ connection }) => connection ?? []);
  for (const connection of connections) connection.on("error", () => {});
  await client.destroy();
  for (const connection of connections) connection.terminate();
}

type Shards = ReadonlyMap<number, { readonly connection?: Connection | null }>;
interface Connection {
  on(event: "error", listener: () => void): unknown;
  terminate(): void;
}

/** Ref: Discord, "Gateway Close Event Codes" */
function refusedBy(code: number): PlatformError {
  if (code === 4004) {
    return new PlatformError("unauthorized", "Discord does not take the bot's token: set DISCORD_TOKEN to a new one.");
  }
  if (code === 4013 || code === 4014) {
    return new PlatformError(
      "forbidden",
      "Discord does not grant an intent: switch on Message Content in the developer portal, under Bot.",
    );
  }
  return new PlatformError("unavailable", `Discord ended the connection for good (${code}). Start Earshot again.`);
}
