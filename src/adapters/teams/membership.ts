// The bot's coming and going: a short welcome, and which meetings it can answer in.
import { type Activity, TeamsInfo } from "botbuilder";
import type { Observe } from "../../core/ports.ts";
import { list, record, text } from "./activity.ts";
import type { Connector } from "./connector.ts";
import { type Conversations, GUID } from "./conversations.ts";
import type { TeamsGraph } from "./graph/index.ts";
import { baseOf, isMeeting, placeOf } from "./place.ts";
import type { Posts } from "./posts.ts";
import { welcomeAlone, welcomeTogether } from "./sentences.ts";

export interface MembershipParts {
  readonly connector: Connector;
  readonly conversations: Conversations;
  readonly posts: Posts;
  readonly graph: Pick<TeamsGraph, "meetingSeen"> | undefined;
  readonly tenant: string;
  readonly observe: Observe;
}

export interface Membership {
  changed(activity: Activity): Promise<void>;
  /** The bot is in that conversation, whatever the activity says besides. */
  seen(activity: Activity): Promise<void>;
}

const MOST_SEEN = 5000;

export function createMembership(parts: MembershipParts): Membership {
  const { connector, conversations, posts, graph, tenant } = parts;
  const meetings = new Set<string>();
  const welcoming = new Set<string>();

  /** Whose recordings are to be looked for after a time away. */
  async function meet(activity: Activity, channel: string): Promise<void> {
    if (graph === undefined || meetings.has(channel)) return;
    meetings.add(channel);
    if (meetings.size > MOST_SEEN) meetings.delete([...meetings][0] ?? "");
    const meeting = text(record(record(activity.channelData)["meeting"])["id"]);
    if (meeting === undefined) return;
    const { organizer } = await connector.within(await conversations.reference(channel), (context) =>
      TeamsInfo.getMeetingInfo(context, meeting),
    );
    const user = organizer?.aadObjectId;
    if (user !== undefined && GUID.test(user)) await graph.meetingSeen({ chat: channel, organizer: user });
  }

  async function seen(activity: Activity): Promise<void> {
    await conversations.remember(activity);
    const channel = baseOf(activity.conversation.id);
    if (!isMeeting(channel)) return;
    // Without the permission the notifications still come; only what was missed is not looked for here.
    meet(activity, channel).catch((error: unknown) => {
      parts.observe({ kind: "unexpected", where: "a meeting on Teams", error });
    });
  }

  /** Teams tells of the same coming up to three times, also at once. */
  async function welcome(activity: Activity): Promise<void> {
    const key = welcomeKey(activity);
    if (welcoming.has(key)) return;
    welcoming.add(key);
    try {
      if (await posts.hasPosted(key)) return;
      const { message: _message, thread: _thread, ...place } = placeOf(activity, tenant);
      const reply = place.isDirect ? welcomeAlone : welcomeTogether;
      await posts.reply({ ...place, reach: "channel" }, reply, { key });
    } finally {
      welcoming.delete(key);
    }
  }

  const welcomeKey = (activity: Activity) => `welcome:${baseOf(activity.conversation.id)}`;

  return {
    seen,

    async changed(activity) {
      const me = activity.recipient.id;
      const isMe = (members: unknown) => list(members).some(({ id }) => id === me);
      const { action } = activity as { action?: unknown };
      if (isMe(activity.membersRemoved) || action === "remove" || action === "remove-upgrade") {
        await conversations.forget(baseOf(activity.conversation.id));
        await posts.forget(welcomeKey(activity));
        return;
      }
      await seen(activity);
      if (isMe(activity.membersAdded) || action === "add") await welcome(activity);
    },
  };
}
