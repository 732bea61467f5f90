// A meeting's recording, from Microsoft's notification to its subtitles in the meeting's chat: real botbuilder, msal,
// SQLite, ffmpeg and the demo model; also when the gateway was down while it arrived.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished, vi } from "vitest";
import { createLocalTranscriber } from "../../../src/inference/local-transcriber.ts";
import { MEETING, PERSON, startTeamsDouble, TENANT } from "../../support/teams-double.ts";
import { startTeamsGateway } from "../../support/teams-gateway.ts";
import { eventually } from "../../support/teams-rig.ts";

vi.setConfig({ testTimeout: 180_000 });

const STANDUP = fileURLToPath(new URL("../../../models/demo/sample/standup.flac", import.meta.url));
const BEN = "8b081ef6-4792-4def-b2c9-c363a1bf41d5";

it("a meeting's recording is transcribed into its chat by itself, also when the gateway was down while it arrived", async () => {
  const double = await startTeamsDouble();
  const { graph } = double;
  const data = await mkdtemp(join(tmpdir(), "earshot-teams-meeting-"));
  const transcriber = createLocalTranscriber({ device: "cpu", threads: 1 });
  // An address that stays the same over the restart, as a proxy's does.
  const port = await freePort();
  const warned: string[] = [];
  const options = { port, publicUrl: `http://127.0.0.1:${port}`, meetings: { kind: "tenant" } } as const;
  const warn = (sentence: string) => void warned.push(sentence);
  const start = () => startTeamsGateway(double, data, transcriber, { ...options, warn });
  let gateway = await start();
  onTestFinished(async () => {
    await gateway.stop(0);
    await transcriber.close();
    await double.close();
    await rm(data, { recursive: true, force: true });
  });

  // Somebody adds Earshot to the meeting's chat.
  double.roster.add(MEETING);
  graph.setMembers(MEETING, [{ userId: PERSON }, { userId: BEN }]);
  const channelData = { tenant: { id: TENANT }, meeting: { id: "meeting-1" } };
  const added = { type: "conversationUpdate", membersAdded: [{ id: `28:${double.app.id}` }], channelData };
  await double.deliver(double.activityIn(MEETING, added));
  await eventually(() => expect(graph.live()).toHaveLength(1));

  const film = await meetingFilm(data);
  // A series has one chat, and each of its meetings a subject of its own.
  const record = (subject: string) =>
    graph.addRecording({ organizer: PERSON, chat: MEETING, meeting: `of-${subject}`, subject, content: film });
  const answers = () =>
    double
      .own()
      .filter(
        ({ conversation, activity }) =>
          conversation === MEETING && /· 0:0\d · English/.test(String(activity["summary"])),
      );
  const answerTo = (subject: string) =>
    answers().filter(({ activity }) => String(activity["summary"]).startsWith(subject));

  // It is told of while Earshot is there. A meeting without Earshot in its chat is not touched.
  graph.meetings.redirectsContent = true;
  const elsewhere = graph.addRecording({ organizer: PERSON, chat: "19:meeting_other@thread.v2", content: film });
  const weekly = record("Weekly");
  expect([
    ...(await graph.notify(elsewhere)),
    ...(await graph.notify(weekly)),
    ...(await graph.notify(weekly)),
  ]).toEqual([202, 202, 202]);
  await eventually(() => expect(answerTo("Weekly")).toHaveLength(1), 90_000);

  // Its files come by themselves, and lie where the chat's people can open them.
  const files = () => graph.itemsIn(graph.driveOf(PERSON));
  await eventually(() => expect(files().map(({ invited }) => invited)).toEqual([[BEN], [BEN]]), 30_000);
  const [text, subtitles] = files();
  expect(text?.name).toMatch(/^Weekly \d{4}-\d\d-\d\d\.txt$/);
  expect(subtitles?.name).toMatch(/^Weekly \d{4}-\d\d-\d\d\.srt$/);
  expect(subtitles?.content.toString()).toMatch(/^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n/);
  await eventually(() => expect(double.own().some((post) => double.textOf(post).includes(".srt"))).toBe(true));

  // Down: one of which Microsoft keeps telling, and one of which it gave up telling.
  await gateway.stop(0);
  const planning = record("Planning");
  const told = graph.notify(planning);
  record("Retro");
  gateway = await start();
  expect(await told).toEqual([202]);
  await eventually(() => expect(answers()).toHaveLength(3), 90_000);
  expect([answerTo("Planning"), answerTo("Retro")].map(({ length }) => length)).toEqual([1, 1]);

  // Nothing is done twice, and no token crossed to where files lie.
  await graph.notify(weekly);
  await eventually(async () =>
    expect(await gateway.queue.counts()).toMatchObject({ queued: 0, running: 0, done: 3, failed: 0 }),
  );
  expect(answers()).toHaveLength(3);
  expect(graph.callsOf(/download\.aspx/).every(({ authorization }) => authorization === undefined)).toBe(true);
  expect(warned).toEqual([]);
  expect(gateway.observed.filter(({ kind }) => kind === "unexpected")).toEqual([]);
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

/** As Teams records: a picture beside what is said. */
async function meetingFilm(folder: string): Promise<Buffer> {
  const path = join(folder, "meeting.mp4");
  const picture = ["-f", "lavfi", "-i", "color=size=64x64:rate=5"];
  const codecs = ["-c:v", "mpeg4", "-c:a", "aac", "-shortest"];
  execFileSync("ffmpeg", ["-v", "error", "-y", ...picture, "-i", STANDUP, ...codecs, path]);
  return readFile(path);
}
