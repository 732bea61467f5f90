// Recordings on Teams from their ways in to their files: real botbuilder, msal, SQLite, ffmpeg and the demo model.
import { execFile } from "node:child_process";
import { mkdtemp, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it, onTestFinished, vi } from "vitest";
import type { TeamsOptions } from "../../../src/adapters/teams/index.ts";
import { createLocalTranscriber } from "../../../src/inference/local-transcriber.ts";
import { ffmpegPath } from "../../../src/inference/media.ts";
import {
  BOT,
  CHANNEL,
  CHAT,
  MEETING,
  PERSON,
  PERSONAL,
  type Posted,
  startTeamsDouble,
  TENANT,
} from "../../support/teams-double.ts";
import { startTeamsGateway } from "../../support/teams-gateway.ts";
import { buttonData } from "../../support/teams-messages.ts";
import { eventually } from "../../support/teams-rig.ts";

vi.setConfig({ testTimeout: 240_000 });

const sample = (name: string) => fileURLToPath(new URL(`../../../models/demo/sample/${name}`, import.meta.url));
const SRT = /^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n/;

async function start(options: Partial<TeamsOptions> & { readonly port?: number } = {}) {
  const double = await startTeamsDouble();
  double.roster.add(MEETING);
  const data = await mkdtemp(join(tmpdir(), "earshot-teams-e2e-"));
  const transcriber = createLocalTranscriber({ device: "cpu", threads: 1 });
  let gateway: Awaited<ReturnType<typeof startTeamsGateway>> | undefined;
  const open = async () => {
    gateway = await startTeamsGateway(double, data, transcriber, options);
  };
  const stop = async () => {
    await gateway?.stop(0);
    gateway = undefined;
  };
  await open();
  onTestFinished(async () => {
    await stop();
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
  return { double, open, stop, answerTo, press };
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

it("a meeting's recording comes by itself: by notification, and also when the gateway was down meanwhile", async () => {
  const port = await freePort();
  const meetings = { kind: "tenant" } as const;
  const { double, open, stop, answerTo } = await start({
    port,
    meetings,
    publicUrl: `http://127.0.0.1:${port}`,
    lookEveryMs: 50,
  });
  await eventually(() => expect(double.graph.live()).toHaveLength(1), 30_000);
  const channelData = { tenant: { id: TENANT }, meeting: { id: "MCMxOTptZWV0aW5n" } };
  const added = { type: "conversationUpdate", membersAdded: [{ id: BOT }], channelData };
  await double.deliver(double.activityIn(MEETING, added));
  await eventually(() => expect(double.calls.some(({ path }) => path.startsWith("/v1/meetings/"))).toBe(true));

  const content = await asVideo(sample("meeting.flac"));
  const first = double.graph.addRecording({ organizer: PERSON, chat: MEETING, subject: "Weekly", content });
  await double.graph.notify(first);
  const day = new Date(first.startedAtMs).toISOString().slice(0, 10);
  const answer = () => double.own().filter((post) => double.textOf(post).startsWith(`Weekly ${day}.mp4 · 0:5`));
  await eventually(() => expect(answer()).toHaveLength(1), 120_000);
  expect(answer()[0]?.conversation).toBe(MEETING);
  const files = () => Object.assign({}, ...double.own().map((post) => double.filesOf(post))) as Record<string, string>;
  await eventually(() => expect(Object.keys(files())).toHaveLength(2), 60_000);
  expect(files()[`Weekly ${day}.srt`]).toMatch(SRT);
  expect(files()[`Weekly ${day}.txt`]).not.toBe("");
  // They lie with the organizer, and the meeting's chat may read them.
  expect(double.graph.itemsIn(double.graph.driveOf(PERSON)).map(({ name }) => name)).toContain(`Weekly ${day}.srt`);

  await stop();
  const short = await asVideo(sample("standup.flac"));
  const away = double.graph.addRecording({ organizer: PERSON, chat: MEETING, subject: "While away", content: short });
  // Microsoft tells of it again and again, until somebody is there.
  double.graph.meetings.mostDeliveries = 10_000;
  const telling = double.graph.notify(away);
  await open();
  await telling;
  const missed = await answerTo((post) => double.textOf(post).startsWith("While away"));
  expect(missed.conversation).toBe(MEETING);
  expect(answer()).toHaveLength(1);
});

/** An .mp4 as Teams records meetings: a picture, and the sound in AAC. */
async function asVideo(path: string): Promise<Buffer> {
  const to = join(await mkdtemp(join(tmpdir(), "earshot-video-")), "meeting.mp4");
  const inputs = ["-i", path, "-f", "lavfi", "-i", "color=c=gray:s=64x64:r=5"];
  const codecs = ["-c:v", "mpeg4", "-c:a", "aac", "-shortest", "-map", "1:v", "-map", "0:a"];
  await promisify(execFile)(ffmpegPath(), ["-v", "error", ...inputs, ...codecs, to]);
  return readFile(to);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
