// 500 voice clips with rate limits, lost connections and a restart of the gateway: 500 answers, none twice.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { createFakeTranscriber, spoken as heardAs } from "../../support/fake-transcriber.ts";
import { startSlackDouble, textOf } from "../../support/slack-double.ts";
import { BOT } from "../../support/slack-emulator.ts";
import { startSlackGateway } from "../../support/slack-gateway.ts";
import { eventually } from "../../support/slack-rig.ts";

const CLIPS = 500;
const CHANNELS = Array.from({ length: 10 }, (_, index) => `team-${index}`);

it("answers each of 500 clips once and in its own thread, whatever happens to the connection and the process", async () => {
  const double = await startSlackDouble({ channels: CHANNELS });
  const channels = CHANNELS.map((name) => double.emulator.channelId(name));
  const data = await mkdtemp(join(tmpdir(), "earshot-slack-storm-"));
  // Only the speech recognition is a fake: it hears the number that is in the file.
  const transcriber = createFakeTranscriber();
  let gateway = await startSlackGateway(double, data, transcriber);
  onTestFinished(async () => {
    await gateway.stop(0);
    await double.close();
  });

  const spoken = new Map<string, string>();
  const send = async (index: number) => {
    const channel = channels[index % channels.length] ?? "";
    const text = `number ${index} spoken`;
    const { ts } = await double.upload("audio_message.m4a", Buffer.from(heardAs([text])), { channel });
    spoken.set(`${channel}/${ts}`, text);
  };
  for (let index = 0; index < CLIPS; index++) {
    await send(index);
    if (index % 50 === 20) double.rateLimit(/chat\.(postMessage|update)/, 3, 1);
    if (index % 70 === 30) double.fail(/files\.info|\/files-pri\//, 2, "drop");
    if (index % 60 === 10) double.fail(/chat\.postMessage/, 2, "lose");
    if (index % 100 === 60) double.disconnect(index % 200 === 60 ? "broken" : "asked");
    if (index === 250) {
      // In the middle of its work, with no time to finish anything; more is posted while it is away.
      await gateway.stop(0);
      for (let away = 0; away < 20; away++) await send(CLIPS + away);
      gateway = await startSlackGateway(double, data, transcriber);
    }
    if (index % 5 === 0) await sleep(5);
  }

  const answers = () =>
    channels.flatMap((channel) =>
      double
        .messages(channel)
        .filter(({ user }) => user === BOT)
        .map((message) => ({ to: `${channel}/${String(message["thread_ts"])}`, text: textOf(message["blocks"]) })),
    );
  await eventually(async () => {
    const { queued, running } = await gateway.queue.counts();
    expect({ queued, running }).toEqual({ queued: 0, running: 0 });
    expect(answers().length).toBeGreaterThanOrEqual(spoken.size);
  }, 240_000);
  await double.settled();

  const { done } = await gateway.queue.counts();
  expect(done).toBe(spoken.size);
  expect(answers()).toHaveLength(spoken.size);
  for (const { to, text } of answers()) expect(text).toContain(spoken.get(to));
  expect(new Set(answers().map(({ to }) => to)).size).toBe(spoken.size);
  expect(double.connections()).toBeGreaterThan(5);
  expect(double.calls.filter(({ status }) => status === 429).length).toBeGreaterThan(10);
}, 300_000);
