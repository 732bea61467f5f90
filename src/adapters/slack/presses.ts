// The buttons under what Earshot writes.
import type { App, BlockButtonAction } from "@slack/bolt";
import type { Listener, Observe } from "../../core/ports.ts";
import type { Place } from "../../core/recording.ts";
import { BUTTON_PATTERN, readButton } from "./blocks.ts";
import { type Lookups, siteAt } from "./lookups.ts";
import type { Posts } from "./posts.ts";
import { respondWith } from "./responses.ts";
import { brokeHere } from "./sentences.ts";

export interface PressParts {
  readonly lookups: Lookups;
  readonly posts: Posts;
  readonly listener: Listener;
  readonly observe: Observe;
}

export function hearPresses(app: App, { lookups, posts, listener, observe }: PressParts): void {
  app.action<BlockButtonAction>(BUTTON_PATTERN, async ({ body, action, ack, respond }) => {
    const button = readButton(action.action_id, action.value);
    const channel = body.channel?.id;
    if (button === undefined || channel === undefined) return;
    const place = pressedAt(body, channel);
    const key = `${button.jobId}:pressed:${action.action_ts}`;
    try {
      const actor = await lookups.actor(body.user.id);
      const reply = await listener.press({ ...button, place, actor });
      // A file can be read by all who can read the answer.
      if (reply?.kind === "file") await posts.reply(place, reply, { key });
      else if (reply !== undefined) await respondWith(reply, respond, { place, posts, key });
    } catch (error) {
      observe({ kind: "unexpected", where: "a button of Slack's", error });
      await respondWith(brokeHere, respond, { place, posts, key }).catch(() => {});
    }
    await ack();
  });
}

function pressedAt(body: BlockButtonAction, channel: string): Place {
  const container: Readonly<Record<string, unknown>> = body.container;
  const text = (name: string) => (typeof container[name] === "string" ? container[name] : undefined);
  const [message, thread] = [text("message_ts"), text("thread_ts")];
  const site = siteAt(body.team?.id ?? "", channel);
  return {
    ...site,
    ...(message === undefined ? {} : { message }),
    ...(thread === undefined ? {} : { thread }),
    user: body.user.id,
    reach: container["is_ephemeral"] === true && !site.isDirect ? "only_me" : "thread",
  };
}
