// The whole process tree is killed at random, again and again, while people post on Slack and Discord: every recording
// gets its one answer. `npm test` kills a few times; the soak many, with the figures in docs/reliability.md.
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ChannelType, MessageFlags } from "discord-api-types/v10";
import { expect, it, onTestFinished, vi } from "vitest";
import { seededRandom } from "../src/inference/random.ts";
import { openDatabase } from "../src/storage/database.ts";
import { createQueue } from "../src/storage/queue.ts";
import { startDiscordDouble, TOKEN } from "./support/discord-double.ts";
import { GUILD, PERSON } from "./support/discord-world.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";
import { APP_TOKEN, startSlackDouble, textOf } from "./support/slack-double.ts";
import { BOT, BOT_TOKEN } from "./support/slack-emulator.ts";

const KILLS = Number(process.env["EARSHOT_SOAK_KILLS"] ?? 1);
/** On a quiet machine a round takes about five seconds. */
vi.setConfig({ testTimeout: 120_000 + KILLS * 60_000 });

const SPOKEN = ["clean_000", "clean_001", "clean_002", "clean_003"];
const SLACK_CHANNELS = ["team-a", "team-b", "team-c"];
const DISCORD_CHANNELS = 3;
const MOST_WAITING = 10;

interface Sent {
  readonly platform: "slack" | "discord";
  /** Channel and message, as the answer refers to it. */
  readonly to: string;
  readonly spoken: string;
}

interface Answer {
  readonly to: string;
  readonly text: string;
}

/** The process and everything below it that runs now. */
function tree(pid: number): number[] {
  const rows = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const below = (parent: number): number[] =>
    rows.filter(([, ppid]) => ppid === parent).flatMap(([child = 0]) => [child, ...below(child)]);
  return [pid, ...below(pid)];
}

it(`answers everything once while something of it is killed ${KILLS} times`, async () => {
  const data = await mkdtemp(join(tmpdir(), "earshot-kills-"));
  const slack = await startSlackDouble({ channels: SLACK_CHANNELS });
  const discord = await startDiscordDouble();
  const slackChannels = SLACK_CHANNELS.map((name) => slack.emulator.channelId(name));
  const discordChannels = Array.from({ length: DISCORD_CHANNELS }, () =>
    discord.world.addChannel(ChannelType.GuildText, { guild: GUILD }),
  );
  const secrets = { SLACK_BOT_TOKEN: BOT_TOKEN, SLACK_APP_TOKEN: APP_TOKEN, DISCORD_TOKEN: TOKEN };
  const counterparts = {
    slack: { apiUrl: slack.apiUrl, fileOrigins: [slack.base], postEveryMs: 20 },
    discord: { api: discord.api, cdn: discord.base },
  };
  const start = () => startGateway(data, { ...secrets, EARSHOT_LOG_LEVEL: "error" }, { counterparts });
  let gateway: Gateway = await start();
  let starts = 1;
  onTestFinished(async () => {
    await gateway.kill("SIGKILL");
    await slack.close();
    await discord.close();
    await rm(data, { recursive: true, force: true });
  });

  const files = new Map<string, Buffer>();
  for (const name of SPOKEN) {
    files.set(name, await readFile(fileURLToPath(new URL(`fixtures/speech/${name}.flac`, import.meta.url))));
  }
  const sent: Sent[] = [];
  const random = seededRandom(20_261_126);
  const oneOf = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;

  async function send(): Promise<void> {
    const spoken = oneOf(SPOKEN);
    const bytes = files.get(spoken) ?? Buffer.alloc(0);
    if (random() < 0.5) {
      const channel = oneOf(slackChannels);
      const { ts } = await slack.upload("audio_message.flac", bytes, { channel });
      sent.push({ platform: "slack", to: `${channel}/${ts}`, spoken });
      return;
    }
    const sound = discord.world.attach("voice-message.flac", bytes, "audio/flac", discord.base, { duration_secs: 3 });
    const flags = MessageFlags.IsVoiceMessage;
    const { id } = discord.say(oneOf(discordChannels), PERSON, { attachments: [sound], flags });
    sent.push({ platform: "discord", to: id, spoken });
  }

  function answers(): Answer[] {
    const onSlack = slackChannels.flatMap((channel) =>
      slack
        .messages(channel)
        .filter(({ user }) => user === BOT)
        .map((message) => ({ to: `${channel}/${String(message["thread_ts"])}`, text: textOf(message["blocks"]) })),
    );
    const onDiscord = discordChannels.flatMap((channel) =>
      discord
        .written(channel)
        .map(({ message_reference: reference, content }) => ({ to: reference?.message_id ?? "", text: content })),
    );
    return [...onSlack, ...onDiscord];
  }

  // Beside the gateway, as `earshot jobs` is.
  const database = openDatabase(join(data, "earshot.db"), { as: "visitor" });
  const queue = createQueue(database);
  onTestFinished(() => database.close());
  let triedAgain = 0;
  async function allAnswered(): Promise<void> {
    await vi.waitFor(
      async () => {
        for (const job of await queue.list({ state: "failed", limit: 50 })) {
          // Two kills of the engine over the same recording set it aside, and a person presses "Try again".
          expect(job.failure?.code).toBe("child_died");
          if (await queue.retry(job.id)) triedAgain++;
        }
        const { queued, running, done } = await queue.counts();
        expect({ queued, running, done }).toEqual({ queued: 0, running: 0, done: sent.length });
      },
      { timeout: 90_000 + KILLS * 2000, interval: 100 },
    );
    await slack.settled();
  }

  // What is heard when nobody kills anything.
  for (const spoken of SPOKEN) {
    const channel = slackChannels[0] ?? "";
    const { ts } = await slack.upload("audio_message.flac", files.get(spoken) ?? Buffer.alloc(0), { channel });
    sent.push({ platform: "slack", to: `${channel}/${ts}`, spoken });
  }
  await allAnswered();
  const heard = new Map(
    sent.map(({ to, spoken }) => [
      spoken,
      answers()
        .find((answer) => answer.to === to)
        ?.text.split("\n")[1] ?? "",
    ]),
  );
  for (const text of heard.values()) expect(text).not.toBe("");

  const victims = { gateway: 0, below: 0, all: 0 };
  for (let kill = 0; kill < KILLS; kill++) {
    // There is always some work, and never so much that the kills meet the same recordings again and again.
    await vi.waitFor(
      async () => {
        const { queued, running } = await queue.counts();
        expect(queued + running).toBeLessThan(MOST_WAITING);
      },
      { timeout: 120_000, interval: 50 },
    );
    for (let count = 1 + Math.floor(random() * 3); count > 0; count--) await send();
    await sleep(random() * 2500);
    const [root = 0, ...below] = tree(gateway.process.pid ?? 0);
    const dice = random();
    const doomed = dice < 0.4 ? [root] : dice < 0.8 && below.length > 0 ? [oneOf(below)] : [...below, root];
    victims[doomed.length > 1 ? "all" : doomed[0] === root ? "gateway" : "below"]++;
    for (const pid of doomed) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself in this moment.
      }
    }
    if (kill % 25 === 24) console.log(`${kill + 1} kills, ${sent.length} recordings, ${starts} starts`);
    if (!doomed.includes(root)) continue;
    await gateway.ended;
    // Some of it comes while nobody is there.
    if (random() < 0.3) await send();
    gateway = await start();
    starts++;
  }

  await allAnswered();
  const given = answers();
  for (const { to, spoken } of sent) {
    const mine = given.filter((answer) => answer.to === to);
    expect(mine.map(({ text }) => text)).toEqual([expect.stringContaining(heard.get(spoken) ?? "?")]);
  }
  expect(given).toHaveLength(sent.length);
  // Nothing is left of them but their texts.
  await expect.poll(() => readdir(join(data, "recordings"))).toEqual([]);
  const on = (name: Sent["platform"]) => sent.filter(({ platform }) => platform === name).length;
  console.log(
    `${KILLS} kills (${victims.gateway} of the gateway alone, ${victims.below} of a process below it, ${victims.all} of ` +
      `all), ${starts} starts: ${sent.length} recordings (${on("slack")} on Slack, ${on("discord")} on Discord), ` +
      `${given.length} answers, none lost, none twice; ${triedAgain} set aside after two kills over them and tried again`,
  );
});
