// Files of messages through the Graph double: which are found, who may hear them, and how their bytes come.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { DriveSource } from "../../../../src/adapters/teams/graph/index.ts";
import { mayBeMedia, mediaKind } from "../../../../src/adapters/teams/graph/media-kind.ts";
import { refused } from "../../../support/graph-double.ts";
import { startGraphRig } from "../../../support/graph-rig.ts";

const AT = { kind: "channel", team: "team-1", channel: "19:general@thread.tacv2", root: "1700000000000" } as const;
const CHAT = { kind: "chat", chat: "19:abc@thread.v2", message: "1700000000001" } as const;
const ANNA = "976f4b31-fd01-4e0b-9178-29cc40c14438";
const BEN = "8b081ef6-4792-4def-b2c9-c363a1bf41d5";
const BYTES = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, index) => (index * 37) % 256));

async function startFiles() {
  const rig = await startGraphRig();
  const { double } = rig;
  const { drive } = double.addFolder("team-1", "19:general@thread.tacv2");
  const message = (...attachments: unknown[]) => ({ id: "1", from: { user: { id: ANNA } }, attachments });
  return {
    ...rig,
    drive,
    inChannel: (...attachments: unknown[]) => double.addChannelMessage(AT, message(...attachments)),
    inChat: (...attachments: unknown[]) => double.addChatMessage(CHAT.chat, CHAT.message, message(...attachments)),
    file: (name: string, more: Parameters<typeof double.addFile>[0] | object = {}) =>
      double.addFile({ name, drive, content: BYTES, mimeType: "application/octet-stream", createdBy: BEN, ...more }),
    fetched: async (source: DriveSource | Record<string, string>, signal = new AbortController().signal) => {
      const to = join(rig.folder, "a.media");
      await rig.graph.download({ name: "a.mp3", source }, to, signal);
      return readFile(to);
    },
  };
}

describe("the files of a message", () => {
  it("are those of the channel's own folder that are audio or video, with what is known of them", async () => {
    const { graph, inChannel, file, drive } = await startFiles();
    const voice = file("stand-up.m4a", { mimeType: "audio/mp4" });
    const film = file("demo.mp4");
    const untold = file("recording", { mimeType: "audio/ogg" });
    const card = { contentType: "application/vnd.microsoft.card.adaptive", content: "{}" };
    inChannel(
      voice.attachment,
      file("plan.docx").attachment,
      card,
      film.attachment,
      untold.attachment,
      voice.attachment,
    );
    expect(await graph.files(AT)).toEqual([
      {
        name: "stand-up.m4a",
        kind: "audio",
        bytes: BYTES.length,
        mimeType: "audio/mp4",
        source: { from: "drive", drive, item: voice.item.id },
      },
      {
        name: "demo.mp4",
        kind: "video",
        bytes: BYTES.length,
        mimeType: "application/octet-stream",
        source: { from: "drive", drive, item: film.item.id },
      },
      {
        name: "recording",
        kind: "audio",
        bytes: BYTES.length,
        mimeType: "audio/ogg",
        source: { from: "drive", drive, item: untold.item.id },
      },
    ]);
  });

  it("are found in replies and chats too, and asked for by id alone", async () => {
    const { graph, double, file, inChat } = await startFiles();
    const reply = { ...AT, reply: "1700000000009" } as const;
    const voice = file("a.ogg", { createdBy: ANNA, drive: "b!anna" });
    double.addChannelMessage(reply, { from: { user: { id: ANNA } }, attachments: [voice.attachment] });
    inChat(voice.attachment);
    expect(await graph.files(reply)).toHaveLength(1);
    expect(await graph.files(CHAT)).toHaveLength(1);
    expect(
      double.callsOf(/^GET \/teams\/team-1\/channels\/19%3Ageneral%40thread.tacv2\/messages\/.*\/replies\//),
    ).toHaveLength(1);
  });

  it("are none where a message has none, or attachments are left out", async () => {
    const { graph, double } = await startFiles();
    double.addChannelMessage(AT, { id: "1", attachments: null });
    expect(await graph.files(AT)).toEqual([]);
    double.addChannelMessage(AT, {});
    expect(await graph.files(AT)).toEqual([]);
  });

  it("asks Graph about no address outside of SharePoint", async () => {
    const { graph, double, inChat } = await startFiles();
    const links = ["https://evil.example/a.mp3", "javascript:alert(1)", "file:///etc/passwd.mp3", "//x/a.mp3"];
    inChat(...links.map((contentUrl) => ({ contentType: "reference", contentUrl, name: "a.mp3" })));
    expect(await graph.files(CHAT)).toEqual([]);
    expect(double.callsOf(/shares/)).toEqual([]);
  });

  it("may be heard by nobody who could not open them: a link to another's file is not followed", async () => {
    const { graph, inChat, inChannel, file } = await startFiles();
    const secret = file("board-meeting.mp4", { drive: "b!ben", createdBy: BEN });
    inChat(secret.attachment);
    await expect(graph.files(CHAT)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("Upload the file to the conversation itself."),
    });
    inChannel(secret.attachment);
    await expect(graph.files(AT)).rejects.toMatchObject({ code: "forbidden" });
  });

  it.each([
    ["the sender made it", { createdBy: ANNA, drive: "b!other" }],
    ["it was shared with the sender", { drive: "b!ben", invited: [ANNA] }],
    ["it was shared with the whole organisation", { drive: "b!ben", organizationLink: true }],
  ])("may be heard when %s", async (_, more) => {
    const { graph, inChat, file } = await startFiles();
    inChat(file("a.mp3", more).attachment);
    expect(await graph.files(CHAT)).toHaveLength(1);
  });

  it("may be heard in a channel whose folder nobody has made yet", async () => {
    const { graph, double, file } = await startFiles();
    const at = { ...AT, channel: "19:new@thread.tacv2" };
    const own = file("a.mp3", { drive: "b!anna", invited: [ANNA] });
    double.addChannelMessage(at, { from: { user: { id: ANNA } }, attachments: [own.attachment] });
    expect(await graph.files(at)).toHaveLength(1);
  });

  it("of a forwarded message are those that are attached to the one that forwards it", async () => {
    const { graph, inChat, file } = await startFiles();
    // Ben's file, which Teams shared with Anna when he sent it to her.
    const bens = file("from-ben.ogg", { drive: "b!ben", createdBy: BEN, invited: [ANNA] });
    const original = { originalMessageId: "1", originalMessageContent: "<attachment id=1></attachment>" };
    const reference = { contentType: "forwardedMessageReference", content: JSON.stringify(original), contentUrl: null };
    inChat(reference, bens.attachment);
    expect((await graph.files(CHAT)).map(({ name }) => name)).toEqual(["from-ben.ogg"]);
  });

  it("takes a message without a sender for nobody's", async () => {
    const { graph, double, file } = await startFiles();
    const { attachment } = file("a.mp3", { drive: "b!x", createdBy: undefined });
    double.addChatMessage(CHAT.chat, CHAT.message, { from: null, attachments: [attachment] });
    await expect(graph.files(CHAT)).rejects.toMatchObject({ code: "forbidden" });
  });

  it("does not let one that is gone or kept hide the others", async () => {
    const { graph, inChat, file, double } = await startFiles();
    const gone = file("gone.mp3", { createdBy: ANNA });
    const good = file("good.mp3", { createdBy: ANNA });
    double.items.delete(gone.item.id);
    inChat(gone.attachment, good.attachment);
    expect((await graph.files(CHAT)).map(({ name }) => name)).toEqual(["good.mp3"]);
    double.items.delete(good.item.id);
    await expect(graph.files(CHAT)).rejects.toMatchObject({ code: "gone" });
  });

  it.each([
    ["ChannelMessage.Read.Group", AT],
    ["ChatMessage.Read.Chat", CHAT],
    ["Files.ReadWrite.All", CHAT],
  ] as const)("says that %s is missing", async (permission, at) => {
    const { graph, double, inChat, inChannel, file } = await startFiles();
    const { attachment } = file("a.mp3", { createdBy: ANNA });
    inChat(attachment);
    inChannel(attachment);
    double.granted.delete(permission);
    await expect(graph.files(at)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining(permission),
    });
  });

  it("asks once for a channel's folder", async () => {
    const { graph, inChannel, file, double, pass } = await startFiles();
    inChannel(file("a.mp3").attachment, file("b.mp3").attachment);
    await graph.files(AT);
    await graph.files(AT);
    expect(double.callsOf(/filesFolder/)).toHaveLength(1);
    pass(11 * 60_000);
    await graph.files(AT);
    expect(double.callsOf(/filesFolder/)).toHaveLength(2);
  });
});

describe("a file of a personal chat", () => {
  it("lies in the OneDrive of whoever sent it, and nowhere else", async () => {
    const { graph, double, file } = await startFiles();
    const voice = file("a.wav", { drive: double.driveOf(ANNA) });
    const source = { from: "drive", drive: double.driveOf(ANNA), item: voice.item.id };
    expect(await graph.userFile(ANNA, voice.item.id)).toMatchObject({ name: "a.wav", kind: "audio", source });
    await expect(graph.userFile(BEN, voice.item.id)).rejects.toMatchObject({ code: "gone" });
    const text = file("a.txt", { drive: double.driveOf(ANNA), mimeType: "text/plain" });
    expect(await graph.userFile(ANNA, text.item.id)).toBeUndefined();
  });
});

describe("what Earshot posted", () => {
  it("is found in a chat and in a thread, newest first, and nothing that others posted", async () => {
    const { graph, double } = await startFiles();
    const card = { contentType: "application/vnd.microsoft.card.adaptive", content: '{"id":1}' };
    const own = (id: string) => ({ id, from: { application: { id: "5b0c6f3e-71a7-4b61-8f3e-0a5f4b7c9d10" } } });
    const posted = [
      { ...own("1"), attachments: [card, { contentType: "reference", content: "x" }] },
      { id: "2", from: { user: { id: ANNA } }, attachments: [card] },
      { id: "3", from: { application: { id: "another" } }, attachments: [card] },
      { ...own("4"), attachments: null },
    ];
    double.setSent(CHAT.chat, posted);
    double.setSent("team-1|19:general@thread.tacv2|1700000000000", posted);
    const expected = [
      { id: "4", cards: [] },
      { id: "1", cards: ['{"id":1}'] },
    ];
    expect(await graph.ownMessages({ kind: "chat", chat: CHAT.chat })).toEqual(expected);
    expect(await graph.ownMessages(AT)).toEqual(expected);
  });
});

describe("what was posted lately", () => {
  const at = (ms: number) => new Date(ms).toISOString();

  it("is found in a chat and in a channel's threads, oldest first, where people sent files that may be recordings", async () => {
    const { graph, double, file, now } = await startFiles();
    const sound = file("a.m4a", { createdBy: ANNA }).attachment;
    const message = (id: string, minutesAgo: number, more: object = {}) => ({
      id,
      createdDateTime: at(now() - minutesAgo * 60_000),
      from: { user: { id: ANNA } },
      attachments: [sound],
      ...more,
    });
    const since = now() - 15 * 60_000;
    const lately = [
      message("old", 16),
      message("first", 10),
      message("text", 9, { attachments: [] }),
      message("plan", 8, { attachments: [file("plan.docx").attachment] }),
      message("bot", 7, { from: { application: { id: "x" } } }),
      message("deleted", 6, { deletedDateTime: at(now()) }),
      message("untimed", 6, { createdDateTime: null }),
      message("last", 5, { from: { user: { id: BEN } } }),
    ];
    for (const each of lately) {
      double.addChatMessage(CHAT.chat, each.id, each);
      double.addChannelMessage({ ...AT, root: each.id }, each);
    }
    double.addChannelMessage({ ...AT, root: "old", reply: "reply" }, message("reply", 1));
    const chat = await graph.recent({ kind: "chat", chat: CHAT.chat }, since);
    expect(chat.map(({ message: id, sender }) => [id, sender])).toEqual([
      ["first", ANNA],
      ["last", BEN],
    ]);
    const channel = await graph.recent(AT, since);
    expect(channel.map(({ message: id, root }) => [id, root])).toEqual([
      ["first", undefined],
      ["last", undefined],
      ["reply", "old"],
    ]);
  });

  it("goes back as far as was asked for, and not to the beginning of a chat", async () => {
    const { graph, double, file, now } = await startFiles();
    const { attachment } = file("a.m4a", { createdBy: ANNA });
    for (let index = 0; index < 130; index++) {
      const createdDateTime = at(now() - (130 - index) * 10_000);
      const message = { id: `m${index}`, createdDateTime, from: { user: { id: ANNA } }, attachments: [attachment] };
      double.addChatMessage(CHAT.chat, message.id, message);
    }
    expect(await graph.recent({ kind: "chat", chat: CHAT.chat }, now() - 605_000)).toHaveLength(60);
    expect(double.callsOf(/^GET \/chats/)).toHaveLength(2);
  });

  it("says that the permission is missing", async () => {
    const { graph, double } = await startFiles();
    double.granted.delete("ChannelMessage.Read.Group");
    await expect(graph.recent(AT, 0)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("ChannelMessage.Read.Group"),
    });
  });
});

describe("the owners of a team", () => {
  it("are found among its members, and none where Earshot may not see them", async () => {
    const { graph, double } = await startFiles();
    double.setMembers("team-1", [
      { userId: ANNA, roles: ["owner"] },
      { userId: BEN, roles: [] },
      { userId: "carl" },
      { userId: "dora", roles: ["owner", "guest"] },
    ]);
    expect(await graph.owners("team-1")).toEqual([ANNA, "dora"]);
    double.granted.delete("TeamMember.Read.Group");
    expect(await graph.owners("team-1")).toEqual([]);
  });
});

describe("the bytes of a file", () => {
  it("come by a link that is asked for then, without the token", async () => {
    const { double, file, drive, fetched } = await startFiles();
    const { item } = file("a.mp3");
    expect(BYTES.equals(await fetched({ from: "drive", drive, item: item.id }))).toBe(true);
    const [download] = double.callsOf(/download.aspx/);
    expect(download?.authorization).toBeUndefined();
  });

  it("go on where the connection broke, with a new link when the old one ran out meanwhile", async () => {
    const { double, file, drive, fetched, pass } = await startFiles();
    const { item } = file("a.mp3");
    double.drives.breaks = 3;
    double.drives.breakAfter = 80_000;
    expect(BYTES.equals(await fetched({ from: "drive", drive, item: item.id }))).toBe(true);
    // As much as had arrived each time, which may be nothing.
    const from = double.callsOf(/download.aspx/).map(({ range }) => Number(/\d+/.exec(range ?? "0")?.[0]));
    expect(from).toHaveLength(4);
    expect(from.toSorted((a, b) => a - b)).toEqual(from);
    expect(from.at(-1)).toBeGreaterThan(0);

    double.calls.length = 0;
    double.drives.breaks = 1;
    double.drives.linkMs = 1000;
    const watched = setInterval(() => {
      if (double.callsOf(/download.aspx/).length === 0) return;
      clearInterval(watched);
      pass(2000);
      double.drives.linkMs = 3_600_000;
    }, 1);
    expect(BYTES.equals(await fetched({ from: "drive", drive, item: item.id }))).toBe(true);
    expect(double.callsOf(/download.aspx/).map(({ status }) => status)).toEqual([200, 401, 206]);
    expect(double.callsOf(/^GET \/drives/)).toHaveLength(2);
  });

  it("are left to a later attempt when the link ran out before it was used", async () => {
    const { double, file, drive, fetched } = await startFiles();
    const { item } = file("a.mp3");
    double.drives.linkMs = -1;
    await expect(fetched({ from: "drive", drive, item: item.id })).rejects.toMatchObject({ code: "unavailable" });
  });

  it("are refused when the link leads elsewhere, or there is none", async () => {
    const { double, file, drive, fetched } = await startFiles();
    const { item } = file("a.mp3");
    double.fail(/^GET \/drives/, { body: { "@microsoft.graph.downloadUrl": "http://169.254.169.254/latest" } });
    await expect(fetched({ from: "drive", drive, item: item.id })).rejects.toMatchObject({ code: "rejected" });
    double.fail(/^GET \/drives/, { body: { id: item.id } });
    await expect(fetched({ from: "drive", drive, item: item.id })).rejects.toMatchObject({ code: "forbidden" });
    await expect(fetched({ from: "drive", drive, item: "none" })).rejects.toMatchObject({ code: "gone" });
    await expect(fetched({ from: "elsewhere" })).rejects.toMatchObject({ code: "rejected" });
    await expect(fetched({ from: "drive" })).rejects.toMatchObject({ code: "rejected" });
  });

  it("are no more than may be fetched", async () => {
    const { graphWith, file, drive, folder } = await startFiles();
    const { item } = file("a.mp3");
    const graph = graphWith({ maxBytes: 1000 });
    const source = { from: "drive", drive, item: item.id };
    await expect(
      graph.download({ name: "a.mp3", source }, join(folder, "b"), new AbortController().signal),
    ).rejects.toMatchObject({ name: "UserError", code: "too_large" });
  });

  it("stop with the signal", async () => {
    const { file, drive, fetched } = await startFiles();
    const { item } = file("a.mp3");
    await expect(
      fetched({ from: "drive", drive, item: item.id }, AbortSignal.abort(new Error("over"))),
    ).rejects.toThrow("over");
  });

  it("of a meeting come from Graph, and its token stays there when Graph sends on", async () => {
    const { double, fetched } = await startFiles();
    const recording = double.addRecording({ organizer: ANNA, chat: "19:meeting_x@thread.v2", content: BYTES });
    const source = { from: "meeting", organizer: ANNA, meeting: recording.meeting, recording: recording.id };
    expect(BYTES.equals(await fetched(source))).toBe(true);
    double.meetings.redirectsContent = true;
    expect(BYTES.equals(await fetched(source))).toBe(true);
    for (const { path, authorization } of double.calls) {
      expect(authorization?.startsWith("Bearer "), path).toBe(
        path.includes("download.aspx") || path.includes(".well-known") || path.includes("/token") ? undefined : true,
      );
    }
  });

  it("of a meeting say which permission is missing", async () => {
    const { double, fetched } = await startFiles();
    const recording = double.addRecording({ organizer: ANNA, chat: "19:meeting_x@thread.v2" });
    const source = { from: "meeting", organizer: ANNA, meeting: recording.meeting, recording: recording.id };
    double.fail(/content$/, refused(403, "Forbidden"));
    await expect(fetched(source)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("OnlineMeetingRecording.Read.All"),
    });
    // A token that ran out is nobody's fault.
    double.fail(/content$/, { status: 302, headers: { location: "https://evil.example/a" } });
    await expect(fetched(source)).rejects.toMatchObject({ code: "rejected" });
  });
});

describe("media", () => {
  it.each([
    ["a.mp3", "", "audio"],
    ["a.MP4", "application/octet-stream", "video"],
    ["a.bin", "audio/x-wav", "audio"],
    ["a.ogg", "application/ogg", "audio"],
    ["a.mkv", "application/x-matroska", "video"],
    ["a.mp3", "text/html", undefined],
    ["a.docx", "", undefined],
    ["a", "", undefined],
  ])("%s of the type %j is %s", (name, type, kind) => {
    expect(mediaKind(name, type)).toBe(kind);
  });
  it("is asked about where the name does not tell", () => {
    expect(["a", "a.mp3", "Sprache 12.11.2026"].map(mayBeMedia)).toEqual([true, true, false]);
    expect(mayBeMedia("a.pdf")).toBe(false);
  });
});
