// A disk that is really full: a small one, mounted for the test, under the database and the downloads.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { readdir, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFakePlatform, type FakePlatform } from "./support/fake-platform.ts";
import { createFakeTranscriber, type FakeTranscriber, spoken } from "./support/fake-transcriber.ts";
import { startPlatformGateway } from "./support/platform-gateway.ts";
import { startSlackDouble, textOf } from "./support/slack-double.ts";
import { BOT } from "./support/slack-emulator.ts";
import { startSlackGateway } from "./support/slack-gateway.ts";

const MEGABYTE = 1024 ** 2;
const disk = mkdtempSync(join(tmpdir(), "earshot-disk-"));
const isMounted = resize(4, "size=4m");

/** False where this user may mount nothing. */
function resize(megabytes: number, options = `remount,size=${megabytes}m`): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", disk], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

if (!isMounted) console.log("Only the super-user can mount a small disk: that the disk is full is not tried here.");

afterAll(() => {
  if (isMounted) execFileSync("umount", [disk]);
  rmdirSync(disk);
});

/** Takes all the room there is. */
async function fill(): Promise<void> {
  for (const [index, bytes] of [MEGABYTE, 64 * 1024, 4096].entries()) {
    for (let part = 0; ; part++) {
      try {
        await writeFile(join(disk, `ballast-${index}-${part}`), Buffer.alloc(bytes));
      } catch {
        break;
      }
    }
  }
}

async function makeRoom(): Promise<void> {
  for (const file of await readdir(disk)) if (file.startsWith("ballast")) await rm(join(disk, file));
}

describe.skipIf(!isMounted)("a disk that is full", () => {
  let fake: FakePlatform;
  let transcriber: FakeTranscriber;
  let stop: () => Promise<void>;
  beforeEach(() => {
    fake = createFakePlatform();
    transcriber = createFakeTranscriber();
  });
  afterEach(async () => {
    await stop();
    for (const file of await readdir(disk)) await rm(join(disk, file), { recursive: true });
    resize(4);
  });

  it("holds up a recording that finds no room on Slack's real download, and leaves no part of it", async () => {
    const double = await startSlackDouble();
    const gateway = await startSlackGateway(double, join(disk, "data"), transcriber);
    stop = async () => {
      await gateway.stop(0);
      await double.close();
    };
    const large = spoken([`Here at last. ${"word ".repeat(120_000)}`]);
    const { blocks, bfree, bsize } = await statfs(disk);
    resize(0, `remount,size=${(blocks - bfree) * bsize + 300_000}`);
    await double.upload("audio_message.flac", Buffer.from(large));
    await expect
      .poll(async () => (await gateway.queue.list({ limit: 1 }))[0]?.failure, { timeout: 20_000 })
      .toMatchObject({ code: "disk_full" });
    expect(await readdir(join(disk, "data", "recordings"))).toEqual([]);
    const failures = gateway.observed.filter((event) => event.kind === "job_retried");
    expect(failures[0]).toMatchObject({ error: { message: expect.stringMatching(/disk is full.*Make room/) } });
    resize(32);
    await expect
      .poll(
        () =>
          double
            .messages()
            .filter(({ user }) => user === BOT)
            .map(({ blocks }) => textOf(blocks))
            .join(),
        {
          timeout: 20_000,
        },
      )
      .toContain("Here at last.");
  }, 60_000);

  it("under the database holds the work up and ruins none of it; what comes meanwhile is not acknowledged", async () => {
    const gateway = await startPlatformGateway(() => fake.platform, disk, transcriber, { lookEveryMs: 20 });
    stop = () => gateway.stop(0);
    const hold = transcriber.holdAt(1);
    // The second window is long enough to need room that is not there.
    const id = await fake.post(spoken(["One.", `${"Two ".repeat(20_000)}.`, "Three."]));
    await hold.reached;
    await fill();
    hold.go();
    await expect
      .poll(() => gateway.observed.filter((event) => "error" in event).map(({ error }) => error), { timeout: 20_000 })
      .toContainEqual(expect.objectContaining({ code: "disk_full" }));
    await expect(fake.post(spoken(["Late."]), { name: "x".repeat(200_000) })).rejects.toMatchObject({
      code: "disk_full",
    });
    await makeRoom();
    await expect
      .poll(() => gateway.queue.counts(), { timeout: 20_000 })
      .toMatchObject({ queued: 0, running: 0, done: 1, failed: 0 });
    const [{ text } = { text: "" }] = (await fake.visible()).filter(({ answers }) => answers === id);
    expect(text).toMatch(/One\. Two Two/);
    expect(await fake.post(spoken(["Again."]))).toBeDefined();
    await expect.poll(() => gateway.queue.counts(), { timeout: 20_000 }).toMatchObject({ done: 2 });
  }, 60_000);
});
