// A recording that kills the engine, among others that do not: a real engine dies, and only the poisoned one fails.
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Transcriber } from "../../src/core/ports.ts";
import { createLocalTranscriber } from "../../src/inference/local-transcriber.ts";
import { createFakePlatform } from "../support/fake-platform.ts";
import { startPlatformGateway } from "../support/platform-gateway.ts";

vi.setConfig({ testTimeout: 120_000 });

const sample = (name: string) => fileURLToPath(new URL(`../../models/demo/sample/${name}`, import.meta.url));

let folder: string;
let transcriber: Transcriber;
let gateway: Awaited<ReturnType<typeof startPlatformGateway>>;
const deaths: string[] = [];
const fake = createFakePlatform();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-poisoned-"));
  const ffmpeg = execFileSync("which", ["ffmpeg"], { encoding: "utf8" }).trim();
  const ffprobe = execFileSync("which", ["ffprobe"], { encoding: "utf8" }).trim();
  // An engine that dies of some recordings: the parent of ffmpeg is the inference child.
  const script = `#!/bin/sh
for word in "$@"; do
  case "$word" in file:*) if grep -q POISON "\${word#file:}"; then kill -9 $PPID; fi ;; esac
done
exec ${ffmpeg} "$@"
`;
  await writeFile(join(folder, "ffmpeg"), script, { mode: 0o755 });
  transcriber = createLocalTranscriber({
    ...{ device: "cpu", threads: 1, log: (line) => void deaths.push(line) },
    env: { ...process.env, FFMPEG_PATH: join(folder, "ffmpeg"), FFPROBE_PATH: ffprobe, EARSHOT_SANDBOX: "off" },
  });
  gateway = await startPlatformGateway(() => fake.platform, join(folder, "data"), transcriber);
});
afterEach(async () => {
  await gateway.stop(0);
  await transcriber.close();
  await rm(folder, { recursive: true, force: true });
});

it.skipIf(process.platform === "win32")("is set aside with its sentence, and the others are answered", async () => {
  const innocent = await readFile(sample("meeting.flac"));
  const poisoned = Buffer.concat([await readFile(sample("standup.flac")), Buffer.from("POISON")]);
  await transcriber.engine("demo");
  const before = [await fake.postVoiceMessage(innocent), await fake.postVoiceMessage(innocent)];
  const poison = await fake.postVoiceMessage(poisoned);
  const after = await fake.postVoiceMessage(innocent);

  const answerTo = async (id: string) => (await fake.visible()).find(({ answers }) => answers === id)?.text ?? "";
  await vi.waitFor(
    async () => {
      expect(await answerTo(poison)).toMatch(
        /could not be transcribed: something broke on Earshot's side.*\nTry again$/,
      );
      for (const id of [...before, after]) expect(await answerTo(id)).toMatch(/English · \d+ words/);
    },
    { timeout: 100_000, interval: 100 },
  );
  const jobs = await gateway.queue.list({ limit: 10 });
  // What died beside the poisoned one was not counted against it.
  expect(jobs.map(({ state, attempt }) => [state, attempt]).sort()).toEqual([
    ["done", 1],
    ["done", 1],
    ["done", 1],
    ["failed", 2],
  ]);
  expect(jobs.find(({ state }) => state === "failed")?.failure).toMatchObject({ code: "child_died" });
  expect(deaths.length).toBeGreaterThanOrEqual(2);
  expect(deaths.length).toBeLessThanOrEqual(3);
  expect(await readdir(join(folder, "data", "recordings"))).toEqual([]);

  const next = await fake.postVoiceMessage(innocent);
  await vi.waitFor(async () => expect(await answerTo(next)).toMatch(/words/), { timeout: 60_000, interval: 100 });
});
