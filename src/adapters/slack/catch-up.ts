// What was posted while Earshot was not there: Slack gives up after some minutes, so it is read from the channels.
import { setTimeout as sleep } from "node:timers/promises";
import type { webApi } from "@slack/bolt";
import { PlatformError } from "../../core/errors.ts";
import type { Calls } from "./calls.ts";
import { filesOf, type SlackMessage } from "./parse.ts";

/** How far back a start looks. Longer ago than this nobody waits for the answer any more. */
const CATCH_UP_MS = 15 * 60_000;
const PAGE = 200;

export interface CatchUpParts {
  readonly client: webApi.WebClient;
  readonly calls: Calls;
  readonly botUser: string;
  readonly nowMs: number;
  /** Hears of a message as if it had just come. */
  readonly missed: (message: SlackMessage, channel: string) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Hands on the recent messages with files that Earshot has not answered; the queue knows which of them are new. */
export async function catchUp({ client, calls, botUser, nowMs, missed, signal }: CatchUpParts): Promise<void> {
  const oldest = ((nowMs - CATCH_UP_MS) / 1000).toFixed(6);
  for (const channel of await channelsOf(client, calls)) {
    signal.throwIfAborted();
    for (const message of await historyOf(channel, oldest, { client, calls, signal })) {
      if (filesOf(message).length > 0 && !isAnswered(message, botUser)) await missed(message, channel);
    }
  }
}

async function channelsOf(client: webApi.WebClient, calls: Calls): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const { channels, response_metadata } = await calls.call("the list of its channels", () =>
      client.users.conversations({
        types: "public_channel,private_channel,mpim,im",
        exclude_archived: true,
        limit: PAGE,
        ...(cursor === undefined ? {} : { cursor }),
      }),
    );
    found.push(...(channels ?? []).flatMap(({ id }) => id ?? []));
    cursor = response_metadata?.next_cursor || undefined;
  } while (cursor !== undefined);
  return found;
}

async function historyOf(
  channel: string,
  oldest: string,
  parts: Pick<CatchUpParts, "client" | "calls" | "signal">,
): Promise<SlackMessage[]> {
  const { client, calls, signal } = parts;
  try {
    const { messages } = await calls.call("what was missed", () =>
      client.conversations.history({ channel, oldest, limit: PAGE }),
    );
    // Newest first, as Slack gives them.
    return ((messages ?? []) as SlackMessage[]).toReversed();
  } catch (error) {
    // Left in the meantime, or one of a kind that it may not read.
    if (error instanceof PlatformError && error.code === "forbidden") return [];
    if (!(error instanceof PlatformError && error.code === "rate_limited")) throw error;
    // Many channels, and nobody waits for this: as long as Slack asks for.
    await sleep(error.retryAfterMs ?? 1000, undefined, { signal, ref: false });
    return historyOf(channel, oldest, parts);
  }
}

/** What was answered is not taken again, above all not when its transcript was deleted since. */
function isAnswered({ reply_users: replied = [], reactions = [] }: SlackMessage, botUser: string): boolean {
  return replied.includes(botUser) || reactions.some(({ users = [] }) => users.includes(botUser));
}
