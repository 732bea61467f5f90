// The contract of every chat platform, held by real bolt against the emulator: over Socket Mode and over HTTP.
import fastify from "fastify";
import { createSlack } from "../../../src/adapters/slack/index.ts";
import { type PlatformUnderTest, platformContract, type Visible } from "../../contracts/platform.ts";
import { APP_TOKEN, SIGNING_SECRET, startSlackDouble, textOf } from "../../support/slack-double.ts";
import { BOT, BOT_TOKEN } from "../../support/slack-emulator.ts";

type Json = Record<string, unknown>;

async function open(mode: "socket" | "http"): Promise<PlatformUnderTest> {
  let eventsUrl = "";
  const double = await startSlackDouble(mode === "http" ? { eventsUrl: () => eventsUrl } : {});
  const { platform, plugin } = createSlack({
    botToken: BOT_TOKEN,
    ...(mode === "http" ? { signingSecret: SIGNING_SECRET } : { appToken: APP_TOKEN }),
    maxBytes: 10_000_000,
    apiUrl: double.apiUrl,
    fileOrigins: [double.base],
    postEveryMs: 0,
    now: Date.now,
  });
  const web = fastify();
  if (plugin !== undefined) {
    await web.register(plugin);
    eventsUrl = `${await web.listen({ host: "127.0.0.1", port: 0 })}/slack/events`;
  }

  /** The id under which the platform knows a message. */
  const idOf = (message: Json) => {
    if (message["user"] !== BOT) return String(message["ts"]);
    const [file] = (message["files"] ?? []) as { file_id: string }[];
    return `${double.channel}/${file?.file_id ?? message["ts"]}`;
  };
  const messageWith = (id: string) => double.messages().find((message) => idOf(message) === id) ?? {};
  const contents = () =>
    new Map(
      double.emulator
        .collection("files")
        .all()
        .map((file) => [file["file_id"], file["content_base64"]]),
    );

  return {
    platform,
    async postVoiceMessage(bytes) {
      const { ts } = await double.upload("audio_message.m4a", bytes);
      await double.settled();
      return ts;
    },
    async redeliver() {
      const events = double.delivered.filter(({ event }) =>
        ["message", "file_shared"].includes(String((event as Json)["type"])),
      );
      // Once as the same delivery, and once as if this side had forgotten it.
      for (const event of events) {
        await double.deliver("events_api", event);
        await double.deliver("events_api", { ...event, event_id: `again-${String(event["event_id"])}` });
      }
      await double.settled();
    },
    async deleteMessage(id) {
      const message = messageWith(id);
      for (const file of double.emulator.collection("files").all()) {
        const files = (message["files"] ?? []) as { file_id: string }[];
        if (!files.some(({ file_id }) => file_id === file["file_id"])) continue;
        double.emulator.collection("files").update(file["id"], { deleted: true });
      }
      const isOwn = message["user"] === BOT;
      const body = { channel: double.channel, ts: message["ts"] };
      if (!isOwn) await double.person("chat.delete", body);
      else {
        await fetch(`${double.apiUrl}chat.delete`, {
          method: "POST",
          headers: { authorization: `Bearer ${BOT_TOKEN}`, "content-type": "application/json" },
          body: JSON.stringify(body),
        });
      }
      await double.settled();
    },
    async command(text) {
      const [command = "", ...rest] = text.split(" ");
      await double.command(command, rest.join(" "));
      await double.settled();
    },
    async press(id, action, jobId) {
      await double.press(messageWith(id), `earshot:${action}`, jobId);
      await double.settled();
    },
    async visible() {
      await double.settled();
      const bytes = contents();
      const shown = double.messages().map((message): Visible => {
        const files = (message["files"] ?? []) as { file_id: string; name: string }[];
        const thread = message["thread_ts"];
        return {
          id: idOf(message),
          text: message["blocks"] === undefined ? String(message["text"]) : textOf(message["blocks"]),
          files: Object.fromEntries(
            files.map(({ file_id, name }) => [name, Buffer.from(String(bytes.get(file_id)), "base64").toString()]),
          ),
          ...(thread === undefined ? {} : { answers: String(thread) }),
        };
      });
      const toOne = double.responses.map((response, index) => ({
        id: `response-${index}`,
        text: textOf(response["blocks"]),
        files: {},
      }));
      return [...shown, ...toOne];
    },
    async close() {
      await web.close();
      await double.close();
    },
  };
}

platformContract("Slack over Socket Mode", () => open("socket"));
platformContract("Slack over HTTP", () => open("http"));
