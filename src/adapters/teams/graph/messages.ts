// Messages of channels and chats through Graph: what is attached to them, and which of them Earshot posted.
import type { PlatformError } from "../../../core/errors.ts";
import { type ChatMessage, fileLinksOf } from "./chat-message.ts";
import type { Graph } from "./client.ts";
import type { GraphHosts } from "./clouds.ts";
import { type DriveItem, mediaFileOf } from "./drive-items.ts";
import { isRefused } from "./errors.ts";
import type { MessageAt, MessageFile, OwnMessage, ThreadAt } from "./index.ts";
import { type GraphPath, path } from "./path.ts";
import { CHANNEL_READ, CHAT_READ, FILES } from "./permissions.ts";
import type { Rights } from "./rights.ts";

export interface MessageParts {
  readonly graph: Graph;
  readonly hosts: GraphHosts;
  readonly rights: Rights;
  readonly appId: string;
}

const CARD = "application/vnd.microsoft.card.adaptive";
/** Ref: Microsoft Graph, "List messages in a chat": up to 50 a page. */
const PAGE = 50;
const MOST_LOOKED = 1000;

export function createMessages({ graph, hosts, rights, appId }: MessageParts) {
  async function resolved(link: string): Promise<DriveItem> {
    const token = `u!${Buffer.from(link).toString("base64url")}`;
    return graph.get<DriveItem>({
      path: path`/shares/${token}/driveItem`,
      doing: "a file of a message",
      needs: FILES,
    });
  }

  return {
    async files(at: MessageAt): Promise<readonly MessageFile[]> {
      const message = await graph.get<ChatMessage>({
        path: pathOf(at),
        doing: "a message with its files",
        needs: at.kind === "channel" ? CHANNEL_READ : CHAT_READ,
      });
      const found: MessageFile[] = [];
      let refused: PlatformError | undefined;
      for (const link of fileLinksOf(message, hosts)) {
        try {
          const item = await resolved(link);
          const file = mediaFileOf(item);
          if (file === undefined) continue;
          await rights.check(item, message.from?.user?.id ?? undefined, at);
          found.push(file);
        } catch (error) {
          // One that may not be read, or is gone, does not hide the others.
          if (!isRefused(error, "forbidden", "gone")) throw error;
          refused ??= error;
        }
      }
      if (found.length === 0 && refused !== undefined) throw refused;
      return found;
    },

    async userFile(user: string, item: string): Promise<MessageFile | undefined> {
      const told = await graph.get<DriveItem>({
        path: path`/users/${user}/drive/items/${item}`,
        doing: "a file of a personal chat",
        needs: FILES,
      });
      return mediaFileOf(told);
    },

    async ownMessages(at: ThreadAt, sinceMs?: number): Promise<readonly OwnMessage[]> {
      const asked = {
        path:
          at.kind === "channel"
            ? path`/teams/${at.team}/channels/${at.channel}/messages/${at.root}/replies`
            : path`/chats/${at.chat}/messages`,
        query: { $top: String(PAGE) },
        doing: "what Earshot posted",
        needs: at.kind === "channel" ? CHANNEL_READ : CHAT_READ,
      };
      const found: OwnMessage[] = [];
      let looked = 0;
      // Newest first, as far back as was asked for.
      for await (const { id, from, attachments, createdDateTime } of graph.list<ChatMessage>(asked)) {
        const isOlder = createdDateTime != null && Date.parse(createdDateTime) < (sinceMs ?? 0);
        if (isOlder || ++looked > (sinceMs === undefined ? PAGE : MOST_LOOKED)) break;
        if (id === undefined || from?.application?.id !== appId) continue;
        const cards = (attachments ?? []).flatMap((each) => (each.contentType === CARD && each.content) || []);
        found.push({ id, cards });
      }
      return found;
    },
  };
}

function pathOf(at: MessageAt): GraphPath {
  if (at.kind === "chat") return path`/chats/${at.chat}/messages/${at.message}`;
  const { team, channel, root, reply } = at;
  return reply === undefined || reply === root
    ? path`/teams/${team}/channels/${channel}/messages/${root}`
    : path`/teams/${team}/channels/${channel}/messages/${root}/replies/${reply}`;
}
