// Shortcuts in the menu of a message: "Transcribe", which works in threads too, and "Fix a word".
import type { App, MessageShortcut } from "@slack/bolt";
import type { Place, Recording } from "../../core/recording.ts";
import type { CommandParts } from "./commands.ts";
import { openFixWord } from "./fix-word.ts";
import { type Lookups, siteAt } from "./lookups.ts";
import { placeOf, type SlackMessage } from "./parse.ts";
import { respondWith } from "./responses.ts";
import { brokeHere, noRecordingThere, notInChannel } from "./sentences.ts";

export function hearShortcuts(app: App, parts: CommandParts): void {
  const { lookups, posts, listener, observe } = parts;

  app.shortcut<MessageShortcut>({ callback_id: "transcribe", type: "message_action" }, async (args) => {
    const { shortcut, ack, respond } = args;
    const place = placeIn(shortcut);
    const answer = { place, posts, key: `shortcut:${shortcut.trigger_id}` };
    try {
      if (!place.isDirect && !(await lookups.canAnswer(place.channel))) {
        await respondWith(notInChannel, respond, answer);
      } else {
        const recordings = await recordingsAt(shortcut.message as SlackMessage, place, lookups);
        const reply =
          recordings.length === 0
            ? noRecordingThere
            : await listener.command({
                command: "transcribe",
                text: "",
                place: { ...place, message: recordings[0]?.place.message ?? shortcut.message_ts },
                actor: await lookups.actor(place.user),
                recordings,
              });
        await respondWith(reply, respond, answer);
      }
    } catch (error) {
      observe({ kind: "unexpected", where: "a shortcut of Slack's", error });
      await respondWith(brokeHere, respond, answer).catch(() => {});
    }
    await ack();
  });

  app.shortcut<MessageShortcut>(
    { callback_id: "fix_word", type: "message_action" },
    async ({ shortcut, ack, client }) => {
      await ack();
      await openFixWord(client, shortcut.trigger_id, placeIn(shortcut), shortcut.message as SlackMessage);
    },
  );
}

function placeIn(shortcut: MessageShortcut): Place {
  const { message, channel, user, team } = shortcut;
  return { ...placeOf(message as SlackMessage, siteAt(team?.id ?? "", channel.id)), user: user.id };
}

/** Called on Earshot's own answer, the recording that it answers is meant. */
async function recordingsAt(message: SlackMessage, place: Place, lookups: Lookups): Promise<readonly Recording[]> {
  const own = await lookups.recordings(message, place, true);
  if (own.length > 0 || place.thread === undefined) return own;
  const root = await lookups.message(place.channel, place.thread);
  return root === undefined ? [] : lookups.recordings(root, place, true);
}
