// Recordings on Teams from their ways in to their files: real botbuilder, msal, SQLite, ffmpeg and the demo model.
import { execFile } from "node:child_process";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it, onTestFinished, vi } from "vitest";
import { createLocalTranscriber } from "../../../src/inference/local-transcriber.ts";
import { ffmpegPath } from "../../../src/inference/media.ts";
import { CHANNEL, CHAT, PERSONAL, type Posted, startTeamsDouble } from "../../support/teams-double.ts";
import { startTeamsGateway } from "../../support/teams-gateway.ts";
import { buttonData } from "../../support/teams-messages.ts";
import { eventually } from "../../support/teams-rig.ts";

vi.setConfig({ testTimeout: 240_000 });

const sample = (name: string) => fileURLToPath(new URL(`../../../models/demo/sample/${name}`, import.meta.url));
const SRT = /^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n/;

async function start() {
  const double = await startTeamsDouble();
  const data = await mkdtemp(join(tmpdir(), "earshot-teams-e2e-"));
  const transcriber = createLocalTranscriber({ device: "cpu", threads: 1 });
  const gateway = await startTeamsGateway(double, data, transcriber);
  onTestFinished(async () => {
    await gateway.stop(0);
    await transcriber.close();
    await double.close();
  });
  /** The bot's answer to a message, or in a conversation, once it is one. */
  const answerTo = async (fits: (post: Posted) => boolean): Promise<Posted> => {
    const answers = () => double.own().filter((post) => fits(post) && / · 0:\d\d · /.test(double.textOf(post)));
    await eventually(() => expect(answers()).toHaveLength(1), 90_000);
    return answers()[0] as Posted;
  };
  const press = async (post: Posted, title: string) => {
    const data = buttonData(post.activity, title);
    if (data === undefined) throw new Error(`There is no button ${title}.`);
    await double.press(post, data);
  };
  return { double, answerTo, press };
}

it("a file in the personal chat gets its status, its transcript with the jargon, and its SRT when the person agrees", async () => {
  const { double, answerTo, press } = await start();
  await double.say(PERSONAL, "jargon add Qavylow, Xamoetee");
  expect(double.textOf(double.own().at(-1) as Posted)).toContain("Added: Qavylow, Xamoetee.");

  const activity = double.fileActivity("standup.flac", await readFile(sample("standup.flac")));
  await double.deliver(activity);
  const answer = await answerTo((post) => post.answers === activity["id"]);
  expect(double.textOf(answer)).toMatch(/^standup\.flac · 0:0\d · English/);
  expect(double.textOf(answer)).toContain("Qavylow");
  // It was the status before.
  expect(answer.edits).toBeGreaterThan(0);

  await press(answer, "SRT");
  await double.consent(double.own().at(-1) as Posted, "accept");
  const srt = double.filesOf(double.own().at(-1) as Posted)["standup.srt"];
  expect(srt).toMatch(SRT);
  expect(srt).toContain("Qavylow");

  // The message goes, and all of it with it.
  await double.remove(double.posted.find(({ id }) => id === activity["id"]) as Posted);
  await press(answer, "VTT");
  expect(double.textOf(double.own().at(-1) as Posted)).toContain("This transcript was deleted.");
});

it("a file in a channel is answered in its thread, another one when its menu is used, each with its file beside it", async () => {
  const { double, answerTo, press } = await start();
  await double.say(CHANNEL, "", double.mention("jargon add Qavylow"));
  const bytes = await readFile(sample("standup.flac"));
  const posted = double.sharedActivity(CHANNEL, "standup.flac", bytes);
  await double.deliver(posted);
  const answer = await answerTo(({ conversation }) => conversation.endsWith(String(posted["id"])));
  expect(double.textOf(answer)).toContain("Qavylow");
  await press(answer, "SRT");
  expect(double.filesOf(double.own().at(-1) as Posted)["standup.srt"]).toMatch(SRT);

  // Videos are not taken by themselves; somebody asks for this one.
  await double.say(CHAT, "", double.mention("jargon list"));
  const video = double.sharedActivity(CHAT, "demo.mp4", await asVideo(sample("standup.flac")));
  await double.deliver(video);
  const dialog = await double.menu(CHAT, { id: video["id"] });
  expect(JSON.stringify(dialog)).toContain("Taken: demo.mp4");
  const other = await answerTo((post) => post.answers === video["id"]);
  expect(double.textOf(other)).toMatch(/^demo\.mp4 · 0:0\d · English/);
});

/** An .mp4 as Teams records meetings: a picture, and the sound in AAC. */
async function asVideo(path: string): Promise<Buffer> {
  const to = join(await mkdtemp(join(tmpdir(), "earshot-video-")), "meeting.mp4");
  const inputs = ["-i", path, "-f", "lavfi", "-i", "color=c=gray:s=64x64:r=5"];
  const codecs = ["-c:v", "mpeg4", "-c:a", "aac", "-shortest", "-map", "1:v", "-map", "0:a"];
  await promisify(execFile)(ffmpegPath(), ["-v", "error", ...inputs, ...codecs, to]);
  return readFile(to);
}
