// Messages with files that people posted in a conversation lately: for what came while nobody listened.
import { type ChatMessage, fileLinksOf } from "./chat-message.ts";
import type { Graph } from "./client.ts";
import type { GraphHosts } from "./clouds.ts";
import type { RecentAt, RecentMessage } from "./index.ts";
import { path } from "./path.ts";
import { CHANNEL_READ, CHAT_READ } from "./permissions.ts";

/** Ref: Microsoft Graph, "List channel messages", "List messages in a chat": up to 50 a page. */
const PAGE = 50;
const MOST_LOOKED = 500;

export interface RecentParts {
  readonly graph: Graph;
  readonly hosts: GraphHosts;
}

/** Oldest first. In a channel, those of its fifty newest threads. @throws PlatformError forbidden, gone, … */
export async function recentMessages(
  at: RecentAt,
  sinceMs: number,
  { graph, hosts }: RecentParts,
  signal?: AbortSignal,
): Promise<readonly RecentMessage[]> {
  const found = new Map<string, RecentMessage>();
  const look = (message: ChatMessage, root?: string) => {
    const { id, from, deletedDateTime } = message;
    const sender = from?.user?.id;
    const atMs = timeOf(message);
    if (id === undefined || !sender || deletedDateTime || atMs === undefined || atMs < sinceMs) return;
    if (fileLinksOf(message, hosts).length === 0) return;
    found.set(id, { message: id, ...(root === undefined ? {} : { root }), sender, atMs });
  };

  let looked = 0;
  const doing = "what was posted lately";
  if (at.kind === "channel") {
    const query = { $top: String(PAGE), $expand: "replies" };
    const asked = { path: path`/teams/${at.team}/channels/${at.channel}/messages`, query, doing, needs: CHANNEL_READ };
    for await (const message of graph.list<ChatMessage>({ ...asked, signal })) {
      look(message);
      for (const reply of message.replies ?? []) look(reply, message.id);
      if (++looked === PAGE) break;
    }
  } else {
    const query = { $top: String(PAGE), $orderby: "createdDateTime desc" };
    const asked = { path: path`/chats/${at.chat}/messages`, query, doing, needs: CHAT_READ };
    for await (const message of graph.list<ChatMessage>({ ...asked, signal })) {
      if ((timeOf(message) ?? sinceMs) < sinceMs || ++looked > MOST_LOOKED) break;
      look(message);
    }
  }
  return [...found.values()].toSorted((a, b) => a.atMs - b.atMs);
}

function timeOf({ createdDateTime }: ChatMessage): number | undefined {
  const ms = Date.parse(createdDateTime ?? "");
  return Number.isNaN(ms) ? undefined : ms;
}
