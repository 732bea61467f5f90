// Messages of the Graph double: of channels and chats, with what is attached, and who is in a chat.
import { type Answer, type Json, type Route, refused, TENANT } from "./graph-double.ts";

export interface Member {
  readonly userId: string;
  readonly tenantId?: string;
  readonly roles?: readonly string[];
}

export function createMessages() {
  const messages = new Map<string, Json>();
  const members = new Map<string, readonly Member[]>();
  const sent = new Map<string, Json[]>();
  const key = (...parts: string[]) => parts.join("|");
  const messageAt = (at: string): Answer => {
    const body = messages.get(at);
    return body === undefined ? refused(404, "NotFound") : { body };
  };
  const allIn = (chat: string): Json[] => {
    const of = [...messages].filter(([at]) => at.startsWith(`${chat}|`)).map(([, message]) => message);
    return [...of, ...(sent.get(chat) ?? [])].toSorted(byTime);
  };
  const CHANNEL = /^\/teams\/([^/]+)\/channels\/([^/]+)/.source;

  const routes: Route[] = [
    {
      method: "GET",
      pattern: new RegExp(`${CHANNEL}/messages$`),
      any: ["ChannelMessage.Read.Group"],
      answer({ ids: [team = "", channel = ""], url }) {
        const threads = new Map<string, Json[]>();
        for (const [at, message] of messages) {
          const [inTeam, inChannel, root = "", id] = at.split("|");
          if (inTeam !== team || inChannel !== channel) continue;
          const thread = threads.get(root) ?? [];
          threads.set(root, id === root ? [message, ...thread] : [...thread, message]);
        }
        const expanded = url.searchParams.get("$expand") === "replies";
        const roots = [...threads.values()].map(([root = {}, ...replies]) => (expanded ? { ...root, replies } : root));
        return newest(roots, url);
      },
    },
    {
      method: "GET",
      pattern: new RegExp(`${CHANNEL}/messages/([^/]+)$`),
      any: ["ChannelMessage.Read.Group"],
      answer: ({ ids: [team = "", channel = "", root = ""] }) => messageAt(key(team, channel, root, root)),
    },
    {
      method: "GET",
      pattern: new RegExp(`${CHANNEL}/messages/([^/]+)/replies$`),
      any: ["ChannelMessage.Read.Group"],
      answer: ({ ids: [team = "", channel = "", root = ""], url }) =>
        newest(sent.get(key(team, channel, root)) ?? [], url),
    },
    {
      method: "GET",
      pattern: new RegExp(`${CHANNEL}/messages/([^/]+)/replies/([^/]+)$`),
      any: ["ChannelMessage.Read.Group"],
      answer: ({ ids: [team = "", channel = "", root = "", reply = ""] }) => messageAt(key(team, channel, root, reply)),
    },
    {
      method: "GET",
      pattern: /^\/chats\/([^/]+)\/messages$/,
      any: ["ChatMessage.Read.Chat"],
      answer: ({ ids: [chat = ""], url }) => newest(allIn(chat), url),
    },
    {
      method: "GET",
      pattern: /^\/chats\/([^/]+)\/messages\/([^/]+)$/,
      any: ["ChatMessage.Read.Chat"],
      answer: ({ ids: [chat = "", message = ""] }) => messageAt(`${chat}|${message}`),
    },
    {
      method: "GET",
      pattern: /^\/chats\/([^/]+)\/members$/,
      any: ["ChatMember.Read.Chat"],
      answer: ({ ids: [chat = ""], url }) => paged(members.get(chat) ?? [], url),
    },
    {
      method: "GET",
      pattern: /^\/teams\/([^/]+)\/members$/,
      any: ["TeamMember.Read.Group"],
      answer: ({ ids: [team = ""], url }) => paged(members.get(team) ?? [], url),
    },
  ];

  return {
    routes,
    world: {
      addChannelMessage(at: { team: string; channel: string; root: string; reply?: string }, message: Json): void {
        messages.set(key(at.team, at.channel, at.root, at.reply ?? at.root), message);
      },
      addChatMessage: (chat: string, id: string, message: Json) => void messages.set(key(chat, id), message),
      /** Of a chat or a team. */
      setMembers: (where: string, who: readonly Member[]) => void members.set(where, who),
      /** What the bot posted there, oldest first; for a channel's thread "team|channel|root". */
      setSent: (where: string, posted: Json[]) => void sent.set(where, posted),
    },
  };
}

/** In pages of two, as a collection may come. */
function paged(all: readonly Member[], url: URL): Answer {
  const from = Number(url.searchParams.get("$skiptoken") ?? 0);
  const next = new URL(url);
  next.searchParams.set("$skiptoken", String(from + 2));
  return {
    body: {
      value: all.slice(from, from + 2).map((each) => ({ tenantId: TENANT, ...each })),
      ...(from + 2 < all.length ? { "@odata.nextLink": next.href } : {}),
    },
  };
}

/** What has no time stays where it is. */
function byTime({ createdDateTime: a }: Json, { createdDateTime: b }: Json): number {
  return typeof a === "string" && typeof b === "string" ? a.localeCompare(b) : 0;
}

function newest(all: readonly Json[], url: URL): Answer {
  const top = Math.min(Number(url.searchParams.get("$top") ?? 20), 50);
  const from = Number(url.searchParams.get("$skiptoken") ?? 0);
  const next = new URL(url);
  next.searchParams.set("$skiptoken", String(from + top));
  return {
    body: {
      value: all.toReversed().slice(from, from + top),
      ...(from + top < all.length ? { "@odata.nextLink": next.href } : {}),
    },
  };
}
