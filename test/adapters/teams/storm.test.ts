// Files with rate limits, lost connections and a restart of the gateway in the middle: as many answers, none twice.
// EARSHOT_TEAMS_FILES=300 for the whole storm.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { createFakeTranscriber, spoken as heardAs } from "../../support/fake-transcriber.ts";
import { CHANNEL, CHAT, PERSONAL, startTeamsDouble } from "../../support/teams-double.ts";
import { startTeamsGateway } from "../../support/teams-gateway.ts";
import { eventually } from "../../support/teams-rig.ts";

const FILES = Number(process.env["EARSHOT_TEAMS_FILES"] ?? 100);
const CONVERSATIONS = [PERSONAL, CHANNEL, CHAT];

it(`answers each of ${FILES} files once and where it was sent, whatever happens to the connection and the process`, async () => {
  const double = await startTeamsDouble();
  const data = await mkdtemp(join(tmpdir(), "earshot-teams-storm-"));
  // Only the speech recognition is a fake: it hears the number that is in the file.
  const transcriber = createFakeTranscriber();
  let gateway = await startTeamsGateway(double, data, transcriber);
  onTestFinished(async () => {
    await gateway.stop(0);
    await double.close();
  });

  const spoken = new Map<string, string>();
  const send = async (index: number) => {
    const conversation = CONVERSATIONS[index % CONVERSATIONS.length] ?? "";
    const text = `number ${index} spoken`;
    const bytes = Buffer.from(heardAs([text]));
    const activity =
      conversation === PERSONAL
        ? double.fileActivity("memo.m4a", bytes)
        : double.sharedActivity(conversation, "memo.m4a", bytes);
    spoken.set(String(activity["id"]), text);
    await double.deliver(activity);
  };
  const refused = (status: number, code: string) => ({
    status,
    headers: { "retry-after": "1" },
    body: { error: { code } },
  });
  for (let index = 0; index < FILES; index++) {
    await send(index);
    if (index % 30 === 10) double.fail(/^(POST|PUT)/, refused(429, "TooManyRequests"), 3);
    if (index % 40 === 15) double.fail(/^(POST|PUT)/, refused(412, "PreconditionFailed"), 2);
    if (index % 50 === 20) double.fail(/^(POST|PUT)/, "drop", 2);
    // What arrived although its answer did not can be found again where Graph may read.
    if (index % 50 === 30) double.fail(/^POST .*19:/, "lose", 2);
    if (index % 60 === 40) double.fail(/^PUT/, "lose", 2);
    if (index % 60 === 45) double.graph.throttle(/GET \/(teams|chats|drives|shares)/, 3, "0");
    if (index === Math.floor(FILES / 2)) {
      // In the middle of its work, with no time to finish anything.
      await gateway.stop(0);
      gateway = await startTeamsGateway(double, data, transcriber);
    }
    if (index % 5 === 0) await sleep(5);
  }

  const answers = () => double.own().map((post) => ({ to: post.answers ?? "", text: double.textOf(post) }));
  await eventually(async () => {
    const { queued, running } = await gateway.queue.counts();
    expect({ queued, running }).toEqual({ queued: 0, running: 0 });
    expect(answers().length).toBeGreaterThanOrEqual(spoken.size);
  }, 240_000);

  const { done, failed } = await gateway.queue.counts();
  expect({ done, failed }).toEqual({ done: FILES, failed: 0 });
  const sent = [...double.posted].filter(({ isBot }) => !isBot).map(({ id }) => id);
  expect(
    answers()
      .map(({ to }) => to)
      .sort(),
  ).toEqual(sent.sort());
  for (const { to, text } of answers()) expect(text).toContain(spoken.get(to));
  expect(sent).toHaveLength(FILES);
  expect(double.calls.filter(({ status }) => status === 429).length).toBeGreaterThan(5);
}, 300_000);
