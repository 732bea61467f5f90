// The emulator of Slack's Web API, with a hand on its event subscriptions and its store.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createEmulator } from "emulate";

interface Webhooks {
  register(subscription: { url: string; events: string[]; active: boolean; owner: string }): unknown;
}

export interface Collection {
  all(): Record<string, unknown>[];
  update(id: unknown, change: Record<string, unknown>): unknown;
}

interface SlackModule {
  readonly slackPlugin: { register(app: unknown, store: unknown, webhooks: Webhooks, ...rest: unknown[]): unknown };
  getSlackStore(store: unknown): Readonly<Record<string, Collection>>;
}

export const BOT_TOKEN = "xoxb-earshot";
export const PERSON_TOKEN = "xoxp-person";
export const BOT = "U0BOT";
export const BOT_ID = "B0BOT";

const SCOPES = [
  ...["channels", "groups", "im", "mpim"].flatMap((kind) => [`${kind}:read`, `${kind}:history`, `${kind}:write`]),
  ...["chat:write", "files:read", "files:write", "reactions:write", "users:read"],
];

/** The package exports no way to its events: the module of its Slack is found by what is in it. */
async function slackModule(): Promise<SlackModule> {
  const folder = dirname(fileURLToPath(import.meta.resolve("emulate")));
  const file = readdirSync(folder).find(
    (name) => /^dist-.*\.js$/.test(name) && readFileSync(join(folder, name), "utf8").includes("completeUploadExternal"),
  );
  if (file === undefined) throw new Error("The emulator has no Slack.");
  return (await import(pathToFileURL(join(folder, file)).href)) as SlackModule;
}

/** @param channels names of public channels that the bot is in */
export async function startSlackEmulator(eventsUrl: string, channels: readonly string[]) {
  const slack = await slackModule();
  let store: unknown;
  const { register } = slack.slackPlugin;
  slack.slackPlugin.register = (app, ownStore, webhooks, ...rest) => {
    store = ownStore;
    webhooks.register({ url: eventsUrl, events: ["*"], active: true, owner: "slack" });
    return register(app, ownStore, webhooks, ...rest);
  };
  const emulator = await createEmulator({
    service: "slack",
    port: 0,
    seed: {
      slack: {
        team: { name: "Zentrix", domain: "zentrix" },
        users: [{ name: "mira", is_admin: false }],
        channels: channels.map((name) => ({ name })),
        oauth_apps: [
          {
            client_id: "1.1",
            client_secret: "x",
            app_id: "A1",
            name: "Earshot",
            redirect_uris: [],
            scopes: SCOPES,
            bot_id: BOT_ID,
            bot_user_id: BOT,
            bot_name: "earshot",
          },
        ],
        tokens: [
          { token: BOT_TOKEN, type: "bot", user_id: BOT, scopes: SCOPES, bot_id: BOT_ID, bot_user_id: BOT },
          { token: PERSON_TOKEN, type: "user", user: "mira", scopes: SCOPES },
        ],
      },
    },
  });
  slack.slackPlugin.register = register;
  const inside = slack.getSlackStore(store);
  const collection = (name: string): Collection => {
    const found = inside[name];
    if (found === undefined) throw new Error(`The emulator has no ${name}.`);
    return found;
  };
  for (const channel of collection("channels").all()) {
    collection("channels").update(channel["id"], { members: [...(channel["members"] as string[]), BOT] });
  }
  const channelId = (name: string) =>
    String(
      collection("channels")
        .all()
        .find((channel) => channel["name"] === name)?.["channel_id"],
    );
  const person = String(
    collection("users")
      .all()
      .find((user) => user["name"] === "mira")?.["user_id"],
  );
  const team = String(collection("teams").all()[0]?.["team_id"]);
  return { url: emulator.url, close: () => emulator.close(), collection, channelId, person, team };
}
