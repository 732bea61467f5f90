// How recordings, words and buttons come in on Teams, and what Earshot says where one cannot.
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DEFAULT_SETTINGS } from "../../../src/core/settings.ts";
import { memoryNotes } from "../../support/memory-notes.ts";
import { view } from "../../support/noted-listener.ts";
import { BOT, CHANNEL, CHAT, GROUP, MEETING, PERSON, PERSONAL, TENANT } from "../../support/teams-double.ts";
import { eventually, startTeamsRig } from "../../support/teams-rig.ts";

const BYTES = Buffer.from("some sound");
const VOICE_HTML =
  '<div><span itemid="bfb101" itemscope="" itemtype="http://schema.skype.com/InputExtension"></span></div>';
const voiceNote = { attachments: [{ contentType: "text/html", content: VOICE_HTML }] };
const signal = () => new AbortController().signal;
const target = async () => join(await mkdtemp(join(tmpdir(), "earshot-teams-")), "media");

describe("a file to the bot itself", () => {
  it("is a recording with ids alone; the link is kept apart from the job", async () => {
    const { double, platform, told, notes } = await startTeamsRig();
    const activity = double.fileActivity("memo.m4a", BYTES);
    await double.deliver(activity);
    const [recording] = told.recordings;
    expect(recording).toMatchObject({
      place: { platform: "teams", workspace: TENANT, channel: PERSONAL, isDirect: true, user: PERSON },
      kind: "voice message",
      name: "memo.m4a",
      source: { from: "personal", user: PERSON },
    });
    expect(JSON.stringify(recording)).not.toMatch(/http|tempauth/);
    expect(await notes.list("file:")).toHaveLength(1);
    const path = await target();
    if (recording === undefined) throw new Error("nothing came");
    await platform.download(recording, path, signal());
    expect(await readFile(path)).toEqual(BYTES);
    // A sign of life, at once.
    await eventually(() => expect(double.calls.filter(({ method }) => method === "POST").length).toBeGreaterThan(0));
  });

  it("is fetched by a fresh link when the first one is over, where the directory allows it", async () => {
    const { double, platform, told } = await startTeamsRig();
    const activity = double.fileActivity("memo.m4a", BYTES);
    await double.deliver(activity);
    const [recording] = told.recordings;
    if (recording === undefined) throw new Error("nothing came");
    const link = double.linkOf(activity);
    if (link !== undefined) link.isGone = true;
    await expect(platform.download(recording, await target(), signal())).rejects.toMatchObject({ code: "gone" });
    const drive = double.graph.driveOf(PERSON);
    const id = recording.source["file"] ?? "";
    double.graph.addFile({ id, drive, name: "memo.m4a", content: BYTES, createdBy: PERSON, mimeType: "audio/mp4" });
    const path = await target();
    await platform.download(recording, path, signal());
    expect(await readFile(path)).toEqual(BYTES);
    double.graph.granted.clear();
    await expect(platform.download(recording, await target(), signal())).rejects.toMatchObject({ code: "gone" });
  });

  it("of another kind gets a word about it, and a video is one", async () => {
    const { double, told } = await startTeamsRig();
    await double.deliver(double.fileActivity("plan.pdf", BYTES));
    expect(told.recordings).toEqual([]);
    expect(double.textOf(double.own()[0] ?? fail())).toContain("There is no recording in that message");
    await double.deliver(double.fileActivity("demo.mp4", BYTES));
    expect(told.recordings).toMatchObject([{ kind: "video", name: "demo.mp4" }]);
  });

  it("is refused from hosts that are none of the organization's", async () => {
    const { double, platform, told } = await startTeamsRig();
    const activity = double.fileActivity("memo.m4a", BYTES);
    const [attachment] = activity["attachments"] as { content: Record<string, unknown> }[];
    if (attachment) attachment.content["downloadUrl"] = "https://evil.example/memo.m4a";
    await double.deliver(activity);
    const [recording] = told.recordings;
    if (recording === undefined) throw new Error("nothing came");
    await expect(platform.download(recording, await target(), signal())).rejects.toMatchObject({ code: "rejected" });
  });
});

describe("a file in a conversation", () => {
  it.each([
    ["a channel", CHANNEL, {}],
    ["a channel's thread", `${CHANNEL};messageid=1600000000000`, { thread: "1600000000000" }],
    ["a group chat", CHAT, {}],
    ["a meeting's chat", MEETING, {}],
  ])("in %s is found through Graph", async (_, conversation, place) => {
    const { double, platform, told } = await startTeamsRig();
    double.roster.add(MEETING);
    const activity = double.sharedActivity(conversation, "Sync.mp3", BYTES);
    await double.deliver(activity);
    const channel = conversation.replace(/;.*/, "");
    expect(told.recordings).toMatchObject([
      {
        place: { channel, isDirect: false, message: activity["id"], user: PERSON, ...place },
        kind: "voice message",
        name: "Sync.mp3",
        source: { from: "drive" },
      },
    ]);
    const path = await target();
    await platform.download(told.recordings[0] ?? fail(), path, signal());
    expect(await readFile(path)).toEqual(BYTES);
  });

  it("costs no question where a message has none", async () => {
    const { double, told } = await startTeamsRig();
    await double.say(CHANNEL, "good morning");
    await double.say(CHAT, "hello", { attachments: [{ contentType: "text/html", content: "<p>hello</p>" }] });
    expect(told).toMatchObject({ recordings: [], invocations: [] });
    expect(double.graph.callsOf(/messages/)).toEqual([]);
    expect(double.own()).toEqual([]);
  });

  it("comes with a forwarded message too, and from other bots, whose words are not heard", async () => {
    const { double, told } = await startTeamsRig();
    const forward = { contentType: "forwardedMessageReference", content: "{}" };
    const activity = double.sharedActivity(CHAT, "Forwarded.m4a", BYTES);
    activity["attachments"] = [forward, { contentType: "text/html", content: '<attachment id="1"></attachment>' }];
    await double.deliver(activity);
    const from = { id: "28:another-bot", name: "Recorder" };
    await double.deliver(double.sharedActivity(CHAT, "Bot.m4a", BYTES, { ...double.mention("transcribe"), from }));
    expect(told.recordings.map(({ name }) => name)).toEqual(["Forwarded.m4a", "Bot.m4a"]);
    expect(told.invocations).toEqual([]);
  });

  it("that was added to a message later is taken then", async () => {
    const { double, told } = await startTeamsRig();
    await double.deliver({ ...double.sharedActivity(CHAT, "Late.m4a", BYTES), type: "messageUpdate" });
    expect(told.recordings).toMatchObject([{ name: "Late.m4a" }]);
  });

  it("waits for Graph as long as it takes, and outlives a restart", async () => {
    const notes = memoryNotes();
    const { double, told, stop, observed } = await startTeamsRig({ notes });
    const recover = double.graph.fail(/GET \/chats/, { status: 503, headers: { "retry-after": "0" }, body: {} }, 1000);
    const delivering = double.deliver(double.sharedActivity(CHAT, "Patience.m4a", BYTES));
    await eventually(() => expect(observed.some(({ kind }) => kind === "unexpected")).toBe(true));
    expect(await notes.list("errand:")).toHaveLength(1);
    stop.abort();
    await delivering;
    expect(told.recordings).toEqual([]);

    recover();
    const again = await startTeamsRig({ notes, hosts: double.hosts });
    await eventually(() => expect(again.told.recordings).toMatchObject([{ name: "Patience.m4a" }]));
    await eventually(async () => expect(await notes.list("errand:")).toEqual([]));
  });

  it("is given up where the bot was removed before it could answer", async () => {
    const { double, told, notes, observed } = await startTeamsRig();
    double.roster.delete(CHAT);
    await double.deliver(double.sharedActivity(CHAT, "a.m4a", BYTES, double.mention("transcribe")));
    expect(told.invocations).toHaveLength(1);
    expect(observed.length).toBeGreaterThan(0);
    expect(await notes.list("errand:")).toEqual([]);
  });

  it("that Earshot may not read is told to the one who asked, and else once where recordings are taken", async () => {
    let auto: "off" | "voice" = "voice";
    const channel = async () => ({ ...view, settings: { ...DEFAULT_SETTINGS, auto } });
    const { double, told } = await startTeamsRig({ listener: { channel } });
    double.graph.granted.clear();
    for (let times = 0; times < 3; times++) await double.deliver(double.sharedActivity(CHAT, "a.m4a", BYTES));
    expect(double.own()).toHaveLength(1);
    expect(double.textOf(double.own()[0] ?? fail())).toContain("may not read files in this conversation");
    auto = "off";
    await double.deliver(double.sharedActivity(CHANNEL, "a.m4a", BYTES));
    expect(double.own()).toHaveLength(1);
    await double.deliver(double.sharedActivity(CHANNEL, "a.m4a", BYTES, double.mention("transcribe")));
    expect(double.own()).toHaveLength(2);
    expect(told.recordings).toEqual([]);
  });
});

describe("words to the bot", () => {
  it("name a command after a mention, with what is escaped and mentioned in them", async () => {
    const { double, told } = await startTeamsRig();
    await double.say(CHANNEL, "", double.mention("jargon add R&amp;D, &lt;b&gt;,&nbsp;<at>Ada</at>"));
    await double.say(PERSONAL, "/earshot stats");
    await double.say(PERSONAL, "hi!");
    expect(told.invocations).toMatchObject([
      { command: "jargon", text: "add R&D, <b>, Ada", place: { channel: CHANNEL, isDirect: false } },
      { command: "earshot", text: "stats", place: { channel: PERSONAL, isDirect: true } },
      { command: "earshot", text: "help" },
    ]);
    expect(double.own()).toHaveLength(3);
  });

  it("mean the recording of their own message, of the one that began the thread, or of the one they quote", async () => {
    const { double, told } = await startTeamsRig();
    await double.deliver(double.sharedActivity(CHANNEL, "own.m4a", BYTES, double.mention("in german, srt")));
    expect(told.invocations[0]).toMatchObject({ command: "transcribe", text: "in german, srt" });
    expect(told.invocations[0]?.recordings).toMatchObject([{ name: "own.m4a" }]);

    const root = double.sharedActivity(CHANNEL, "root.m4a", BYTES);
    await double.say(`${CHANNEL};messageid=${root["id"]}`, "", double.mention("transcribe this please"));
    expect(told.invocations[1]).toMatchObject({ recordings: [{ name: "root.m4a" }], place: { message: root["id"] } });

    const quoted = double.sharedActivity(CHAT, "quoted.m4a", BYTES);
    const html = `<blockquote itemscope itemtype="http://schema.skype.com/Reply" itemid="${quoted["id"]}">…</blockquote>`;
    await double.say(CHAT, "", {
      ...double.mention("transcribe"),
      attachments: [{ contentType: "text/html", content: html }],
    });
    expect(told.invocations[2]).toMatchObject({
      recordings: [{ name: "quoted.m4a" }],
      place: { message: quoted["id"] },
    });
    // What was asked for is not taken a second time by itself.
    expect(told.recordings).toEqual([]);
  });

  it("in a thread without a recording get a word about it; jobs, links and the newest are left to the command", async () => {
    const { double, told } = await startTeamsRig();
    const root = "1600000000000";
    double.graph.addChannelMessage({ team: GROUP, channel: CHANNEL, root }, { id: root, attachments: [] });
    const thread = `${CHANNEL};messageid=${root}`;
    await double.say(thread, "", double.mention("transcribe this"));
    expect(told.invocations).toEqual([]);
    expect(double.textOf(double.own()[0] ?? fail())).toContain("no recording in this thread");
    for (const words of ["transcribe latest", "transcribe 1f3a9c"]) await double.say(thread, "", double.mention(words));
    expect(told.invocations).toMatchObject([{ recordings: [] }, { recordings: [] }]);
  });

  it("follow links within their conversation alone", async () => {
    const { double, told } = await startTeamsRig();
    await double.say(CHANNEL, "", double.mention("transcribe latest"));
    const resolve = told.invocations[0]?.resolveLink ?? fail();
    const root = String(double.sharedActivity(CHANNEL, "root.m4a", BYTES)["id"]);
    const reply = String(double.sharedActivity(`${CHANNEL};messageid=${root}`, "reply.m4a", BYTES)["id"]);
    const link = (channel: string, message: string, query = "") =>
      `https://teams.microsoft.com/l/message/${encodeURIComponent(channel)}/${message}?tenantId=${TENANT}${query}`;
    expect(await resolve(link(CHANNEL, root))).toMatchObject([{ name: "root.m4a" }]);
    expect(await resolve(link(CHANNEL, reply, `&parentMessageId=${root}`))).toMatchObject([{ name: "reply.m4a" }]);
    const elsewhere = String(double.sharedActivity(CHAT, "secret.m4a", BYTES)["id"]);
    expect(await resolve(link(CHAT, elsewhere))).toBeUndefined();
    expect(await resolve(link(CHANNEL, root).replace(TENANT, "99999999-9999-4999-8999-999999999999"))).toBeUndefined();
    expect(await resolve(link(CHANNEL, root).replace("teams.microsoft.com", "evil.example"))).toBeUndefined();
    expect(await resolve(link(CHANNEL, "1500000000000"))).toBeUndefined();
    expect(await resolve("https://teams.microsoft.com/l/message/%/1")).toBeUndefined();
  });

  it("come from owners of the team as administrators, in its channels", async () => {
    const { double, told } = await startTeamsRig();
    await double.say(CHANNEL, "", double.mention("jargon list"));
    await double.say(CHAT, "", double.mention("jargon list"));
    double.graph.setMembers(GROUP, [{ userId: PERSON, roles: ["owner"] }]);
    const later = await startTeamsRig({ hosts: double.hosts });
    later.double.useEndpoint(`${later.url}/api/messages`);
    double.useEndpoint(`${later.url}/api/messages`);
    await double.say(CHANNEL, "", double.mention("jargon list"));
    expect(told.invocations.map(({ actor }) => actor.isAdmin)).toEqual([false, false]);
    expect(later.told.invocations).toMatchObject([{ actor: { user: PERSON, isAdmin: true, roles: [] } }]);
  });
});

describe("a voice note of Teams itself", () => {
  it("is answered with how to send it, where it is sent to the bot or recordings are taken", async () => {
    let auto: "off" | "voice" = "voice";
    const channel = async () => ({ ...view, settings: { ...DEFAULT_SETTINGS, auto } });
    const { double, told } = await startTeamsRig({ listener: { channel } });
    await double.say(PERSONAL, "", voiceNote);
    await double.say(CHANNEL, "", voiceNote);
    const card = { contentType: "application/vnd.microsoft.card.audio", content: '{"duration":"PT13S"}' };
    await double.say(CHAT, "", { attachments: [card] });
    expect(double.own()).toHaveLength(3);
    for (const own of double.own()) expect(double.textOf(own)).toContain("voice notes to bots");
    auto = "off";
    await double.say(CHANNEL, "", voiceNote);
    const beside = VOICE_HTML.replace("</div>", "<p>see the poll</p></div>");
    await double.say(PERSONAL, "help", { attachments: [{ contentType: "text/html", content: beside }] });
    expect(double.own()).toHaveLength(4);
    expect(told.invocations).toMatchObject([{ command: "earshot" }]);
  });
});

describe("Transcribe in the menu of a message", () => {
  const said = (body: Record<string, unknown>) => JSON.stringify(body);

  it("takes its recording, in a chat and in a channel's thread", async () => {
    const { double, told } = await startTeamsRig();
    await double.say(CHAT, "", double.mention("jargon list"));
    await double.say(CHANNEL, "", double.mention("jargon list"));
    const inChat = double.sharedActivity(CHAT, "chat.m4a", BYTES);
    expect(said(await double.menu(CHAT, { id: inChat["id"] }))).toContain("Taken: chat.m4a");
    const root = double.sharedActivity(CHANNEL, "root.m4a", BYTES);
    const thread = `${CHANNEL};messageid=${root["id"]}`;
    const reply = double.sharedActivity(thread, "reply.m4a", BYTES);
    expect(said(await double.menu(thread, { id: reply["id"], replyToId: root["id"] }))).toContain("Taken: reply.m4a");
    // On Earshot's own answer, the recording that it answers.
    double.graph.addChannelMessage(
      { team: GROUP, channel: CHANNEL, root: String(root["id"]), reply: "1700000009999" },
      {},
    );
    const own = { id: "1700000009999", replyToId: root["id"] };
    expect(said(await double.menu(thread, own))).toContain("Taken: root.m4a");
    expect(told.invocations.slice(2)).toMatchObject([
      { command: "transcribe", text: "", place: { channel: CHAT, message: inChat["id"] }, actor: { user: PERSON } },
      { place: { channel: CHANNEL, message: reply["id"], thread: root["id"] } },
      { place: { channel: CHANNEL, message: root["id"] } },
    ]);
  });

  it("takes a file that was sent to the bot itself", async () => {
    const { double, told } = await startTeamsRig();
    const activity = double.fileActivity("memo.m4a", BYTES);
    await double.deliver(activity);
    const file = told.recordings[0]?.source["file"];
    const attachments = [{ id: file, contentType: "reference", name: "memo.m4a" }];
    expect(said(await double.menu(PERSONAL, { id: activity["id"], attachments }))).toContain("Taken: memo.m4a");
    expect(told.invocations[0]?.recordings[0]?.key).toBe(told.recordings[0]?.key);
  });

  it("says why not: no recording, a voice note, no permission, not there, something broken", async () => {
    const { double, observed } = await startTeamsRig({
      listener: { command: () => Promise.reject(new Error("a bug")) },
    });
    const plain = { id: "1700000000000" };
    expect(said(await double.menu(CHAT, plain))).toContain("is not in that conversation");
    await double.deliver(double.activityIn(CHAT, { type: "conversationUpdate" }));
    double.graph.addChatMessage(CHAT, plain.id, { id: plain.id, attachments: [] });
    expect(said(await double.menu(CHAT, plain))).toContain("no recording in that message");
    expect(said(await double.menu(CHAT, { ...plain, ...voiceNote }))).toContain("voice notes to bots");
    expect(said(await double.menu(CHAT, {}))).toContain("no recording in that message");
    const file = double.sharedActivity(CHAT, "a.m4a", BYTES);
    expect(said(await double.menu(CHAT, { id: file["id"] }))).toContain("Something broke");
    expect(observed).toHaveLength(1);
    double.graph.granted.clear();
    expect(said(await double.menu(CHAT, { id: file["id"] }))).toContain("may not read files");
  });
});

describe("the bot's coming and going", () => {
  const joined = (conversation: string, double: Awaited<ReturnType<typeof startTeamsRig>>["double"], more = {}) =>
    double.deliver(
      double.activityIn(conversation, { type: "conversationUpdate", membersAdded: [{ id: BOT }], ...more }),
    );

  it("is greeted once, however often it is told, and again after it was away", async () => {
    const { double } = await startTeamsRig();
    const installed = (action: string) => ({ type: "installationUpdate", action, membersAdded: undefined });
    await Promise.all([joined(CHAT, double), joined(CHAT, double), joined(CHAT, double, installed("add"))]);
    expect(double.own()).toHaveLength(1);
    expect(double.textOf(double.own()[0] ?? fail())).toMatch(/^Earshot writes down what is said.*mention/);
    await joined(PERSONAL, double);
    expect(double.textOf(double.own()[1] ?? fail())).toContain("Send it an audio or video file");
    await joined(CHAT, double, { membersAdded: [{ id: "29:somebody" }] });
    expect(double.own()).toHaveLength(2);
    await joined(CHAT, double, installed("remove"));
    await joined(CHAT, double);
    expect(double.own()).toHaveLength(3);
  });

  it("tells Graph whose meetings it can answer in", async () => {
    const { double, notes } = await startTeamsRig();
    double.roster.add(MEETING);
    const channelData = { tenant: { id: TENANT }, meeting: { id: "MCMxOTptZWV0aW5n" } };
    await joined(MEETING, double, { channelData });
    await eventually(async () => expect(JSON.stringify(await notes.list("graph:"))).toContain(PERSON));
  });
});

describe("a button", () => {
  it("is pressed with who and where, and its answer stands under the card", async () => {
    const { double, told, platform } = await startTeamsRig({
      listener: { press: async () => ({ kind: "words", text: "It has ended already." }) },
    });
    void told;
    await double.say(CHANNEL, "", double.mention("jargon list"));
    const card = double.own()[0] ?? fail();
    await double.press(card, { earshot: "cancel", job: "1f3a9c" });
    expect(double.own().at(-1)).toMatchObject({ answers: card.id, conversation: card.conversation });
    expect(double.textOf(double.own().at(-1) ?? fail())).toBe("It has ended already.");
    void platform;
  });

  it("of another app or version is no button, and one that breaks says so", async () => {
    const { double, observed, told } = await startTeamsRig({
      listener: { press: () => Promise.reject(new Error("a bug")) },
    });
    await double.say(PERSONAL, "help");
    const card = double.own()[0] ?? fail();
    await double.press(card, { earshot: "explode", job: "1f3a9c" });
    await double.press(card, { earshot: "srt", job: "../../x" });
    expect(observed).toEqual([]);
    await double.press(card, { earshot: "srt", job: "1f3a9c" });
    expect(double.textOf(double.own().at(-1) ?? fail())).toContain("Something broke");
    expect(observed).toHaveLength(1);
    void told;
  });
});

function fail(): never {
  throw new Error("It is not there.");
}
