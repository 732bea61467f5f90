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
  botId: string,
  nowMs: number,
  missed: Incoming["missed"],
  signal: AbortSignal,
): Promise<void> {
  const since = SnowflakeUtil.generate({ timestamp: nowMs - CATCH_UP_MS, increment: 0n, processId: 0n, workerId: 0n });
  for (const guild of client.guilds.cache.values()) {
    for (const channel of channelsSince(guild, since)) {
      const messages = await readChannel(channel, since.toString(), rest, signal);
      for (const message of unanswered(messages, botId)) await missed(message, guild.id);
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

async function readChannel(channel: string, since: string, rest: REST, signal: AbortSignal): Promise<APIMessage[]> {
  const messages: APIMessage[] = [];
  for (let after = since; ; ) {
    signal.throwIfAborted();
    const query = new URLSearchParams({ limit: String(PAGE), after });
    const page = (await platformCall("what was missed", () =>
      rest.get(Routes.channelMessages(channel), { query }),
    )) as APIMessage[];
    // Newest first, as Discord gives them.
    messages.push(...page.toReversed());
    const newest = page[0];
    if (newest === undefined || page.length < PAGE) return messages;
    after = newest.id;
  }
}

/** What was answered is not taken again, above all not when its transcript was deleted since. */
function unanswered(messages: readonly APIMessage[], botId: string): APIMessage[] {
  const answered = new Set(
    messages.filter(({ author }) => author.id === botId).map((message) => message.message_reference?.message_id),
  );
  return messages.filter(({ id }) => !answered.has(id));
}
