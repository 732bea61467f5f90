// What Earshot asks Slack for about what it was told: files, messages, threads, people.
import type { webApi } from "@slack/bolt";
import { PlatformError } from "../../core/errors.ts";
import type { Actor } from "../../core/ports.ts";
import type { Place, Recording } from "../../core/recording.ts";
import type { Calls } from "./calls.ts";
import { slackCode } from "./errors.ts";
import {
  filesOf,
  isUnknown,
  placeOf,
  readMessageLink,
  recordingOf,
  type Site,
  type SlackFile,
  type SlackMessage,
} from "./parse.ts";

export interface Lookups {
  /** @throws PlatformError gone, forbidden, … */
  file(id: string): Promise<SlackFile>;
  message(channel: string, ts: string): Promise<SlackMessage | undefined>;
  /** Oldest first, the one that began it included. */
  thread(channel: string, root: string): Promise<readonly SlackMessage[]>;
  /** Files of which Slack told the id alone are asked for. */
  recordings(message: SlackMessage, site: Site, isAsked?: boolean): Promise<readonly Recording[]>;
  /** The recordings of the message that a link leads to; undefined: none that this person may be shown. */
  linked(link: string, place: Place): Promise<readonly Recording[] | undefined>;
  actor(user: string): Promise<Actor>;
  /** Earshot can write there. */
  canAnswer(channel: string): Promise<boolean>;
}

const REMEMBERED_MS = 5 * 60_000;
const LOOK_BACK = 200;

export function createLookups(client: webApi.WebClient, calls: Calls, now: () => number): Lookups {
  const admins = new Map<string, { readonly isAdmin: boolean; readonly atMs: number }>();

  async function file(id: string): Promise<SlackFile> {
    const { file: found } = await calls.call("a file's description", () => client.files.info({ file: id }));
    if (found?.id === undefined || found.mode === "tombstone") {
      throw new PlatformError("gone", "The file was deleted from Slack.");
    }
    return { ...found, id: found.id };
  }

  async function thread(channel: string, root: string): Promise<readonly SlackMessage[]> {
    const { messages } = await calls.call("a thread", () =>
      client.conversations.replies({ channel, ts: root, limit: LOOK_BACK }),
    );
    return (messages ?? []) as SlackMessage[];
  }

  async function message(channel: string, ts: string, root?: string): Promise<SlackMessage | undefined> {
    return (await thread(channel, root ?? ts)).find((each) => each.ts === ts);
  }

  async function recordings(from: SlackMessage, site: Site, isAsked?: boolean): Promise<readonly Recording[]> {
    const place = placeOf(from, site);
    const found: Recording[] = [];
    for (const told of filesOf(from)) {
      const recording = recordingOf(isUnknown(told) ? await file(told.id) : told, place, isAsked || site.isDirect);
      if (recording !== undefined) found.push(recording);
    }
    return found;
  }

  /** Nobody gets to hear through Earshot what they could not hear themselves. */
  async function isOpenTo(channel: string, place: Place): Promise<boolean> {
    if (channel === place.channel) return true;
    const { channel: found } = await calls.call("a channel's description", () =>
      client.conversations.info({ channel }),
    );
    return found?.is_channel === true && !found.is_private && !found.is_ext_shared;
  }

  return {
    file,
    message,
    thread,
    recordings,

    async linked(link, place) {
      const at = readMessageLink(link);
      if (at === undefined) return undefined;
      try {
        if (!(await isOpenTo(at.channel, place))) return undefined;
        const found = await message(at.channel, at.message, at.thread);
        return found === undefined ? undefined : recordings(found, { ...siteOf(place), channel: at.channel }, true);
      } catch (error) {
        if (error instanceof PlatformError && (error.code === "gone" || error.code === "forbidden")) return undefined;
        throw error;
      }
    },

    async actor(user) {
      const known = admins.get(user);
      if (known !== undefined && known.atMs > now() - REMEMBERED_MS) return { user, isAdmin: known.isAdmin, roles: [] };
      const isAdmin = await calls
        .call("a person's rights", () => client.users.info({ user }))
        .then(
          ({ user: found }) => Boolean(found?.is_admin || found?.is_owner),
          // Nobody becomes an administrator by Slack's silence.
          () => false,
        );
      admins.set(user, { isAdmin, atMs: now() });
      return { user, isAdmin, roles: [] };
    },

    async canAnswer(channel) {
      try {
        const { channel: found } = await calls.call("a channel's description", () =>
          client.conversations.info({ channel }),
        );
        return Boolean(found?.is_im || found?.is_member);
      } catch (error) {
        // What Slack does not tell is found out by trying.
        return slackCode(error) !== "channel_not_found";
      }
    },
  };
}

export function siteOf({ platform, workspace, channel, isDirect }: Site): Site {
  return { platform, workspace, channel, isDirect };
}

/** A direct message has a channel of its own kind. */
export function siteAt(workspace: string, channel: string, type?: string): Site {
  return { platform: "slack", workspace, channel, isDirect: type === "im" || channel.startsWith("D") };
}
