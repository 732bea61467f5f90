// From a message on Discord to its transcript, with real discord.js, SQLite, ffmpeg and the demo model.
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import {
  type APIAttachment,
  type APIMessage,
  ComponentType,
  MessageFlags,
  MessageReferenceType,
} from "discord-api-types/v10";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLocalTranscriber } from "../../../src/inference/local-transcriber.ts";
import { demoFolder } from "../../../src/inference/models.ts";
import { type DiscordDouble, startDiscordDouble } from "../../support/discord-double.ts";
import { startDiscordGateway } from "../../support/discord-gateway.ts";
import { eventually } from "../../support/discord-rig.ts";
import { GUILD, OWNER, PERSON } from "../../support/discord-world.ts";

let double: DiscordDouble;
let channel: string;
let sound: Buffer;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  double = await startDiscordDouble();
  channel = double.world.addChannel(0, { guild: GUILD });
  sound = await readFile(join(demoFolder, "sample", "voice-note.ogg"));
  const transcriber = createLocalTranscriber({ device: "cpu", threads: 1, env: process.env });
  const data = await mkdtemp(join(tmpdir(), "earshot-discord-"));
  const gateway = await startDiscordGateway(double, data, transcriber);
  ends.push(
    () => gateway.stop(0),
    () => transcriber.close(),
    () => double.close(),
  );
});

afterAll(async () => {
  for (const end of ends) await end();
});

function attachment(name = "voice-message.ogg"): APIAttachment {
  return double.world.attach(name, sound, "audio/ogg", double.base, { duration_secs: 5 });
}

/** The bot's last message after `before`, once it is an answer. */
async function answerIn(at: string, before: number): Promise<APIMessage> {
  return eventually(() => {
    const message = double.written(at).slice(before).at(-1);
    expect(message?.content).toMatch(/ · English · \d+ words/);
    return message!;
  }, 60_000);
}

/** Of the sample's own words. */
const words = /\*\*\n.*\b(budget|Friday|deadline)\b/;

describe("with the demo model", () => {
  it("a voice message is answered in reply to it", async () => {
    const message = double.say(channel, PERSON, { attachments: [attachment()], flags: MessageFlags.IsVoiceMessage });
    const answer = await answerIn(channel, 0);
    expect(answer.content).toMatch(words);
    expect(answer.message_reference?.message_id).toBe(message.id);
    expect(double.written(channel)).toHaveLength(1);
  });

  it("a forward is answered in reply to the forward", async () => {
    const before = double.written(channel).length;
    const copy = {
      attachments: [attachment()],
      flags: MessageFlags.IsVoiceMessage,
      content: "",
      timestamp: "",
      embeds: [],
    };
    const message = double.say(channel, PERSON, {
      flags: MessageFlags.HasSnapshot,
      message_reference: { type: MessageReferenceType.Forward, channel_id: "5", message_id: "6" },
      message_snapshots: [{ message: copy as never }],
    });
    expect((await answerIn(channel, before)).message_reference?.message_id).toBe(message.id);
  });

  it("a file sent in a direct message is answered there", async () => {
    const direct = double.world.directChannel(PERSON);
    double.say(direct, PERSON, { attachments: [attachment("talk.ogg")] });
    expect((await answerIn(direct, 0)).content).toContain("talk.ogg");
  });

  it("a slash command with a file becomes its own answer", async () => {
    const before = double.written(channel).length;
    const file = attachment("minutes.ogg");
    const options = [
      { name: "file", type: 11, value: file.id },
      { name: "format", type: 3, value: "srt" },
    ];
    const data = { id: "1", name: "transcribe", type: 1, options, resolved: { attachments: { [file.id]: file } } };
    double.interact(double.world.addInteraction(channel, PERSON, { type: 2, data }));
    await eventually(() => {
      const [answer, srt, ...others] = double.written(channel).slice(before);
      expect(others).toEqual([]);
      expect(answer?.content).toContain("minutes.ogg");
      expect(srt?.attachments[0]?.filename).toBe("minutes.srt");
      expect(String(double.fileText(srt!.attachments[0]!))).toContain("00:00:0");
    }, 60_000);
  });

  it("a message command answers for the one who used it, and a button gives the file", async () => {
    const before = double.written(channel).length;
    const target = double.world.addMessage(channel, OWNER, { attachments: [attachment("clip.ogg")] });
    const data = {
      id: "1",
      name: "Transcribe (only me)",
      type: 3,
      target_id: target.id,
      resolved: { messages: { [target.id]: target } },
    };
    double.interact(double.world.addInteraction(channel, PERSON, { type: 2, data }));
    const answer = await answerIn(channel, before);
    expect((answer.flags ?? 0) & MessageFlags.Ephemeral).not.toBe(0);
    expect(answer.content).toContain("clip.ogg");

    const buttons = (answer.components ?? []).flatMap((row) =>
      row.type === ComponentType.ActionRow ? row.components : [],
    );
    const vtt = buttons.find((button) => "label" in button && button.label === "VTT");
    const custom_id = vtt !== undefined && "custom_id" in vtt ? vtt.custom_id : "";
    const press = { type: 3, data: { custom_id, component_type: 2 }, message: answer };
    double.interact(double.world.addInteraction(channel, PERSON, press));
    await eventually(() => {
      const file = double.written(channel).at(-1)?.attachments[0];
      expect(file?.filename).toBe("clip.vtt");
      expect(String(double.fileText(file!))).toMatch(/^WEBVTT/);
    });
  });

  it("a word is added and listed with /jargon", async () => {
    const use = (name: string, options: object[] = []) =>
      double.interact(
        double.world.addInteraction(channel, PERSON, {
          type: 2,
          data: { id: "1", name: "jargon", type: 1, options: [{ name, type: 1, options }] },
        }),
      );
    use("add", [{ name: "terms", type: 3, value: "Qavylow" }]);
    await eventually(() => expect(double.written(channel).at(-1)?.content).toContain("Added: Qavylow."));
    use("list");
    await eventually(() => expect(double.written(channel).at(-1)?.content).toContain("- Qavylow"));
  });
});
