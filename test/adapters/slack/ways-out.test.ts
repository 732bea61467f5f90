// What Earshot writes on Slack, and what it makes of every refusal.
import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { draw } from "../../../src/adapters/slack/blocks.ts";
import { createCalls } from "../../../src/adapters/slack/calls.ts";
import type { Place, Recording } from "../../../src/core/recording.ts";
import type { AnswerReply } from "../../../src/core/reply.ts";
import { textOf } from "../../support/slack-double.ts";
import { startSlackRig } from "../../support/slack-rig.ts";

const SOUND = Buffer.from("not really sound");
const ANSWER: AnswerReply = {
  kind: "answer",
  head: "standup.ogg · 0:07 · English · 3 words",
  text: "We use Qavylow.",
  isCut: false,
  notes: [],
  fileNames: [],
  actions: [
    { name: "srt", label: "SRT", jobId: "1f3a9c" },
    { name: "delete", label: "Delete", jobId: "1f3a9c" },
  ],
};

async function rigWithRecording() {
  const rig = await startSlackRig();
  const { ts } = await rig.double.upload("audio_message.m4a", SOUND);
  await rig.double.settled();
  const [recording] = rig.told.recordings;
  if (recording === undefined) throw new Error("The listener heard of no recording.");
  const place: Place = recording.place;
  const sent = (method: string) =>
    rig.double.calls.filter(({ path }) => path === `/api/${method}`).map(({ body }) => body);
  return { ...rig, ts, recording, place, sent };
}

describe("an answer", () => {
  it("pings nobody and unfolds no link, whatever was said", async () => {
    const { platform, place, sent } = await rigWithRecording();
    const text = "<!channel> <@U1> https://example.org";
    await platform.reply(place, { ...ANSWER, head: text, text }, { key: "1f3a9c:status" });
    const [body] = sent("chat.postMessage");
    expect(body).toMatchObject({ unfurl_links: "false", unfurl_media: "false" });
    expect(body?.["text"]).toBe("&lt;!channel&gt; &lt;@U1&gt; https://example.org");
    const blocks = JSON.parse(String(body?.["blocks"]));
    expect(blocks.map(({ type }: { type: string }) => type)).toEqual(["rich_text", "rich_text", "actions"]);
    expect(JSON.stringify(blocks)).not.toContain("mrkdwn");
  });

  it("has buttons with its job, and asks before it deletes", () => {
    const actions = draw(ANSWER).blocks.at(-1);
    expect(actions).toMatchObject({
      type: "actions",
      elements: [
        { action_id: "earshot:srt", value: "1f3a9c" },
        { action_id: "earshot:delete", value: "1f3a9c", style: "danger", confirm: { confirm: { text: "Delete" } } },
      ],
    });
  });

  it("keeps to Slack's lengths, and what does not fit comes as a file", () => {
    const text = "Wörter und 🎧 ".repeat(10_000);
    const { blocks, files, text: notice } = draw({ ...ANSWER, text });
    expect(blocks.length).toBeLessThanOrEqual(50);
    expect(notice.length).toBeLessThan(4000);
    for (const block of blocks) expect(textOf([block]).length).toBeLessThanOrEqual(3000);
    expect(files).toEqual([{ name: "transcript.txt", mimeType: "text/plain", content: text }]);
    expect(draw({ ...ANSWER, text, fileNames: ["a.txt"] }).files).toEqual([]);
    const short = "Wörter und 🎧 ".repeat(1000);
    expect(
      draw({ ...ANSWER, text: short, actions: [] })
        .blocks.slice(1)
        .map((block) => textOf([block]))
        .join(""),
    ).toBe(short);
  });

  it("shows what can be typed as code", () => {
    const { blocks } = draw({ kind: "words", text: "Type `/jargon add *x*` & go" });
    expect(blocks).toMatchObject([
      {
        elements: [
          { elements: [{ text: "Type " }, { text: "/jargon add *x*", style: { code: true } }, { text: " & go" }] },
        ],
      },
    ]);
  });

  it("goes into the thread that the recording stands in", async () => {
    const { platform, place, sent, ts } = await rigWithRecording();
    await platform.reply(place, ANSWER, { key: "1:status" });
    await platform.reply({ ...place, thread: "5.5" }, ANSWER, { key: "2:status" });
    await platform.reply({ ...place, reach: "channel" }, ANSWER, { key: "3:status" });
    expect(sent("chat.postMessage").map((body) => body["thread_ts"])).toEqual([ts, "5.5", undefined]);
  });

  it("for one person alone is seen by that one, and its files come as a direct message", async () => {
    const { platform, place, sent, double } = await rigWithRecording();
    const alone: Place = { ...place, reach: "only_me" };
    const status = { kind: "status", text: "Transcribing …", actions: [] } as const;
    const id = await platform.reply(alone, status, { key: "1f3a9c:status" });
    expect(await platform.reply(alone, status, { key: "1f3a9c:status", editId: id })).toBe(id);
    expect(sent("chat.postEphemeral")).toEqual([]);
    await platform.reply(alone, ANSWER, { key: "1f3a9c:status", editId: id });
    expect(sent("chat.postEphemeral")).toMatchObject([{ user: place.user, channel: place.channel }]);
    await platform.reply(
      alone,
      { kind: "file", file: { name: "a.srt", mimeType: "text/plain", content: "1" } },
      { key: "1:a" },
    );
    const direct = double.emulator
      .collection("channels")
      .all()
      .find((channel) => channel["is_im"] === true);
    expect(double.messages(String(direct?.["channel_id"])).at(-1)).toMatchObject({ files: [{ name: "a.srt" }] });
    expect(sent("chat.postMessage")).toEqual([]);
  });

  it("as a direct message is posted and edited there", async () => {
    const { platform, place, double } = await rigWithRecording();
    const direct: Place = { ...place, reach: "direct" };
    const id = await platform.reply(
      direct,
      { kind: "status", text: "Transcribing …", actions: [] },
      { key: "1:status" },
    );
    expect(id).toMatch(/^D/);
    expect(await platform.reply(direct, ANSWER, { key: "1:status", editId: id })).toBe(id);
    expect(textOf(double.messages(id.split("/")[0]).at(-1)?.["blocks"])).toContain("We use Qavylow.");
  });

  it("sends a file once, also when an earlier attempt died before it could say so", async () => {
    const { platform, place, double } = await rigWithRecording();
    await platform.reply(place, ANSWER, { key: "1f3a9c:status" });
    const file = { name: "standup.srt", mimeType: "application/x-subrip", content: "1\n" };
    const first = await platform.reply(place, { kind: "file", file }, { key: "1f3a9c:standup.srt" });
    const again = await platform.reply(place, { kind: "file", file }, { key: "1f3a9c:standup.srt", mayExist: true });
    expect(again).toBe(first);
    const other = await platform.reply(
      place,
      { kind: "file", file: { ...file, name: "standup.vtt" } },
      { key: "1f3a9c:standup.vtt", mayExist: true },
    );
    expect(other).not.toBe(first);
    expect(double.messages().filter(({ files }) => Array.isArray(files) && files.length > 0)).toHaveLength(3);
  });
});

describe("a file that a button asks for", () => {
  it("comes into the thread, and words come to the one who pressed it", async () => {
    const file = { name: "standup.srt", mimeType: "application/x-subrip", content: "1\n" };
    const { double } = await startSlackRig({
      listener: {
        press: async ({ action }) =>
          action === "srt" ? { kind: "file", file } : { kind: "words", text: "It has ended already." },
      },
    });
    const { ts } = await double.upload("audio_message.m4a", SOUND);
    await double.settled();
    await double.press({ ts: "9.1", thread_ts: ts }, "earshot:srt", "1f3a9c");
    await double.press({ ts: "9.1", thread_ts: ts }, "earshot:cancel", "1f3a9c");
    await double.settled();
    expect(double.messages().at(-1)).toMatchObject({ thread_ts: ts, files: [{ name: "standup.srt" }] });
    expect(double.responses.map(({ blocks }) => textOf(blocks))).toEqual(["It has ended already."]);
  });
});

describe("Slack's limits", () => {
  it("are waited for where the wait is short, and handed on where it is long", async () => {
    const { platform, place, double } = await rigWithRecording();
    double.rateLimit(/chat\.postMessage/, 2, 0);
    await platform.reply(place, ANSWER, { key: "1:status" });
    double.rateLimit(/chat\.postMessage/, 1, 60);
    await expect(platform.reply(place, ANSWER, { key: "2:status" })).rejects.toMatchObject({
      name: "PlatformError",
      code: "rate_limited",
      retryAfterMs: 60_000,
    });
    expect(double.messages().filter(({ user }) => user !== double.emulator.person)).toHaveLength(1);
  });

  it("of a channel hold for that channel alone, and for posts, not for edits", async () => {
    let time = 1_000_000;
    const waits: number[] = [];
    const calls = createCalls({
      postEveryMs: 1000,
      now: () => time,
      sleep: async (ms) => {
        waits.push(ms);
        time += ms;
      },
    });
    const call = async () => time;
    await calls.post("C1", "a message", call);
    await calls.post("C2", "a message", call);
    await calls.call("an edit", call);
    expect(waits).toEqual([]);
    await calls.post("C1", "a message", call);
    await calls.post("C1", "a message", call);
    expect(waits).toEqual([1000, 1000]);
  });
});

describe("a refusal", () => {
  it.each([
    ["missing_scope", { needed: "chat:write" }, "forbidden", "Add the scope chat:write"],
    ["not_in_channel", {}, "forbidden", "/invite @Earshot"],
    ["channel_not_found", {}, "forbidden", "/invite @Earshot"],
    ["token_revoked", {}, "unauthorized", "Install the app again"],
    ["account_inactive", {}, "unauthorized", "Install it again"],
    ["internal_error", {}, "unavailable", "internal_error"],
    ["msg_too_long", {}, "rejected", "msg_too_long"],
  ])("%s says what to do", async (error, more, code, sentence) => {
    const { platform, place, double } = await rigWithRecording();
    double.refuse(/chat\.postMessage/, error, more);
    await expect(platform.reply(place, ANSWER, { key: "1:status" })).rejects.toMatchObject({
      name: "PlatformError",
      code,
      message: expect.stringContaining(sentence),
    });
  });

  it("of the network is told from one of Slack's", async () => {
    const { platform, place, double } = await rigWithRecording();
    double.fail(/chat\.postMessage/, 1, "drop");
    await expect(platform.reply(place, ANSWER, { key: "1:status" })).rejects.toMatchObject({ code: "unavailable" });
    double.fail(/chat\.postMessage/, 1, { status: 503 });
    await expect(platform.reply(place, ANSWER, { key: "1:status" })).rejects.toMatchObject({ code: "unavailable" });
  });

  it("of an upload's bytes is told, and a foreign place for them is not used", async () => {
    const { platform, place, double } = await rigWithRecording();
    const file = { kind: "file", file: { name: "a.srt", mimeType: "text/plain", content: "1" } } as const;
    double.fail(/^\/upload\//, 1, { status: 500 });
    await expect(platform.reply(place, file, { key: "1:a" })).rejects.toMatchObject({ code: "unavailable" });
    const foreign = { ok: true, upload_url: "https://evil.example/u", file_id: "F1" };
    double.fail(/getUploadURLExternal/, 1, { body: JSON.stringify(foreign) });
    await expect(platform.reply(place, file, { key: "1:a" })).rejects.toMatchObject({ code: "rejected" });
  });
});

describe("a download", () => {
  const download = async (prepare: (rig: Awaited<ReturnType<typeof rigWithRecording>>) => void) => {
    const rig = await rigWithRecording();
    prepare(rig);
    const folder = await mkdtemp(join(tmpdir(), "earshot-slack-"));
    const done = rig.platform.download(rig.recording, join(folder, "a.media"), new AbortController().signal);
    const error: unknown = await done.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error !== undefined) expect(await readdir(folder)).toEqual([]);
    return error;
  };

  it("that ends at the sign-in page names the scope that is missing", async () => {
    const page = { headers: { "content-type": "text/html; charset=utf-8" }, body: "<!DOCTYPE html><title>Sign in" };
    const error = await download(({ double }) => double.fail(/^\/files-pri\//, 1, page));
    expect(error).toMatchObject({ code: "forbidden", message: expect.stringContaining("Add the scope files:read") });
  });

  it.each([
    ["file_not_found", {}, "gone"],
    ["file_deleted", {}, "gone"],
    ["missing_scope", { needed: "files:read" }, "forbidden"],
    ["enterprise_is_restricted", {}, "forbidden"],
    ["token_revoked", {}, "unauthorized"],
  ])("%s", async (error, more, code) => {
    expect(await download(({ double }) => double.refuse(/files\.info/, error, more))).toMatchObject({ code });
  });

  it("of a file that Slack keeps from apps says so", async () => {
    const file = { id: "F1", name: "a.ogg", file_access: "access_denied" };
    const error = await download(({ double }) =>
      double.fail(/files\.info/, 1, { body: JSON.stringify({ ok: true, file }) }),
    );
    expect(error).toMatchObject({ code: "forbidden" });
  });

  it("asks Slack's own hosts alone", async () => {
    const file = { id: "F1", name: "a.ogg", url_private_download: "https://evil.example/a.ogg" };
    const error = await download(({ double }) =>
      double.fail(/files\.info/, 1, { body: JSON.stringify({ ok: true, file }) }),
    );
    expect(error).toMatchObject({ code: "rejected" });
  });

  it("larger than allowed is refused to the user", async () => {
    const { double, told } = await startSlackRig({ maxBytes: 10 });
    await double.upload("audio_message.m4a", SOUND);
    await double.settled();
    const [recording] = told.recordings as [Recording];
    const folder = await mkdtemp(join(tmpdir(), "earshot-slack-"));
    const { platform } = await startSlackRig({
      listens: false,
      maxBytes: 10,
      apiUrl: double.apiUrl,
      fileOrigins: [double.base],
    });
    await expect(platform.download(recording, join(folder, "a"), new AbortController().signal)).rejects.toMatchObject({
      name: "UserError",
      code: "too_large",
    });
  });
});
