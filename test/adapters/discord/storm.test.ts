// 500 voice messages with rate limits, forced resumes and a restart of the gateway: 500 answers, none twice.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ChannelType, MessageFlags } from "discord-api-types/v10";
import { expect, it, onTestFinished } from "vitest";
import { startDiscordDouble } from "../../support/discord-double.ts";
import { startDiscordGateway } from "../../support/discord-gateway.ts";
import { eventually } from "../../support/discord-rig.ts";
import { GUILD, PERSON } from "../../support/discord-world.ts";
import { createFakeTranscriber, spoken } from "../../support/fake-transcriber.ts";

const RECORDINGS = 500;
const CHANNELS = 10;

it("answers each of 500 voice messages once, whatever happens to the connection and the process", async () => {
  const double = await startDiscordDouble();
  const channels = Array.from({ length: CHANNELS }, () =>
    double.world.addChannel(ChannelType.GuildText, { guild: GUILD }),
  );
  const data = await mkdtemp(join(tmpdir(), "earshot-discord-storm-"));
  // Only the speech recognition is a fake: it hears the number that is in the file.
  const transcriber = createFakeTranscriber();
  let gateway = await startDiscordGateway(double, data, transcriber);
  onTestFinished(async () => {
    await gateway.stop(0);
    await double.close();
  });

  const numbers = new Map<string, string>();
  const send = (index: number) => {
    const sound = double.world.attach(
      "voice-message.ogg",
      Buffer.from(spoken([`number ${index} spoken`])),
      "audio/ogg",
      double.base,
      {
        duration_secs: 3,
      },
    );
    const message = double.say(channels[index % CHANNELS]!, PERSON, {
      attachments: [sound],
      flags: MessageFlags.IsVoiceMessage,
    });
    numbers.set(message.id, `number ${index} spoken`);
  };

  for (let index = 0; index < RECORDINGS; index++) {
    send(index);
    if (index % 50 === 20) double.rateLimit(/(POST|PATCH) .*\/messages/, 3, 0.05);
    if (index % 100 === 60) double.gateway.drop();
    if (index === 250) {
      // In the middle of its work, with no time to finish anything; more is posted while it is away.
      await gateway.stop(0);
      for (let away = 0; away < 20; away++) send(RECORDINGS + away);
      gateway = await startDiscordGateway(double, data, transcriber);
    }
    if (index % 5 === 0) await sleep(5);
  }

  const answers = () =>
    channels.flatMap((channel) =>
      double
        .written(channel)
        .map(({ message_reference: reference, content }) => ({ to: reference?.message_id ?? "", content })),
    );
  await eventually(async () => {
    const { queued, running } = await gateway.queue.counts();
    expect({ queued, running }).toEqual({ queued: 0, running: 0 });
    expect(answers().length).toBeGreaterThanOrEqual(numbers.size);
  }, 240_000);

  expect(answers()).toHaveLength(numbers.size);
  for (const { to, content } of answers()) expect(content).toContain(numbers.get(to));
  expect(new Set(answers().map(({ to }) => to)).size).toBe(numbers.size);
  expect(double.gateway.counts.resumed).toBeGreaterThan(0);
  expect(double.calls.filter(({ status }) => status === 429).length).toBeGreaterThan(10);
  expect(double.invalidRequests()).toBeLessThan(200);
}, 300_000);
