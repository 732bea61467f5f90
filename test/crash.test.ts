// The gateway is killed again and again in the middle of a recording: every recording gets its one answer all the same.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { seededRandom } from "../src/inference/random.ts";
import { answerTo, type Gateway, messagesOf, sendRecording, startGateway, until } from "./support/gateway.ts";
import { ffmpeg } from "./support/recordings.ts";

vi.setConfig({ testTimeout: 600_000 });

// Fifty take minutes: CI asks for them, `npm test` on its own for a few.
const KILLS = Number(process.env["EARSHOT_KILLS"] ?? 10);
const MEETING = fileURLToPath(new URL("../models/demo/sample/meeting.flac", import.meta.url));

let folder: string;
let gateway: Gateway;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-crash-"));
  // Two minutes: five windows or so.
  ffmpeg("-stream_loop", "1", "-i", MEETING, join(folder, "long.flac"));
});
afterAll(async () => {
  await gateway.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

it(`gives each of ${KILLS} recordings one answer, the same as without a kill`, async () => {
  const data = join(folder, "data");
  gateway = await startGateway(data, { EARSHOT_LOG_LEVEL: "silent" });
  const startedAt = performance.now();
  const undisturbed = await until(
    gateway.url,
    answerTo(await sendRecording(gateway.url, "direct", join(folder, "long.flac"))),
  );
  const workMs = performance.now() - startedAt;

  const random = seededRandom(20_261_125);
  const sent: string[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    sent.push(await sendRecording(gateway.url, "direct", join(folder, "long.flac")));
    await sleep(random() * workMs);
    await gateway.kill("SIGKILL");
    gateway = await startGateway(data, { EARSHOT_LOG_LEVEL: "silent" });
  }

  for (const id of sent) {
    const answer = await until(gateway.url, answerTo(id));
    // A window whose segments were kept is not decoded again, or it would stand here twice.
    expect(answer.text).toBe(undisturbed.text);
    expect(answer.head).toBe(undisturbed.head);
  }
  const messages = await messagesOf(gateway.url);
  const answers = messages.filter(({ author, thread }) => author === "earshot" && thread !== undefined);
  // One message for each recording: its status has become its answer, and its files follow.
  for (const id of sent) {
    const mine = answers.filter(({ thread }) => thread === id);
    const kinds = mine.map(({ body }) => (body?.kind === "reply" ? body.reply.kind : "?")).sort();
    expect(kinds.filter((kind) => kind === "answer" || kind === "status")).toEqual(["answer"]);
    expect(new Set(kinds).size).toBeLessThanOrEqual(2);
  }
});
