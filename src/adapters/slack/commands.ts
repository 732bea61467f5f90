// Slash commands: /transcribe, /jargon and /earshot.
import type { App } from "@slack/bolt";
import { COMMAND_NAMES, type Listener, type Observe } from "../../core/ports.ts";
import type { Place } from "../../core/recording.ts";
import { type Lookups, siteAt } from "./lookups.ts";
import { plainText } from "./parse.ts";
import type { Posts } from "./posts.ts";
import { respondWith } from "./responses.ts";
import { brokeHere, notInChannel } from "./sentences.ts";

export interface CommandParts {
  readonly lookups: Lookups;
  readonly posts: Posts;
  readonly listener: Listener;
  readonly observe: Observe;
}

const COMMAND_PATTERN = new RegExp(`^/(${COMMAND_NAMES.join("|")})$`);

export function hearCommands(app: App, { lookups, posts, listener, observe }: CommandParts): void {
  app.command(COMMAND_PATTERN, async ({ command: typed, ack, respond }) => {
    const { team_id: team, channel_id: channel, user_id: user, text, trigger_id: trigger } = typed;
    const command = COMMAND_NAMES.find((name) => `/${name}` === typed.command);
    if (command === undefined) return;
    const site = siteAt(team, channel);
    const place: Place = { ...site, user, reach: "thread" };
    const answer = { place, posts, key: `typed:${trigger}` };
    try {
      if (command === "transcribe" && !site.isDirect && !(await lookups.canAnswer(channel))) {
        await respondWith(notInChannel, respond, answer);
      } else {
        const reply = await listener.command({
          command,
          text: plainText(text ?? ""),
          place,
          actor: await lookups.actor(user),
          recordings: [],
          resolveLink: (link) => lookups.linked(link, place),
        });
        await respondWith(reply, respond, answer);
      }
    } catch (error) {
      observe({ kind: "unexpected", where: "a command of Slack's", error });
      await respondWith(brokeHere, respond, answer).catch(() => {});
    }
    await ack();
  });
}
