// The conversations that the bot is in, kept across restarts: where their answers go, and which team a channel is of.
import { type Activity, type ConversationReference, TeamsInfo } from "botbuilder";
import { PlatformError } from "../../core/errors.ts";
import type { PlatformNotes } from "../../core/ports.ts";
import { record, text } from "./activity.ts";
import { type BotHosts, isAt } from "./cloud.ts";
import type { Connector } from "./connector.ts";
import { baseOf, type Sort, sortOf, threadOf, userOf } from "./place.ts";

export interface Known {
  readonly serviceUrl: string;
  readonly sort: Sort;
  /** The bot's own id there, such as "28:1f3a…". */
  readonly bot: string;
  /** Of a channel: the team's conversation, and its group in the directory. */
  readonly team?: string;
  readonly group?: string;
  /** Of a personal chat. */
  readonly user?: string;
}

export interface Conversations {
  /** From an activity that came in there. */
  remember(activity: Activity): Promise<void>;
  forget(channel: string): Promise<void>;
  of(channel: string): Promise<Known | undefined>;
  all(): Promise<readonly { readonly channel: string; readonly sort: Sort }[]>;
  /** Where a message goes. A conversation that was never heard of is tried all the same. */
  reference(
    channel: string,
    more?: { readonly thread?: string; readonly answers?: string },
  ): Promise<ConversationReference>;
  /** The personal chat with somebody. @throws PlatformError forbidden: the app is not installed for that person */
  personal(user: string): Promise<string>;
  /** The directory's group of a channel's team. @throws PlatformError */
  groupOf(channel: string): Promise<string | undefined>;
}

export interface ConversationsParts {
  readonly connector: Connector;
  readonly notes: PlatformNotes;
  readonly hosts: BotHosts;
  readonly tenant: string;
  readonly appId: string;
}

const MOST_CACHED = 5000;
export const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function createConversations({ connector, notes, hosts, tenant, appId }: ConversationsParts): Conversations {
  const cached = new Map<string, Known>();
  const keyOf = (channel: string) => `conversation:${channel}`;

  function cache(channel: string, known: Known): void {
    cached.delete(channel);
    cached.set(channel, known);
    const [oldest] = cached.keys();
    if (cached.size > MOST_CACHED && oldest !== undefined) cached.delete(oldest);
  }

  async function of(channel: string): Promise<Known | undefined> {
    const known = cached.get(channel) ?? readKnown(await notes.get(keyOf(channel)));
    // What was allowed when it was written may not be any more.
    if (known === undefined || !isAt(known.serviceUrl, hosts.connectors)) return undefined;
    cache(channel, known);
    return known;
  }

  async function keep(channel: string, known: Known): Promise<void> {
    const before = await of(channel);
    const merged = { ...before, ...known };
    if (JSON.stringify(before) === JSON.stringify(merged)) return;
    await notes.put(keyOf(channel), merged);
    cache(channel, merged);
  }

  async function reference(
    channel: string,
    { thread, answers }: { readonly thread?: string; readonly answers?: string } = {},
  ): Promise<ConversationReference> {
    const known = await of(channel);
    const sort = known?.sort ?? sortOf({ id: channel });
    const conversationType = { personal: "personal", chat: "groupChat", channel: "channel" }[sort];
    return {
      channelId: "msteams",
      serviceUrl: known?.serviceUrl ?? hosts.serviceUrl,
      bot: { id: known?.bot ?? `28:${appId}`, name: "Earshot" },
      conversation: {
        id: sort === "channel" && thread !== undefined ? threadOf(channel, thread) : channel,
        conversationType,
        isGroup: sort !== "personal",
        tenantId: tenant,
        name: "",
      },
      ...(answers === undefined ? {} : { activityId: answers }),
    };
  }

  return {
    of,
    reference,

    async all() {
      const prefix = keyOf("");
      return (await notes.list(prefix)).flatMap(({ key, value }) => {
        const known = readKnown(value);
        const isHere = known !== undefined && isAt(known.serviceUrl, hosts.connectors);
        return isHere ? { channel: key.slice(prefix.length), sort: known.sort } : [];
      });
    },

    async remember(activity) {
      const { id } = activity.conversation;
      const data = record(activity.channelData);
      const team = text(record(data["team"])["id"]);
      const group = text(record(data["team"])["aadGroupId"]);
      const sort = sortOf(activity.conversation);
      const user = userOf(activity);
      const channel = baseOf(id);
      await keep(channel, {
        serviceUrl: activity.serviceUrl,
        sort,
        bot: activity.recipient.id,
        ...(team === undefined ? {} : { team }),
        ...(group !== undefined && GUID.test(group) ? { group } : {}),
        ...(sort === "personal" ? { user } : {}),
      });
      if (sort === "personal" && (await notes.get(`person:${user}`)) !== channel)
        await notes.put(`person:${user}`, channel);
    },

    async forget(channel) {
      const known = await of(channel);
      cached.delete(channel);
      await notes.remove(keyOf(channel));
      if (known?.user !== undefined) await notes.remove(`person:${known.user}`);
    },

    async personal(user) {
      const known = await notes.get(`person:${user}`);
      if (typeof known === "string") return known;
      const opened = await connector.open(hosts.serviceUrl, {
        isGroup: false,
        bot: { id: `28:${appId}`, name: "Earshot" },
        members: [{ id: user, name: "" }],
        tenantId: tenant,
        channelData: { tenant: { id: tenant } },
      } as Parameters<Connector["open"]>[1]);
      const { id } = opened.conversation;
      await keep(id, { serviceUrl: opened.serviceUrl ?? hosts.serviceUrl, sort: "personal", bot: `28:${appId}`, user });
      await notes.put(`person:${user}`, id);
      return id;
    },

    async groupOf(channel) {
      const known = await of(channel);
      if (known === undefined || known.group !== undefined || known.team === undefined) return known?.group;
      const { team } = known;
      const details = await connector.within(await reference(channel), (context) =>
        TeamsInfo.getTeamDetails(context, team),
      );
      const group = details.aadGroupId;
      if (group === undefined || !GUID.test(group))
        throw new PlatformError("forbidden", "Teams does not tell which team it is.");
      await keep(channel, { ...known, group });
      return group;
    },
  };
}

function readKnown(value: unknown): Known | undefined {
  const { serviceUrl, sort, bot } = record(value);
  const isKnown = typeof serviceUrl === "string" && typeof bot === "string";
  return isKnown && (sort === "personal" || sort === "chat" || sort === "channel") ? (value as Known) : undefined;
}
