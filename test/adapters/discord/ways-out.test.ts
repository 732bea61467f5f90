// What Earshot writes on Discord, within the platform's limits, once, and where it belongs.

import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { gunzipSync } from "node:zlib";
import { RESTEvents } from "discord.js";
import { ChannelType, MessageFlags } from "discord-api-types/v10";
import { describe, expect, it } from "vitest";
import { createRest } from "../../../src/adapters/discord/rest.ts";
import type { Place } from "../../../src/core/recording.ts";
import type { AnswerReply, Reply } from "../../../src/core/reply.ts";
import { TOKEN } from "../../support/discord-double.ts";
import { type DiscordRig, eventually, startDiscordRig } from "../../support/discord-rig.ts";
import { GUILD, OWNER, PERSON } from "../../support/discord-world.ts";

const key = "1f3a9c:status";
const status: Reply = {
  kind: "status",
  text: "Transcribing …",
  actions: [{ name: "cancel", label: "Cancel", jobId: "1f3a9c" }],
};
const answer: AnswerReply = {
  kind: "answer",
  head: "note.ogg · 0:04 · English · 2 words",
  text: "Hello there.",
  isCut: false,
  notes: ["It was the demo model."],
  fileNames: [],
  actions: (["srt", "vtt", "json", "html", "translate", "delete"] as const).map((name) => ({
    name,
    label: name,
    jobId: "1f3a9c",
  })),
};

function placeIn(rig: DiscordRig, more: Partial<Place> = {}): Place {
  const message = rig.world.addMessage(rig.channel, PERSON, { content: "…" }).id;
  return {
    platform: "discord",
    workspace: GUILD,
    channel: rig.channel,
    isDirect: false,
    message,
    user: PERSON,
    reach: "thread",
    ...more,
  };
}

function file(name: string, content: string): Reply {
  return { kind: "file", file: { name, mimeType: "text/plain", content } };
}

/** A command whose job's words go to the place that comes back. */
async function asked(rig: DiscordRig, options: object[] = []): Promise<Place> {
  const sound = rig.sound();
  const data = {
    id: "1",
    name: "transcribe",
    type: 1,
    options: [{ name: "file", type: 11, value: sound.id }, ...options],
    resolved: { attachments: { [sound.id]: sound } },
  };
  const before = rig.told.invocations.length;
  rig.double.interact(rig.world.addInteraction(rig.channel, PERSON, { type: 2, data }));
  await eventually(() => expect(rig.told.invocations).toHaveLength(before + 1));
  return rig.told.invocations[before]!.place;
}

describe("an answer", () => {
  it("takes the place of the status, in reply to the recording, with buttons and without pings", async () => {
    const rig = await startDiscordRig();
    const place = placeIn(rig);
    const editId = await rig.platform.reply(place, status, { key });
    expect(await rig.platform.reply(place, answer, { key, editId })).toBe(editId);
    const [message, ...others] = rig.double.written(rig.channel);
    expect(others).toEqual([]);
    expect(message?.message_reference?.message_id).toBe(place.message);
    expect(message?.content).toBe("**note.ogg · 0:04 · English · 2 words**\nHello there.\n-# It was the demo model.");
    expect(message?.components).toMatchObject([
      { components: [{ custom_id: "earshot:srt:1f3a9c" }, {}, {}, {}, {}] },
      { components: [{ custom_id: "earshot:delete:1f3a9c", style: 4 }] },
    ]);
  });

  it("shows markup and mentions as they were said", async () => {
    const rig = await startDiscordRig();
    await rig.platform.reply(
      placeIn(rig),
      { ...answer, text: "# *a* _b_ `c` ||d|| <@12> [e](http://f)\n> g\n- h @everyone" },
      { key },
    );
    expect(rig.double.written(rig.channel)[0]?.content).toContain(
      "\n\\# \\*a\\* \\_b\\_ \\`c\\` \\|\\|d\\|\\| \\<@12> \\[e\\](http://f)\n\\> g\n\\- h @everyone\n",
    );
  });

  it("that is too long for a message ends between words and comes whole in a file", async () => {
    const rig = await startDiscordRig();
    const text = "under_score 𝔘 ".repeat(400).trim();
    await rig.platform.reply(placeIn(rig), { ...answer, text }, { key });
    const [message] = rig.double.written(rig.channel);
    expect(message!.content.length).toBeLessThanOrEqual(2000);
    expect(message!.content.length).toBeGreaterThan(1800);
    expect(String(rig.double.fileText(message!.attachments[0]!))).toBe(text);
  });

  it("goes to the one person who is to see it, and nowhere else", async () => {
    const rig = await startDiscordRig();
    const place = placeIn(rig, { reach: "only_me" });
    const editId = await rig.platform.reply(place, status, { key });
    await rig.platform.reply(place, answer, { key, editId });
    expect(rig.double.written(rig.channel)).toEqual([]);
    expect(rig.double.written(rig.world.directChannel(PERSON))).toMatchObject([
      { content: expect.stringContaining("Hello there.") },
    ]);
    rig.world.closed.add(PERSON);
    await expect(rig.platform.reply(place, answer, { key: "b:status" })).rejects.toMatchObject({
      name: "PlatformError",
      code: "forbidden",
    });
  });
});

describe("a posting", () => {
  it("with the same key is made once", async () => {
    const rig = await startDiscordRig();
    const place = placeIn(rig);
    const first = await rig.platform.reply(place, status, { key });
    expect(await rig.platform.reply(place, status, { key })).toBe(first);
    expect(rig.double.written(rig.channel)).toHaveLength(1);
  });

  it("that an earlier attempt made long ago is found, the status by its buttons and a file by its name", async () => {
    const rig = await startDiscordRig();
    const place = placeIn(rig);
    const srt = file("stand up.srt", "1");
    const ids = [
      await rig.platform.reply(place, status, { key }),
      await rig.platform.reply(place, srt, { key: "1f3a9c:srt" }),
    ];
    rig.clock.offsetMs += 3_600_000;
    expect(await rig.platform.reply(place, status, { key, mayExist: true })).toBe(ids[0]);
    expect(await rig.platform.reply(place, srt, { key: "1f3a9c:srt", mayExist: true })).toBe(ids[1]);
    expect(rig.double.written(rig.channel)).toHaveLength(2);
    await rig.platform.reply(place, status, { key: "other:status", mayExist: true });
    expect(rig.double.written(rig.channel)).toHaveLength(3);
  });

  it("is made without a reference where the history may not be read", async () => {
    const rig = await startDiscordRig();
    const place = placeIn(rig);
    rig.world.channels.get(rig.channel)!.denied = 1n << 16n;
    await rig.platform.reply(place, answer, { key, mayExist: true });
    expect(rig.double.written(rig.channel)).toMatchObject([{ content: expect.stringContaining("Hello there.") }]);
    expect(rig.double.written(rig.channel)[0]?.message_reference).toBeUndefined();
  });

  it("waits as long as Discord asks for, and no longer than the queue had better wait", async () => {
    const rig = await startDiscordRig();
    rig.double.rateLimit(/POST .*\/messages$/, 2, 0.05);
    await rig.platform.reply(placeIn(rig), answer, { key });
    expect(rig.double.written(rig.channel)).toHaveLength(1);
    rig.double.rateLimit(/POST .*\/messages$/, 1, 120);
    const refused = rig.platform.reply(placeIn(rig), answer, { key: "b:status" });
    await expect(refused).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: expect.any(Number) });
  });

  it.each([
    ["gone", { status: 404, code: 10003, message: "Unknown Channel" }],
    ["forbidden", { status: 403, code: 50013, message: "Missing Permissions" }],
    ["unauthorized", { status: 401, code: 0, message: "401: Unauthorized" }],
    ["rejected", { status: 400, code: 50035, message: "Invalid Form Body" }],
    ["unavailable", { status: 503, code: 0, message: "" }],
  ])("that fails is %s by its status and code", async (code, refusal) => {
    const rig = await startDiscordRig({ listens: false });
    rig.double.fail(/POST .*\/messages$/, 5, refusal);
    await expect(rig.platform.reply(placeIn(rig), answer, { key })).rejects.toMatchObject({
      name: "PlatformError",
      code,
    });
  });

  it("that fails keeps tokens and texts out of what is logged", async () => {
    const rig = await startDiscordRig();
    const place = await asked(rig);
    rig.double.fail(/PATCH .*webhooks/, 1, { status: 400, code: 50035, message: "Invalid Form Body" });
    await eventually(() => expect(rig.double.written(rig.channel)[0]?.content).toContain("Taken"));
    const error: unknown = await rig.platform.reply(place, answer, { key }).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: "rejected" });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/interaction-\d|Hello there/);
  });

  it("is not tried while Discord has had too many bad requests from here", async () => {
    const rig = await startDiscordRig({ listens: false });
    const { rest } = createRest({ token: TOKEN, api: rig.double.api, now: Date.now });
    rest.emit(RESTEvents.InvalidRequestWarning, { count: 8000, remainingTime: 60_000 });
    const before = rig.double.calls.length;
    await expect(rest.get("/users/@me")).rejects.toMatchObject({ code: "rate_limited" });
    expect(rig.double.calls).toHaveLength(before);
  });

  it("of an edit whose message is gone says so", async () => {
    const rig = await startDiscordRig({ listens: false });
    const place = placeIn(rig);
    const editId = await rig.platform.reply(place, status, { key });
    rig.world.channels.get(rig.channel)!.messages.pop();
    await expect(rig.platform.reply(place, answer, { key, editId })).rejects.toMatchObject({ code: "gone" });
  });

  it("when Discord is not there at all is unavailable", async () => {
    const rig = await startDiscordRig({ listens: false, api: "http://127.0.0.1:9/api" });
    await expect(rig.platform.reply(placeIn(rig), answer, { key })).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("a file", () => {
  it("is compressed when that makes it fit", async () => {
    const rig = await startDiscordRig({ uploadBytes: 200_000 });
    const content = "the same line\n".repeat(50_000);
    await rig.platform.reply(placeIn(rig), file("long.txt", content), { key });
    const [message] = rig.double.written(rig.channel);
    expect(message?.attachments[0]?.filename).toBe("long.txt.gz");
    expect(String(gunzipSync(rig.double.fileText(message!.attachments[0]!)))).toBe(content);
  });

  it("comes in parts when not even that helps, with nothing lost", async () => {
    const rig = await startDiscordRig({ uploadBytes: 200_000 });
    const content = Array.from({ length: 5000 }, () => randomBytes(60).toString("base64")).join("\n");
    await rig.platform.reply(placeIn(rig), file("long.txt", content), { key });
    const files = rig.double.written(rig.channel).flatMap((message) => message.attachments);
    expect(files.length).toBeGreaterThan(2);
    expect(files[0]?.filename).toBe("long.part1.txt");
    expect(files.map((each) => String(rig.double.fileText(each))).join("")).toBe(content);
  });
});

describe("the answer to a command", () => {
  it("is one message from 'thinking' to the text", async () => {
    const rig = await startDiscordRig();
    const place = await asked(rig);
    const editId = await rig.platform.reply(place, status, { key });
    await rig.platform.reply(place, answer, { key, editId });
    expect(rig.double.written(rig.channel)).toMatchObject([{ content: expect.stringContaining("Hello there.") }]);
    expect(rig.double.edits.map(({ content }) => content.slice(0, 6))).toEqual(["Taken:", "Transc", "**note"]);
  });

  it("that only the asker sees stays with the asker, files too", async () => {
    const rig = await startDiscordRig();
    const place = await asked(rig, [{ name: "only_me", type: 5, value: true }]);
    const editId = await rig.platform.reply(place, status, { key });
    await rig.platform.reply(place, answer, { key, editId });
    await rig.platform.reply(place, file("a.srt", "1"), { key: "1f3a9c:srt" });
    const written = rig.double.written(rig.channel);
    expect(written).toHaveLength(2);
    for (const { flags } of written) expect((flags ?? 0) & MessageFlags.Ephemeral).not.toBe(0);
  });

  it("that outlasts the 15 minutes is an ordinary message, which is said before", async () => {
    const rig = await startDiscordRig();
    const place = await asked(rig);
    const editId = await rig.platform.reply(place, status, { key });
    rig.clock.offsetMs += 14.5 * 60_000;
    await rig.platform.reply(place, status, { key, editId });
    expect(rig.double.written(rig.channel)[0]?.content).toContain("in a message of its own");
    rig.clock.offsetMs += 60_000;
    expect(await rig.platform.reply(place, status, { key, editId })).toBe(editId);
    const id = await rig.platform.reply(place, answer, { key, editId });
    expect(id).not.toBe(editId);
    const [first, second, ...others] = rig.double.written(rig.channel);
    expect(others).toEqual([]);
    expect(second).toMatchObject({
      message_reference: { message_id: first?.id },
      content: expect.stringContaining("Hello there."),
    });
    expect(await rig.platform.reply(place, answer, { key, editId })).toBe(id);
  });

  it("that outlasts them without a word in between is an ordinary message too", async () => {
    const rig = await startDiscordRig();
    const place = await asked(rig);
    const editId = await rig.platform.reply(place, status, { key });
    rig.clock.offsetMs += 20 * 60_000;
    expect(await rig.platform.reply(place, answer, { key, editId })).not.toBe(editId);
    expect(rig.double.written(rig.channel)).toHaveLength(2);
  });

  it("that only the asker sees and that outlasts them is a direct message", async () => {
    const rig = await startDiscordRig();
    const place = await asked(rig, [{ name: "only_me", type: 5, value: true }]);
    const editId = await rig.platform.reply(place, status, { key });
    rig.clock.offsetMs += 16 * 60_000;
    await rig.platform.reply(place, answer, { key, editId });
    expect(rig.double.written(rig.channel)).toHaveLength(1);
    expect(rig.double.written(rig.world.directChannel(PERSON))).toHaveLength(1);
  });

  it("is given though Discord no longer waits for it", async () => {
    const rig = await startDiscordRig();
    const interaction = rig.world.addInteraction(rig.channel, PERSON, {
      type: 2,
      data: { id: "1", name: "transcribe", type: 1, options: [] },
    });
    rig.clock.offsetMs += 4000;
    rig.double.interact(interaction);
    await eventually(() => expect(rig.double.written(rig.channel)).toMatchObject([{ content: "Taken: " }]));
    expect(rig.observed).toMatchObject([{ where: "acknowledging a Discord command in time" }]);
  });
});

describe("what is missing is told before the work", () => {
  const voice = (rig: DiscordRig) => ({ attachments: [rig.sound()], flags: MessageFlags.IsVoiceMessage });

  it("in the channel, once, when files may not be attached", async () => {
    const rig = await startDiscordRig({ listens: false });
    rig.world.channels.get(rig.channel)!.denied = 1n << 15n;
    await rig.listen();
    rig.double.say(rig.channel, PERSON, voice(rig));
    rig.double.say(rig.channel, PERSON, voice(rig));
    await eventually(() => expect(rig.double.written(rig.channel)[0]?.content).toContain("permission Attach Files"));
    rig.double.say(rig.world.directChannel(PERSON), PERSON, voice(rig));
    await eventually(() => expect(rig.told.recordings).toHaveLength(1));
    expect(rig.double.written(rig.channel)).toHaveLength(1);
  });

  it("to the server's owner when nothing may be written there", async () => {
    const rig = await startDiscordRig({ listens: false });
    rig.world.channels.get(rig.channel)!.denied = 1n << 11n;
    await rig.listen();
    rig.double.say(rig.channel, PERSON, voice(rig));
    const told = await eventually(() => {
      const [message] = rig.double.written(rig.world.directChannel(OWNER));
      expect(message).toBeDefined();
      return message;
    });
    expect(told?.content).toMatch(/#channel-\d+ of guild: it lacks the permission Send Messages/);
    expect(rig.told.recordings).toEqual([]);
  });

  it("in a thread whose posts are not allowed", async () => {
    const rig = await startDiscordRig({ listens: false });
    rig.world.channels.get(rig.channel)!.denied = 1n << 38n;
    const thread = rig.world.addChannel(ChannelType.PublicThread, { guild: GUILD, parent: rig.channel });
    await rig.listen();
    rig.double.say(thread, PERSON, voice(rig));
    const owner = () => rig.double.written(rig.world.directChannel(OWNER))[0]?.content;
    await eventually(() => expect(owner()).toContain("Send Messages in Threads"));
    expect(rig.told.recordings).toEqual([]);
  });

  it("when the message content intent is off and somebody sends a voice message", async () => {
    const rig = await startDiscordRig({ isContentGranted: false });
    rig.double.say(rig.channel, PERSON, voice(rig));
    rig.double.say(rig.channel, PERSON, voice(rig));
    await eventually(() =>
      expect(rig.double.written(rig.channel)[0]?.content).toContain("Message Content intent is off"),
    );
    expect(rig.told.recordings).toEqual([]);
  });
});
