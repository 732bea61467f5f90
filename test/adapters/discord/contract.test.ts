// Discord holds to the contract of all platforms.
import { type APIMessage, ComponentType, GatewayDispatchEvents, MessageFlags } from "discord-api-types/v10";
import { createDiscord } from "../../../src/adapters/discord/index.ts";
import { readMessageId } from "../../../src/adapters/discord/messages.ts";
import type { Listener, Platform } from "../../../src/core/ports.ts";
import { type PlatformUnderTest, platformContract, type Visible } from "../../contracts/platform.ts";
import { startDiscordDouble, TOKEN } from "../../support/discord-double.ts";
import { eventually } from "../../support/discord-rig.ts";
import { BOT, GUILD, PERSON } from "../../support/discord-world.ts";

platformContract("Discord", async (): Promise<PlatformUnderTest> => {
  const double = await startDiscordDouble();
  const { world } = double;
  const channel = world.addChannel(0, { guild: GUILD });
  const real = createDiscord({ token: TOKEN, api: double.api, cdn: double.base, maxBytes: 1_000_000, now: Date.now });
  let heard = 0;
  let refused = 0;
  const platform: Platform = { ...real, listen: (listener, signal) => real.listen(counted(listener), signal) };

  /** Tells when the listener has answered. */
  function counted(listener: Listener): Listener {
    return {
      ...listener,
      async recording(recording) {
        const reception = await listener.recording(recording);
        if (reception.kind === "refused") refused++;
        heard++;
        return reception;
      },
      async command(invocation) {
        const reply = await listener.command(invocation);
        heard++;
        return reply;
      },
      async press(press) {
        const reply = await listener.press(press);
        heard++;
        return reply;
      },
      async removed(scope, message) {
        await listener.removed(scope, message);
        heard++;
      },
    };
  }

  async function until(act: () => void): Promise<void> {
    const before = heard;
    act();
    await eventually(() => {
      if (heard === before) throw new Error("The listener has not heard of it yet.");
    });
  }

  let last: APIMessage | undefined;
  return {
    platform,
    async postVoiceMessage(bytes) {
      const sound = world.attach("voice-message.ogg", Buffer.from(bytes), "audio/ogg", double.base, {
        duration_secs: 3,
      });
      const shown = double.written(channel).length;
      await until(() => {
        last = double.say(channel, PERSON, { attachments: [sound], flags: MessageFlags.IsVoiceMessage });
      });
      if (refused > 0) {
        await eventually(() => {
          if (double.written(channel).length === shown) throw new Error("Nothing was said about the refusal yet.");
        });
      }
      return last?.id ?? "";
    },
    redeliver: () =>
      until(() =>
        double.gateway.emit(GatewayDispatchEvents.MessageCreate, () => ({
          ...last,
          guild_id: GUILD,
          member: world.member(PERSON),
        })),
      ),
    async deleteMessage(id) {
      const message = id.includes("/") ? readMessageId(id).message : id;
      const { messages } = world.channels.get(channel)!;
      messages.splice(
        messages.findIndex((each) => each.id === message),
        1,
      );
      await until(() =>
        double.gateway.emit(GatewayDispatchEvents.MessageDelete, () => ({
          id: message,
          channel_id: channel,
          guild_id: GUILD,
        })),
      );
    },
    async command(text) {
      const [, name = "", sub = "", terms = ""] = /^\/(\w+) (\w+) ?(.*)$/.exec(text) ?? [];
      const options = [{ name: sub, type: 1, options: [{ name: "terms", type: 3, value: terms }] }];
      const edits = double.edits.length;
      const data = { id: "1", name, type: 1, options };
      await until(() => double.interact(world.addInteraction(channel, PERSON, { type: 2, data })));
      await eventually(() => {
        if (double.edits.length === edits) throw new Error("The command is not answered yet.");
      });
    },
    async press(id, action, jobId) {
      const message = world.channels.get(channel)!.messages.find((each) => each.id === readMessageId(id).message);
      const data = { custom_id: `earshot:${action}:${jobId}`, component_type: ComponentType.Button };
      await until(() => double.interact(world.addInteraction(channel, PERSON, { type: 3, data, message })));
    },
    async visible() {
      return (world.channels.get(channel)?.messages ?? []).map((message): Visible => {
        const answers = message.message_reference?.message_id;
        const labels = (message.components ?? []).flatMap((row) =>
          row.type === ComponentType.ActionRow
            ? row.components.map((part) => ("label" in part ? (part.label ?? "") : ""))
            : [],
        );
        return {
          id: message.author.id === BOT ? `${channel}/${message.id}` : message.id,
          text: [asSeen(message.content), ...labels].join("\n"),
          files: Object.fromEntries(message.attachments.map((each) => [each.filename, String(double.fileText(each))])),
          ...(answers === undefined ? {} : { answers }),
        };
      });
    },
    close: () => double.close(),
  };
});

/** What Discord's Markdown leaves of a text: signs with a backslash stay, the marks of Earshot's own go. */
function asSeen(content: string): string {
  return content
    .replace(/^\*\*(.*)\*\*$/m, "$1")
    .replace(/^-# /gm, "")
    .replace(/\\([\\*_~`|<>[\]#+.)-])/g, "$1");
}
