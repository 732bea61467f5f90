// What was posted while Earshot was away: Teams does not send it again, so it is read from the conversations, through Graph.
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../../core/errors.ts";
import type { Place } from "../../core/recording.ts";
import type { Conversations } from "./conversations.ts";
import type { RecentAt, RecentMessage, TeamsGraph } from "./graph/index.ts";

/** How far back a start looks. Longer ago than this nobody waits for the answer any more. */
const CATCH_UP_MS = 15 * 60_000;
const MOST_TRIES = 3;
const PAUSE_MS = 5000;

export interface CatchUpParts {
  readonly conversations: Conversations;
  readonly graph: Pick<TeamsGraph, "recent">;
  readonly tenant: string;
  readonly nowMs: number;
  /** Hears of a message as if it had just come; the queue knows whether it is new. */
  readonly missed: (place: Place) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Hands on the recent messages with files of all conversations that Earshot may read, except personal ones. */
export async function catchUp(parts: CatchUpParts): Promise<void> {
  const { conversations, tenant, missed, signal } = parts;
  for (const { channel, sort } of await conversations.all()) {
    if (sort === "personal") continue;
    for (const { message, root, sender } of await patiently(() => recentIn(channel, sort, parts), [], signal)) {
      const thread = root === undefined ? {} : { thread: root };
      const at = { platform: "teams", workspace: tenant, channel, message, ...thread } as const;
      const place: Place = { ...at, isDirect: false, user: sender, reach: "thread" };
      await patiently(() => missed(place), undefined, signal);
    }
  }
}

async function recentIn(
  channel: string,
  sort: "chat" | "channel",
  { conversations, graph, nowMs, signal }: CatchUpParts,
): Promise<readonly RecentMessage[]> {
  let at: RecentAt = { kind: "chat", chat: channel };
  if (sort === "channel") {
    const team = await conversations.groupOf(channel);
    if (team === undefined) return [];
    at = { kind: "channel", team, channel };
  }
  return graph.recent(at, nowMs - CATCH_UP_MS, signal);
}

/** Nobody waits for this: as long as Microsoft asks for. What Earshot may not read, or has left, has nothing for it. */
async function patiently<Result>(
  look: () => Promise<Result>,
  otherwise: Result,
  signal: AbortSignal,
  tries = 1,
): Promise<Result> {
  try {
    signal.throwIfAborted();
    return await look();
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const { code, retryAfterMs = PAUSE_MS } = error;
    if ((code !== "rate_limited" && code !== "unavailable") || tries === MOST_TRIES) return otherwise;
    await sleep(retryAfterMs, undefined, { signal, ref: false });
    return patiently(look, otherwise, signal, tries + 1);
  }
}
