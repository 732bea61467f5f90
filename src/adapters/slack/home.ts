// The App Home page, from which the settings of every channel can be reached without a command.
import type { App, BlockAction, types, ViewOutput, webApi } from "@slack/bolt";
import type { Listener } from "../../core/ports.ts";
import type { Place, Scope } from "../../core/recording.ts";
import type { CommandParts } from "./commands.ts";
import { siteAt } from "./lookups.ts";
import { ordersOf, SETTINGS_DIALOG, settingsDialog } from "./settings-dialog.ts";
import { plain, stateOf } from "./views.ts";

const CHANNEL_CHOICE = "home:channel";

export const HOME: types.HomeView = {
  type: "home",
  blocks: [
    { type: "header", text: plain("Earshot") },
    {
      type: "section",
      text: plain(
        "Earshot writes down what is said in voice clips and recordings, on your own machine. Invite it to a channel, " +
          "or send it a recording here.",
      ),
    },
    {
      type: "section",
      text: plain("Settings, names and terms of a channel"),
      accessory: {
        type: "conversations_select",
        action_id: CHANNEL_CHOICE,
        placeholder: plain("Choose a channel"),
        filter: { include: ["public", "private"], exclude_bot_users: true },
      },
    },
    { type: "divider" },
    {
      type: "context",
      elements: [
        plain(
          "In a thread: the menu of a message, then Transcribe, or mention @Earshot. Commands: /transcribe, /jargon, /earshot.",
        ),
      ],
    },
  ],
};

export function hearHome(app: App, { lookups, listener }: CommandParts): void {
  app.event("app_home_opened", async ({ event, client }) => {
    if (event.tab === "home") await client.views.publish({ user_id: event.user, view: HOME });
  });

  app.action<BlockAction>(CHANNEL_CHOICE, async ({ body, action, client, ack }) => {
    await ack();
    if (action.type !== "conversations_select") return;
    const scope: Scope = { platform: "slack", workspace: body.team?.id ?? "", channel: action.selected_conversation };
    await openSettings(client, "trigger_id" in body ? String(body.trigger_id) : "", scope, listener);
  });

  app.view(SETTINGS_DIALOG, async ({ view, body, ack }) => {
    const { workspace, channel }: Scope = JSON.parse(view.private_metadata);
    const place: Place = { ...siteAt(workspace, channel), user: body.user.id, reach: "only_me" };
    const actor = await lookups.actor(body.user.id);
    const orders = ordersOf(stateOf(view.state.values), inputsOf(view), await listener.channel(place));
    const said: string[] = [];
    for (const order of orders) {
      const reply = await listener.command({ ...order, place, actor, recordings: [] });
      if ("text" in reply) said.push(reply.text);
    }
    await ack({ response_action: "update", view: done(said) });
  });
}

async function openSettings(
  client: webApi.WebClient,
  trigger: string,
  scope: Scope,
  listener: Listener,
): Promise<void> {
  const view = await listener.channel(scope);
  // Its name is Slack's to show: the dialog needs no more permissions than the page.
  await client.views.open({ trigger_id: trigger, view: settingsDialog(scope, "the channel that you chose", view) });
}

function inputsOf(view: ViewOutput): ReadonlySet<string> {
  return new Set(Object.keys(view.state.values));
}

/** What each change came to, also where one was refused. */
function done(said: readonly string[]): types.ModalView {
  const lines = said.length === 0 ? ["Nothing was changed."] : said;
  return {
    type: "modal",
    title: plain("Channel settings"),
    close: plain("Close"),
    blocks: lines.map((text) => ({ type: "section", text: plain(text.replaceAll("`", "").slice(0, 3000)) })),
  };
}
