// SIGTERM in every phase, once and twice: the gateway ends in time, leaves no process behind, and the next one goes on to
// one answer.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type Gateway, type StartOptions, spawnGateway, startGateway } from "./support/gateway.ts";
import { ffmpeg } from "./support/recordings.ts";
import { APP_TOKEN, type SlackDouble, startSlackDouble, textOf } from "./support/slack-double.ts";
import { BOT, BOT_TOKEN } from "./support/slack-emulator.ts";

vi.setConfig({ testTimeout: 180_000 });

/** Grace for what is nearly done, closing what is open, and a busy machine. */
const IN_TIME_MS = 20_000;
const ENV = {
  ...{ SLACK_BOT_TOKEN: BOT_TOKEN, SLACK_APP_TOKEN: APP_TOKEN, EARSHOT_LOG_LEVEL: "error" },
  // Window by window, so that there is a middle in which it can be stopped.
  EARSHOT_WAY: "sequential",
};

let folder: string;
let double: SlackDouble;
let options: StartOptions;
let clip: Buffer;
let meeting: Buffer;
let gateway: Gateway;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-stopping-"));
  double = await startSlackDouble();
  options = { counterparts: { slack: { apiUrl: double.apiUrl, fileOrigins: [double.base], postEveryMs: 5 } } };
  clip = await readFile(fileURLToPath(new URL("fixtures/speech/clean_000.flac", import.meta.url)));
  const sample = fileURLToPath(new URL("../models/demo/sample/meeting.flac", import.meta.url));
  ffmpeg("-stream_loop", "5", "-i", sample, join(folder, "long.flac"));
  meeting = await readFile(join(folder, "long.flac"));
});
afterAll(async () => {
  await gateway.kill("SIGKILL");
  await double.close();
  await rm(folder, { recursive: true, force: true });
});

const start = () => startGateway(join(folder, "data"), ENV, options);
const said = (ts: string) =>
  double
    .messages()
    .filter((message) => message["user"] === BOT && message["thread_ts"] === ts)
    .map(({ blocks }) => textOf(blocks));

/** The answer begins with what the recording is; a status does not. */
const isAnswer = (text: string) => /^audio_message\.flac · /.test(text);
async function onlyAnswer(ts: string): Promise<void> {
  await vi.waitFor(() => expect(said(ts).some(isAnswer)).toBe(true), { timeout: 120_000, interval: 50 });
  await double.settled();
  // A long one comes with its files.
  expect(said(ts).filter((text) => text !== "")).toHaveLength(1);
}

/** Everything that the gateway has started. */
async function children(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return text.trim().split(/\s+/).filter(Boolean).map(Number);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Ends in time by the signal, with everything below it. */
async function stopped(signals: 1 | 2 = 1): Promise<void> {
  const below = await children(gateway.process.pid ?? 0);
  const began = performance.now();
  let code = gateway.kill("SIGTERM");
  if (signals === 2) {
    // The second one is not to come before the first was heard.
    await vi.waitFor(() => expect(gateway.output()).toContain("Stopping"), { timeout: 10_000, interval: 5 });
    code = gateway.kill("SIGTERM");
  }
  // Ended by the second signal itself, there is no exit code.
  expect(await code).toBe(signals === 2 ? null : 143);
  expect(performance.now() - began).toBeLessThan(IN_TIME_MS);
  await vi.waitFor(() => expect(below.filter(isAlive)).toEqual([]), { timeout: 10_000, interval: 20 });
}

it("at the start ends it before it listens, and leaves the data to the next", async () => {
  const starting = spawnGateway(join(folder, "data"), ENV, options);
  gateway = starting;
  // As soon as there is a process that can be told.
  await vi.waitFor(async () => expect(await children(starting.process.pid ?? 0)).not.toEqual([]), { timeout: 30_000 });
  await stopped();
  gateway = await start();
});

it("while a recording is fetched", async () => {
  const hold = double.hold(/files-pri/);
  const { ts } = await double.upload("audio_message.flac", clip);
  await hold.reached;
  await stopped();
  hold.release();
  gateway = await start();
  await onlyAnswer(ts);
});

it("while the answer is on its way", async () => {
  const hold = double.hold(/chat\.update/);
  const { ts } = await double.upload("audio_message.flac", clip);
  await hold.reached;
  await stopped();
  hold.release();
  gateway = await start();
  await onlyAnswer(ts);
});

it("while it listens to a long recording, and twice", async () => {
  const { ts } = await double.upload("audio_message.flac", meeting);
  await vi.waitFor(() => expect(said(ts).join()).toMatch(/Transcribing/), { timeout: 60_000, interval: 10 });
  await stopped();
  gateway = await start();
  const goesOn = (text: string) => /Transcribing.*\d%/.test(text) || isAnswer(text);
  await vi.waitFor(() => expect(said(ts).some(goesOn)).toBe(true), { timeout: 60_000, interval: 10 });
  if (!said(ts).some(isAnswer)) await stopped(2);
  else await stopped();
  gateway = await start();
  await onlyAnswer(ts);
});

it("while there is nothing to do", async () => {
  await stopped();
  gateway = await start();
});
