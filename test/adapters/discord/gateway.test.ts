// The connection to Discord: its start, what it survives, the commands it registers, and the files it fetches.
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { MessageFlags } from "discord-api-types/v10";
import { describe, expect, it, onTestFinished } from "vitest";
import { checkDiscord } from "../../../src/adapters/discord/check.ts";
import type { Recording } from "../../../src/core/recording.ts";
import { startDiscordDouble, TOKEN } from "../../support/discord-double.ts";
import { type DiscordRig, eventually, startDiscordRig } from "../../support/discord-rig.ts";
import { BOT, GUILD, PERSON } from "../../support/discord-world.ts";

const voice = (rig: DiscordRig) => ({ attachments: [rig.sound()], flags: MessageFlags.IsVoiceMessage });

describe("the start", () => {
  it("refuses a wrong token before anything else", async () => {
    const rig = await startDiscordRig({ listens: false, token: "wrong" });
    const listening = rig.platform.listen(rig.listener, new AbortController().signal);
    await expect(listening).rejects.toMatchObject({ name: "PlatformError", code: "unauthorized" });
  });

  it("says where to switch on an intent that is wanted and off", async () => {
    const rig = await startDiscordRig({ listens: false, isContentGranted: false, hasMessageContent: true });
    const listening = rig.platform.listen(rig.listener, new AbortController().signal);
    await expect(listening).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining("developers/applications"),
    });
  });

  it("gives up with the signal", async () => {
    const rig = await startDiscordRig({ listens: false });
    rig.double.gateway.holdBack();
    const stop = new AbortController();
    const listening = rig.platform.listen(rig.listener, stop.signal);
    await eventually(() => expect(rig.double.calls.some(({ path }) => path.endsWith("/gateway/bot"))).toBe(true));
    stop.abort(new Error("stopped"));
    await expect(listening).rejects.toThrow("stopped");
  });

  it("gives up with the signal also while the connection is half made, whose end harms nobody", async () => {
    const rig = await startDiscordRig({ listens: false });
    rig.double.gateway.stall();
    const stop = new AbortController();
    const listening = rig.platform.listen(rig.listener, stop.signal);
    await eventually(() => expect(rig.double.gateway.stalled()).toBe(1));
    const uncaught: unknown[] = [];
    const note = (error: unknown) => uncaught.push(error);
    process.on("uncaughtExceptionMonitor", note);
    stop.abort(new Error("stopped"));
    await expect(listening).rejects.toThrow("stopped");
    rig.double.gateway.breakStalled();
    await sleep(100);
    process.off("uncaughtExceptionMonitor", note);
    expect(uncaught).toEqual([]);
  });

  it("registers the commands once, however often it starts, and again when they are others", async () => {
    const rig = await startDiscordRig();
    const puts = () => rig.double.calls.filter(({ method }) => method === "PUT").length;
    expect(puts()).toBe(1);
    await rig.listen();
    expect(puts()).toBe(1);
    rig.double.commands.get("")?.pop();
    await rig.listen();
    expect(puts()).toBe(2);
    expect(rig.double.commands.get("")).toHaveLength(5);
  });

  it("registers them in the named guilds alone while developing", async () => {
    const rig = await startDiscordRig({ guildIds: [GUILD] });
    expect([...rig.double.commands.keys()]).toEqual([`/guilds/${GUILD}`]);
  });
});

describe("the check", () => {
  it.each([
    ["the intent", {}, {}, "signed in as Earshot; reads messages", undefined],
    ["its absence", { isContentGranted: false }, {}, "may not read messages", undefined],
    ["a bot that nobody invited", { guildCount: 0 }, {}, "in no server", "permissions=274878008320"],
    ["a wrong token", {}, { token: "wrong" }, "401", "copy the token anew"],
    ["a network that is away", {}, { api: "http://127.0.0.1:9/api" }, "did not answer", "check the network"],
  ])("finds %s", async (_, double, options, finding, remedy) => {
    const { api, close } = await startDiscordDouble(double);
    onTestFinished(close);
    const found = await checkDiscord({ token: TOKEN, api, ...options });
    expect(found.finding).toContain(finding);
    if (remedy === undefined) expect(found.remedy).toBeUndefined();
    else expect(found.remedy).toContain(remedy);
  });
});

describe("a connection", () => {
  it("that breaks is resumed, and what was sent meanwhile arrives once", async () => {
    const rig = await startDiscordRig();
    rig.double.say(rig.channel, PERSON, voice(rig));
    await eventually(() => expect(rig.told.recordings).toHaveLength(1));
    rig.double.gateway.drop();
    rig.double.say(rig.channel, PERSON, voice(rig));
    await eventually(() => expect(rig.told.recordings).toHaveLength(2));
    expect(rig.double.gateway.counts).toEqual({ identified: 1, resumed: 1 });
    expect(new Set(rig.told.recordings.map(({ key }) => key)).size).toBe(2);
  });

  it("whose session Discord forgot begins anew and reads what was missed", async () => {
    const rig = await startDiscordRig();
    rig.double.gateway.forget();
    rig.double.say(rig.channel, PERSON, voice(rig));
    await eventually(() => expect(rig.told.recordings).toHaveLength(1));
    expect(rig.double.gateway.counts.identified).toBe(2);
  });

  it("reads up to 15 minutes back after a start, page by page, and no further", async () => {
    const rig = await startDiscordRig({ listens: false });
    rig.clock.offsetMs -= 20 * 60_000;
    rig.world.addMessage(rig.channel, PERSON, voice(rig));
    rig.clock.offsetMs += 20 * 60_000;
    for (let index = 0; index < 120; index++) rig.world.addMessage(rig.channel, PERSON, voice(rig));
    await rig.listen();
    await eventually(() => expect(rig.told.recordings).toHaveLength(120));
  });

  it("takes nothing again that it answered or was told of, whose transcript may be deleted since", async () => {
    const rig = await startDiscordRig({ listens: false });
    const answered = rig.world.addMessage(rig.channel, PERSON, voice(rig));
    rig.world.addMessage(rig.channel, BOT, {
      content: "Deleted.",
      message_reference: { channel_id: rig.channel, message_id: answered.id },
    });
    rig.world.addMessage(rig.channel, PERSON, voice(rig));
    await rig.listen();
    rig.double.say(rig.channel, PERSON, voice(rig));
    await eventually(() => expect(rig.told.recordings).toHaveLength(2));
    rig.double.gateway.forget();
    await eventually(() => expect(rig.double.gateway.counts.identified).toBe(2));
    rig.double.say(rig.channel, PERSON, voice(rig));
    await eventually(() => expect(rig.told.recordings).toHaveLength(3));
    const messages = rig.told.recordings.map(({ place }) => place.message);
    expect(messages).not.toContain(answered.id);
    expect(new Set(messages).size).toBe(3);
  });

  it("is given up by Discord when the token was taken back, which the operator is told", async () => {
    const rig = await startDiscordRig();
    rig.double.gateway.refuse(4004);
    await eventually(() =>
      expect(rig.observed).toContainEqual(
        expect.objectContaining({ error: expect.objectContaining({ code: "unauthorized" }) }),
      ),
    );
  });

  it("hands a recording over again until it is written down", async () => {
    const kept: string[] = [];
    let failures = 1;
    const recording = async ({ key }: Recording) => {
      if (failures-- > 0) throw new Error("the disk is full");
      kept.push(key);
      return { kind: "added", jobId: "1" } as const;
    };
    const rig = await startDiscordRig({ listener: { recording } });
    rig.double.say(rig.channel, PERSON, voice(rig));
    await eventually(() => expect(kept).toHaveLength(1));
    expect(rig.observed).toMatchObject([{ kind: "unexpected", where: "writing down a message of Discord's" }]);
  });

  it("ends with the signal, and replies can still be sent", async () => {
    const rig = await startDiscordRig();
    rig.stop();
    const place = {
      platform: "discord",
      workspace: GUILD,
      channel: rig.channel,
      isDirect: false,
      user: PERSON,
      reach: "channel",
    } as const;
    await rig.platform.reply(place, { kind: "words", text: "Bye." }, { key: "k" });
    expect(rig.double.written(rig.channel)).toHaveLength(1);
    await eventually(() => rig.double.say(rig.channel, PERSON, voice(rig)));
    expect(rig.told.recordings).toEqual([]);
  });
});

describe("a download", () => {
  async function received(rig: DiscordRig): Promise<Recording> {
    rig.double.say(rig.channel, PERSON, voice(rig));
    return eventually(() => {
      expect(rig.told.recordings).toHaveLength(1);
      return rig.told.recordings[0]!;
    });
  }
  const folder = () => mkdtemp(join(tmpdir(), "earshot-discord-"));
  const { signal } = new AbortController();

  it("asks for a fresh link, however old the message is", async () => {
    const rig = await startDiscordRig();
    const recording = await received(rig);
    rig.clock.offsetMs += 3 * 24 * 3_600_000;
    const path = join(await folder(), "note");
    await rig.platform.download(recording, path, signal);
    expect(await readFile(path, "utf8")).toBe("sound of note.ogg");
  });

  it("takes the link that came along while it lasts, then asks for the message", async () => {
    const rig = await startDiscordRig();
    const recording = await received(rig);
    const [attachment] = rig.world.channels.get(rig.channel)!.messages[0]!.attachments;
    const withUrl = { ...recording, source: { ...recording.source, url: attachment!.url } };
    const [first, second] = [join(await folder(), "1"), join(await folder(), "2")];
    const asked = () =>
      rig.double.calls.filter(({ method, path }) => method === "GET" && /messages\/\d+$/.test(path)).length;
    await rig.platform.download(withUrl, first, signal);
    expect(asked()).toBe(0);
    rig.clock.offsetMs += 3 * 24 * 3_600_000;
    await rig.platform.download(withUrl, second, signal);
    expect(asked()).toBe(1);
  });

  it("of a deleted message is gone", async () => {
    const rig = await startDiscordRig();
    const recording = await received(rig);
    rig.world.channels.get(rig.channel)!.messages.pop();
    const path = join(await folder(), "note");
    await expect(rig.platform.download(recording, path, signal)).rejects.toMatchObject({ code: "gone" });
  });

  it("goes to Discord's own file server only", async () => {
    const rig = await startDiscordRig();
    const recording = { ...(await received(rig)), source: { attachment: "1", url: "https://example.com/a.ogg" } };
    const path = join(await folder(), "note");
    await expect(rig.platform.download(recording, path, signal)).rejects.toMatchObject({ code: "rejected" });
  });

  it("of more than is taken stops and leaves nothing behind", async () => {
    const rig = await startDiscordRig({ maxBytes: 5 });
    const recording = await received(rig);
    const at = await folder();
    await expect(rig.platform.download(recording, join(at, "note"), signal)).rejects.toMatchObject({
      name: "UserError",
      code: "too_large",
    });
    expect(await readdir(at)).toEqual([]);
  });
});
