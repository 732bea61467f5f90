// What was posted while the bot was not connected: Discord does not send it again, so it is read from the channels.
import {
  type APIMessage,
  type Client,
  type Guild,
  PermissionFlagsBits,
  type REST,
  Routes,
  SnowflakeUtil,
} from "discord.js";
import { platformCall } from "./errors.ts";
import type { Incoming } from "./incoming.ts";

/** How far back a start looks. Longer ago than this nobody waits for the answer any more. */
export const CATCH_UP_MS = 15 * 60_000;
/** Ref: Discord, "Get Channel Messages": up to 100 at a time. */
const PAGE = 100;

/** Hands the recent messages of all channels that the bot can read to `missed`; the queue knows which are new. */
export async function catchUp(
  client: Client,
  rest: REST,
  nowMs: number,
  missed: Incoming["missed"],
  signal: AbortSignal,
): Promise<void> {
  const since = SnowflakeUtil.generate({ timestamp: nowMs - CATCH_UP_MS, increment: 0n, processId: 0n, workerId: 0n });
  for (const guild of client.guilds.cache.values()) {
    for (const channel of channelsSince(guild, since)) {
      await readChannel(channel, guild.id, since.toString(), rest, missed, signal);
    }
  }
}

function channelsSince(guild: Guild, since: bigint): string[] {
  const { me } = guild.members;
  const readable = [PermissionFlagsBits.ViewChannel, PermissionFlagsBits.ReadMessageHistory];
  return [...guild.channels.cache.values()].flatMap((channel) => {
    const last = "lastMessageId" in channel ? channel.lastMessageId : undefined;
    if (!last || BigInt(last) < since) return [];
    return me !== null && channel.permissionsFor(me).has(readable) ? [channel.id] : [];
  });
}

async function readChannel(
  channel: string,
  guildId: string,
  since: string,
  rest: REST,
  missed: Incoming["missed"],
  signal: AbortSignal,
): Promise<void> {
  for (let after = since; ; ) {
    signal.throwIfAborted();
    const query = new URLSearchParams({ limit: String(PAGE), after });
    const page = (await platformCall("what was missed", () =>
      rest.get(Routes.channelMessages(channel), { query }),
    )) as APIMessage[];
    // Newest first, as Discord gives them.
    for (const message of page.toReversed()) await missed(message, guildId);
    const newest = page[0];
    if (newest === undefined || page.length < PAGE) return;
    after = newest.id;
  }
}
