// A clip on Slack, from its forwarding to its subtitles: real bolt, SQLite, ffmpeg and the demo model.
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished, vi } from "vitest";
import { createLocalTranscriber } from "../../../src/inference/local-transcriber.ts";
import { startSlackDouble, textOf } from "../../support/slack-double.ts";
import { BOT } from "../../support/slack-emulator.ts";
import { startSlackGateway } from "../../support/slack-gateway.ts";
import { eventually } from "../../support/slack-rig.ts";

vi.setConfig({ testTimeout: 180_000 });

const STANDUP = fileURLToPath(new URL("../../../models/demo/sample/standup.flac", import.meta.url));

it("a clip gets its status, its transcript with the channel's jargon, and its SRT, all in its thread", async () => {
  const double = await startSlackDouble();
  const data = await mkdtemp(join(tmpdir(), "earshot-slack-e2e-"));
  const transcriber = createLocalTranscriber({ device: "cpu", threads: 1 });
  const gateway = await startSlackGateway(double, data, transcriber);
  onTestFinished(async () => {
    await gateway.stop(0);
    await transcriber.close();
    await double.close();
  });

  await double.command("/jargon", "add Qavylow, Xamoetee");
  expect(textOf(double.responses.at(-1)?.["blocks"])).toContain("Added: Qavylow, Xamoetee.");

  // Jon's clip, forwarded: its file is in the attachment of the message.
  const { file } = await double.upload("standup.flac", await readFile(STANDUP));
  await double.settled();
  const ts = await double.say("please have a look");
  const forwarded = { id: file, name: "Clip from Jon.mp4", mimetype: "video/mp4", subtype: "slack_video" };
  await double.event({
    type: "message",
    channel: double.channel,
    user: double.emulator.person,
    ts,
    text: "please have a look",
    attachments: [{ is_share: true, is_msg_unfurl: true, files: [forwarded] }],
  });

  const own = () => double.messages().filter(({ user }) => user === BOT);
  await eventually(() => expect(own().length).toBe(1), 60_000);
  await eventually(() => expect(textOf(own()[0]?.["blocks"])).toMatch(/^Clip from Jon\.mp4 · 0:0\d · English/), 60_000);
  const [answer] = own();
  expect(answer?.["thread_ts"]).toBe(ts);
  expect(textOf(answer?.["blocks"])).toContain("Qavylow");
  // It was the status before.
  await eventually(() => expect(double.calls.some(({ path }) => path === "/api/chat.update")).toBe(true));

  const blocks = answer?.["blocks"] as { elements: { action_id: string; value: string }[] }[];
  const button = blocks.at(-1)?.elements.find(({ action_id }) => action_id === "earshot:srt");
  await double.press(answer ?? {}, button?.action_id ?? "", button?.value ?? "");
  await double.settled();
  const sent = own().at(-1);
  expect(sent).toMatchObject({ thread_ts: ts, files: [{ name: "Clip from Jon.srt" }] });
  const stored = double.emulator.collection("files").all().at(-1);
  const srt = Buffer.from(String(stored?.["content_base64"]), "base64").toString();
  expect(srt).toMatch(/^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n/);
  expect(srt).toContain("Qavylow");

  // The message goes, and all of it with it.
  await double.event({
    type: "message",
    subtype: "message_deleted",
    channel: double.channel,
    deleted_ts: ts,
    ts: "9.9",
  });
  await double.press(answer ?? {}, "earshot:vtt", button?.value ?? "");
  expect(textOf(double.responses.at(-1)?.["blocks"])).toContain("This transcript was deleted.");
});
