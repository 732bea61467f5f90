// Every way into Earshot on Slack, with real bolt against the counterpart.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { view } from "../../support/noted-listener.ts";
import { textOf } from "../../support/slack-double.ts";
import { BOT, BOT_TOKEN } from "../../support/slack-emulator.ts";
import { startSlackRig } from "../../support/slack-rig.ts";

const SOUND = Buffer.from("not really sound");
const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../fixtures/slack/${name}.json`, import.meta.url), "utf8"));

describe("recordings", () => {
  it("are heard in channels, in threads and in direct messages", async () => {
    const { double, told } = await startSlackRig();
    const root = await double.say("the minutes, please");
    await double.upload("standup.mp3", SOUND, { thread: root });
    await double.event(fixture("forwarded-clip"));
    await double.event(fixture("voice-message"));
    await double.settled();
    expect(told.recordings.map(({ name, kind, place }) => [name, kind, place.thread, place.isDirect])).toEqual([
      ["standup.mp3", "audio", root, false],
      ["Clip from Jon.mp4", "voice message", undefined, true],
      ["audio_message.m4a", "voice message", undefined, false],
    ]);
  });

  it("of other workspaces are looked up", async () => {
    const { double, told } = await startSlackRig();
    const { file, ts } = await double.upload("sync.ogg", SOUND);
    const event = fixture("connect-file");
    await double.event({ ...event, channel: double.channel, ts, files: [{ ...event.files[0], id: file }] });
    await double.settled();
    expect(new Set(told.recordings.map(({ key }) => key)).size).toBe(1);
    expect(told.recordings[0]).toMatchObject({ name: "sync.ogg", source: { file } });
    expect(double.calls.some(({ path }) => path.startsWith("/api/files.info"))).toBe(true);
  });

  it("that come as a message and as a shared file are one, whichever comes first", async () => {
    const { double, told } = await startSlackRig();
    const { file, ts } = await double.upload("a.ogg", SOUND);
    await double.settled();
    await double.event({
      type: "file_shared",
      file_id: file,
      channel_id: double.channel,
      user_id: double.emulator.person,
    });
    await double.settled();
    expect(told.recordings).toHaveLength(1);
    expect(told.recordings[0]?.place.message).toBe(ts);
  });

  it("shared to several channels are answered in each", async () => {
    const { double, told } = await startSlackRig({ double: { channels: ["standup", "design"] } });
    const event = fixture("voice-message");
    await double.event({ ...event, channel: double.emulator.channelId("design"), ts: "1764050300.000100" });
    await double.event(event);
    expect(new Set(told.recordings.map(({ key }) => key)).size).toBe(2);
  });

  it("of the bot itself, and messages without any, are nothing to it", async () => {
    const { double, told } = await startSlackRig();
    await double.event({ ...fixture("voice-message"), user: BOT });
    await double.event({ ...fixture("voice-message"), subtype: "channel_join" });
    await double.say("hello");
    await double.upload("notes.txt", SOUND);
    await double.settled();
    expect(told.recordings).toEqual([]);
  });

  it("that are deleted, or whose file is, are told of", async () => {
    const { double, told } = await startSlackRig();
    const message = fixture("voice-message");
    const { channel, ts } = message;
    await double.event({ type: "message", subtype: "message_deleted", channel, deleted_ts: ts, ts: "9.1" });
    const emptied = { ...message, ts: "8.1", files: [{ id: "F0VOICE", mode: "tombstone" }] };
    await double.event({
      type: "message",
      subtype: "message_changed",
      channel,
      ts: "9.2",
      message: emptied,
      previous_message: { ...message, ts: "8.1" },
    });
    expect(told.removed).toEqual([ts, "8.1"]);
  });

  it("that an edit adds are heard, and an edit of the text is none", async () => {
    const { double, told } = await startSlackRig();
    const message = fixture("voice-message");
    const changed = (now: object, before: object) =>
      double.event({
        type: "message",
        subtype: "message_changed",
        channel: message.channel,
        ts: "9.2",
        message: now,
        previous_message: before,
      });
    await changed({ ...message, text: "now with words" }, message);
    expect(told.recordings).toEqual([]);
    await changed(message, { ...message, files: [] });
    expect(told.recordings).toHaveLength(1);
  });

  it("get a reaction at once", async () => {
    const { double } = await startSlackRig();
    const { ts } = await double.upload("a.ogg", SOUND);
    await double.settled();
    const [added] = double.calls.filter(({ path }) => path === "/api/reactions.add");
    expect(added?.body).toMatchObject({ timestamp: ts, name: "ear" });
  });
});

describe("a mention", () => {
  const mention = async (text: string, more: object) => {
    const rig = await startSlackRig();
    const { double } = rig;
    const { ts } = await double.upload("standup.ogg", SOUND);
    await double.settled();
    const asked = await double.say(`<@${BOT}> ${text}`, more === null ? {} : { thread_ts: ts });
    await double.settled();
    const event = { channel: double.channel, user: double.emulator.person, text: `<@${BOT}> ${text}`, ts: asked };
    await double.event({ type: "app_mention", ...event, thread_ts: ts });
    await double.settled();
    return { ...rig, ts };
  };

  it("in a thread means the recording of the thread, and is answered there", async () => {
    const { told, double, ts } = await mention("transcribe this, in German", {});
    expect(told.invocations).toHaveLength(1);
    expect(told.invocations[0]).toMatchObject({
      command: "transcribe",
      text: "this, in German",
      place: { message: ts, thread: ts, reach: "thread" },
      recordings: [{ name: "standup.ogg" }],
    });
    const answer = double.messages().at(-1);
    expect(answer).toMatchObject({ user: BOT, thread_ts: ts });
    expect(textOf(answer?.["blocks"])).toBe("Taken: standup.ogg");
  });

  it("with a recording of its own means that one, and takes it once", async () => {
    const { double, told } = await startSlackRig();
    const { channel: _channel, ...message } = fixture("voice-message");
    const event = { ...message, channel: double.channel, text: `<@${BOT}> in German` };
    await double.event(event);
    await double.event({ ...event, type: "app_mention" });
    await double.settled();
    expect(told.recordings).toEqual([]);
    expect(told.invocations).toMatchObject([
      { command: "transcribe", text: "in German", recordings: [{ kind: "voice message" }] },
    ]);
  });

  it("in a thread without a recording says so", async () => {
    const { double, told } = await startSlackRig();
    const root = await double.say("hello");
    const event = {
      channel: double.channel,
      user: double.emulator.person,
      text: `<@${BOT}> transcribe this`,
      ts: "9.1",
    };
    await double.event({ type: "app_mention", ...event, thread_ts: root });
    await double.settled();
    expect(told.invocations).toEqual([]);
    expect(textOf(double.messages().at(-1)?.["blocks"])).toContain("There is no recording in this thread");
  });

  it("where the bot may not write is answered directly", async () => {
    const { double } = await startSlackRig();
    double.refuse(/chat\.postMessage/, "not_in_channel");
    await double.event({
      type: "app_mention",
      channel: double.channel,
      user: double.emulator.person,
      text: `<@${BOT}> help`,
      ts: "9.1",
    });
    await double.settled();
    const direct = double.emulator
      .collection("channels")
      .all()
      .find((channel) => channel["is_im"] === true);
    expect(textOf(double.messages(String(direct?.["channel_id"])).at(-1)?.["blocks"])).toContain("/invite @Earshot");
  });
});

describe("a direct message", () => {
  it("of words is a command, and makes nobody an administrator", async () => {
    const { double, told } = await startSlackRig();
    const { channel } = (await double.person("conversations.open", { users: BOT })) as { channel: { id: string } };
    await double.say("jargon add Qavylow", { channel: channel.id });
    await double.settled();
    expect(told.invocations).toMatchObject([
      { command: "jargon", text: "add Qavylow", place: { isDirect: true }, actor: { isAdmin: false } },
    ]);
    expect(told.recordings).toEqual([]);
  });
});

describe("commands", () => {
  it("reach the listener with who typed them, and are answered to that person", async () => {
    const { double, told } = await startSlackRig();
    await double.command("/transcribe", "latest &lt;b&gt; german");
    await double.settled();
    expect(told.invocations).toMatchObject([
      {
        command: "transcribe",
        text: "latest <b> german",
        place: { channel: double.channel, workspace: double.emulator.team, user: double.emulator.person },
        actor: { user: double.emulator.person, isAdmin: false },
      },
    ]);
    expect(double.responses).toMatchObject([{ response_type: "ephemeral", channel: double.channel }]);
  });

  it("find the recordings behind a link, but not what the person might not hear", async () => {
    const { double, told } = await startSlackRig({ double: { channels: ["standup", "board"] } });
    const { ts } = await double.upload("standup.ogg", SOUND);
    const board = double.emulator.channelId("board");
    const hidden = await double.upload("secret.ogg", SOUND, { channel: board });
    const [channel] = double.emulator
      .collection("channels")
      .all()
      .filter(({ channel_id }) => channel_id === board);
    double.emulator.collection("channels").update(channel?.["id"], { is_private: true, is_channel: false });
    await double.command("/transcribe", "x");
    await double.settled();
    const [{ resolveLink } = {}] = told.invocations;
    const link = (where: string, when: string) =>
      resolveLink?.(`https://zentrix.slack.com/archives/${where}/p${when.replace(".", "")}`);
    expect(await link(double.channel, ts)).toMatchObject([{ name: "standup.ogg" }]);
    expect(await link(board, hidden.ts)).toBeUndefined();
    expect(await link(double.channel, "1764040000.000300")).toBeUndefined();
    expect(await resolveLink?.("https://example.com/x")).toBeUndefined();
  });

  it("that break are said to have broken, and told to the operator", async () => {
    const { double, observed } = await startSlackRig({
      listener: { command: () => Promise.reject(new Error("disk full")) },
    });
    await double.command("/jargon", "list");
    await double.settled();
    expect(textOf(double.responses[0]?.["blocks"])).toContain("Something broke on Earshot's side");
    expect(observed).toMatchObject([{ kind: "unexpected", error: { message: "disk full" } }]);
  });

  it("in a channel that the bot is not in say how to invite it", async () => {
    const { double, told } = await startSlackRig();
    const [channel] = double.emulator
      .collection("channels")
      .all()
      .filter(({ name }) => name === "standup");
    double.emulator.collection("channels").update(channel?.["id"], { members: [double.emulator.person] });
    await double.command("/transcribe", "latest");
    await double.settled();
    expect(told.invocations).toEqual([]);
    expect(textOf(double.responses[0]?.["blocks"])).toContain("/invite @Earshot");
  });
});

describe("shortcuts", () => {
  it("transcribe a message, in a thread too", async () => {
    const { double, told } = await startSlackRig();
    const message = { ...fixture("voice-message"), thread_ts: "1764049000.000100" };
    await double.shortcut("transcribe", message);
    await double.settled();
    expect(told.invocations).toMatchObject([
      {
        command: "transcribe",
        text: "",
        recordings: [{ kind: "voice message" }],
        place: { message: message.ts, thread: message.thread_ts, user: double.emulator.person },
      },
    ]);
    expect(textOf(double.responses[0]?.["blocks"])).toBe("Taken: audio_message.m4a");
  });

  it("say when there is no recording", async () => {
    const { double } = await startSlackRig();
    await double.shortcut("transcribe", { type: "message", ts: "9.1", text: "hello", user: "U1" });
    await double.settled();
    expect(textOf(double.responses[0]?.["blocks"])).toContain("There is no recording in that message");
  });

  it("fix a word: a dialog, the glossary, and the recording once more", async () => {
    const { double, told } = await startSlackRig();
    const { ts } = await double.upload("standup.ogg", SOUND);
    await double.settled();
    const answer = {
      ts: "9.1",
      thread_ts: ts,
      user: BOT,
      blocks: [{ type: "actions", elements: [{ type: "button", action_id: "earshot:srt", value: "1f3a9c" }] }],
    };
    await double.shortcut("fix_word", answer);
    const [dialog] = double.views;
    expect(dialog).toMatchObject({ type: "modal", callback_id: "fix_word" });
    await double.submit(dialog ?? {}, { heard: { value: 'cube "control"' }, meant: { value: "kubectl" } });
    await double.settled();
    expect(told.invocations).toMatchObject([
      {
        command: "jargon",
        text: 'pairs add "cube \\"control\\"" = "kubectl"',
        actor: { user: double.emulator.person },
      },
      { command: "jargon", text: "try 1f3a9c" },
    ]);
    const seen = double.calls.filter(({ path }) => path === "/api/chat.postEphemeral");
    expect(seen[0]?.body).toMatchObject({ user: double.emulator.person, channel: double.channel });
  });
});

describe("App Home", () => {
  it("leads to a channel's settings, whose changes are commands", async () => {
    const { double, told } = await startSlackRig();
    await double.event({
      type: "app_home_opened",
      user: double.emulator.person,
      tab: "home",
      channel: "D1",
      event_ts: "1.1",
    });
    expect(double.views).toMatchObject([{ type: "home" }]);
    await double.act({
      type: "conversations_select",
      action_id: "home:channel",
      selected_conversation: double.channel,
    });
    const dialog = double.views[1] ?? {};
    expect(dialog).toMatchObject({ type: "modal", callback_id: "channel_settings" });
    expect(JSON.stringify(dialog)).toContain("Kubernetes");
    // A term of all channels is not this channel's to take away.
    expect(JSON.stringify(dialog)).not.toContain("Zentrix");

    const unchanged = {
      auto: { selected_option: { value: view.settings.auto } },
      language: { value: null },
      terms: { value: "Kubernetes" },
      pairs: { value: '"cube control" = kubectl' },
      reply: { selected_option: { value: "thread" } },
      formats: { selected_options: [{ value: "txt" }, { value: "srt" }] },
      extras: { selected_options: [] },
      tracks: { selected_option: { value: "auto" } },
      retention: { value: null },
      editors: { selected_option: { value: "everyone" } },
    };
    const nothing = await double.submit(dialog, { ...unchanged, pairs: { value: "cube control = kubectl" } });
    expect(told.invocations).toEqual([]);
    expect(JSON.stringify(nothing)).toContain("Nothing was changed.");

    const answer = await double.submit(dialog, {
      ...unchanged,
      auto: { selected_option: { value: "all" } },
      language: { value: "German, English" },
      terms: { value: "Qavylow = kah vee low" },
      pairs: { value: "cube control = kubectl\npost gress = Postgres" },
      reply: { selected_option: { value: "only-me" } },
      formats: { selected_options: [] },
      extras: { selected_options: [{ value: "timestamps" }, { value: "chapters" }] },
      tracks: { selected_option: { value: "off" } },
      retention: { value: "30" },
    });
    expect(told.invocations.map(({ command, text }) => `${command} ${text}`)).toEqual([
      "earshot settings auto all",
      "earshot settings reply only-me",
      "earshot settings tracks off",
      "earshot settings language German English",
      "earshot settings formats none",
      "earshot settings timestamps on",
      "earshot settings chapters on",
      "earshot settings retention 30",
      "jargon remove Kubernetes",
      "jargon add Qavylow = kah vee low",
      "jargon pairs add post gress = Postgres",
    ]);
    expect(told.invocations[0]).toMatchObject({ place: { channel: double.channel, workspace: double.emulator.team } });
    expect(answer).toMatchObject({ response_action: "update", view: { type: "modal" } });
  });
});

describe("tokens", () => {
  it("go to Slack's own hosts alone", async () => {
    const { double, platform, told } = await startSlackRig();
    await double.upload("a.ogg", SOUND);
    await double.settled();
    expect(double.calls.filter(({ path }) => path.startsWith("/upload/")).map(({ token }) => token)).toEqual([]);
    const [recording] = told.recordings;
    await platform.reply(
      recording!.place,
      { kind: "file", file: { name: "a.txt", mimeType: "text/plain", content: "a" } },
      { key: "1:a" },
    );
    const uploads = double.calls.filter(({ path }) => path.startsWith("/upload/"));
    expect(uploads.map(({ token }) => token)).toEqual([""]);
    expect(
      double.calls.filter(({ path }) => path.startsWith("/api/chat")).every(({ token }) => token === BOT_TOKEN),
    ).toBe(true);
  });
});
