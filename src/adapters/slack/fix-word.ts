// "Fix a word": what was heard and what it should be goes into the channel's glossary, and the recording is heard again.
import type { App, webApi } from "@slack/bolt";
import type { Place } from "../../core/recording.ts";
import { readButton } from "./blocks.ts";
import type { CommandParts } from "./commands.ts";
import type { Lookups } from "./lookups.ts";
import { keyOf } from "./mark.ts";
import type { SlackMessage } from "./parse.ts";

import { plain, stateOf, textInput } from "./views.ts";

const FIX_WORD = "fix_word";

interface Meant {
  readonly place: Place;
  readonly jobId?: string;
}

/** At once: the permission to open a dialog lasts three seconds. */
export async function openFixWord(
  client: webApi.WebClient,
  trigger: string,
  place: Place,
  message: SlackMessage,
): Promise<void> {
  const jobId = jobOf(message);
  const meant: Meant = { place, ...(jobId === undefined ? {} : { jobId }) };
  const required = (id: string, label: string, hint: string) => ({
    ...textInput(id, label, { hint }),
    optional: false,
  });
  await client.views.open({
    trigger_id: trigger,
    view: {
      type: "modal",
      callback_id: FIX_WORD,
      private_metadata: JSON.stringify(meant),
      title: plain("Fix a word"),
      submit: plain("Fix"),
      close: plain("Cancel"),
      blocks: [
        required("heard", "Heard", "As it stands in the transcript, such as: cube control"),
        required("meant", "Should be", "As it is spelled, such as: kubectl"),
      ],
    },
  });
}

export function hearFixWord(app: App, { lookups, posts, listener, observe }: CommandParts): void {
  app.view(FIX_WORD, async ({ view, body, ack }) => {
    const { place, jobId: told }: Meant = JSON.parse(view.private_metadata);
    const { text } = stateOf(view.state.values);
    const actor = await lookups.actor(body.user.id);
    const ask = (what: string) => listener.command({ command: "jargon", text: what, place, actor, recordings: [] });
    const fixed = await ask(`pairs add ${quoted(text("heard"))} = ${quoted(text("meant"))}`);
    const jobId = told ?? (await jobInThread(place, lookups));
    const tried = await ask(jobId === undefined ? "try" : `try ${jobId}`);
    await ack();
    const said = [fixed, tried].flatMap((reply) => ("text" in reply ? [reply.text] : [])).join("\n");
    const toOne: Place = { ...place, user: body.user.id, reach: "only_me" };
    await posts
      .reply(toOne, { kind: "words", text: said }, { key: `fixed:${view.id}` })
      .catch((error: unknown) => observe({ kind: "unexpected", where: "the answer to a dialog of Slack's", error }));
  });
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** The job under whose answer the shortcut was used. */
function jobOf(message: SlackMessage): string | undefined {
  const key = keyOf(message);
  if (key?.endsWith(":status")) return key.slice(0, -":status".length);
  for (const block of message.blocks ?? []) {
    const elements: unknown = typeof block === "object" && block !== null && "elements" in block && block.elements;
    if (!Array.isArray(elements)) continue;
    for (const { action_id: id, value } of elements as { action_id?: string; value?: string }[]) {
      const button = readButton(id ?? "", value);
      if (button !== undefined) return button.jobId;
    }
  }
  return undefined;
}

/** The newest answer in the thread of a recording. */
async function jobInThread(place: Place, lookups: Lookups): Promise<string | undefined> {
  const root = place.thread ?? place.message;
  if (root === undefined) return undefined;
  const jobs = (await lookups.thread(place.channel, root)).flatMap((message) => jobOf(message) ?? []);
  return jobs.at(-1);
}
