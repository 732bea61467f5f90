// What Earshot asks Microsoft for about what it was told: files of messages, links, who owns a team.
import { PlatformError } from "../../core/errors.ts";
import type { Actor } from "../../core/ports.ts";
import type { Place, Recording } from "../../core/recording.ts";
import type { Conversations } from "./conversations.ts";
import type { MessageAt, TeamsGraph } from "./graph/index.ts";
import { readMessageLink, recordingOf } from "./parse.ts";
import { type Sort, sortOf } from "./place.ts";

export interface Lookups {
  /** The recordings of the message at a place, through Graph. @throws PlatformError forbidden, gone, … */
  recordings(place: Place): Promise<readonly Recording[]>;
  /** The recordings of the message that a link leads to; undefined: none that this person may be shown. */
  linked(link: string, place: Place): Promise<readonly Recording[] | undefined>;
  actor(place: Place): Promise<Actor>;
}

export interface LookupsParts {
  readonly conversations: Conversations;
  readonly graph: Pick<TeamsGraph, "files" | "owners"> | undefined;
  readonly tenant: string;
  readonly now: () => number;
}

const REMEMBERED_MS = 5 * 60_000;
const MOST_REMEMBERED = 1000;

export function createLookups({ conversations, graph, tenant, now }: LookupsParts): Lookups {
  const owners = new Map<string, { readonly users: readonly string[]; readonly atMs: number }>();

  async function sortAt(channel: string): Promise<Sort> {
    return (await conversations.of(channel))?.sort ?? sortOf({ id: channel });
  }

  async function messageAt({ channel, message, thread }: Place): Promise<MessageAt | undefined> {
    if (message === undefined) return undefined;
    const sort = await sortAt(channel);
    if (sort === "personal") return undefined;
    if (sort === "chat") return { kind: "chat", chat: channel, message };
    const team = await conversations.groupOf(channel);
    if (team === undefined) throw new PlatformError("forbidden", "Teams does not tell which team a channel is of.");
    return thread === undefined
      ? { kind: "channel", team, channel, root: message }
      : { kind: "channel", team, channel, root: thread, reply: message };
  }

  async function recordings(place: Place): Promise<readonly Recording[]> {
    const at = await messageAt(place);
    if (at === undefined || graph === undefined) return [];
    return (await graph.files(at)).map((file) => recordingOf(file, place));
  }

  async function ownersOf(team: string): Promise<readonly string[]> {
    const known = owners.get(team);
    if (known !== undefined && known.atMs > now() - REMEMBERED_MS) return known.users;
    // Nobody becomes an administrator by Microsoft's silence.
    const users = (await graph?.owners(team).catch(() => [])) ?? [];
    owners.delete(team);
    owners.set(team, { users, atMs: now() });
    const [oldest] = owners.keys();
    if (owners.size > MOST_REMEMBERED && oldest !== undefined) owners.delete(oldest);
    return users;
  }

  return {
    recordings,

    async linked(link, place) {
      const at = readMessageLink(link);
      // Nobody gets to hear through Earshot what they could not hear themselves: links stay in their conversation.
      if (at === undefined || at.channel !== place.channel) return undefined;
      if (at.tenant !== undefined && at.tenant !== tenant) return undefined;
      const { thread: _thread, ...here } = place;
      try {
        return await recordings({
          ...here,
          message: at.message,
          ...(at.thread === undefined ? {} : { thread: at.thread }),
        });
      } catch (error) {
        if (error instanceof PlatformError && (error.code === "gone" || error.code === "forbidden")) return undefined;
        throw error;
      }
    },

    async actor({ channel, user }) {
      if ((await sortAt(channel)) !== "channel") return { user, isAdmin: false, roles: [] };
      const team = await conversations.groupOf(channel).catch(() => undefined);
      return { user, isAdmin: team !== undefined && (await ownersOf(team)).includes(user), roles: [] };
    },
  };
}
