// Every way in which a recording or a command reaches Earshot on Discord, with real discord.js.
import {
  type APIAttachment,
  ApplicationCommandOptionType,
  ChannelType,
  MessageFlags,
  MessageReferenceType,
  MessageType,
} from "discord-api-types/v10";
import { describe, expect, it } from "vitest";
import { type DiscordRig, eventually, startDiscordRig } from "../../support/discord-rig.ts";
import { BOT, EDITOR_ROLE, GUILD, OWNER, PERSON } from "../../support/discord-world.ts";

const VOICE = MessageFlags.IsVoiceMessage;

function voice(rig: DiscordRig): { attachments: APIAttachment[]; flags: MessageFlags } {
  const attachment = rig.sound("voice-message.ogg", "audio/ogg", { duration_secs: 3.5, waveform: "AAAA" });
  return { attachments: [attachment], flags: VOICE };
}

function slash(name: string, options: object[], resolved: object = {}) {
  return { type: 2, data: { id: "1", name, type: 1, options, resolved } };
}

function option(name: string, value: string | boolean, type = ApplicationCommandOptionType.String) {
  return { name, type, value };
}

describe("a recording comes in", () => {
  it("as a voice message", async () => {
    const rig = await startDiscordRig();
    const message = rig.double.say(rig.channel, PERSON, voice(rig));
    const [recording] = await eventually(() => {
      expect(rig.told.recordings).toHaveLength(1);
      return rig.told.recordings;
    });
    expect(recording).toMatchObject({
      key: `discord:${rig.channel}:${message.id}:${message.attachments[0]?.id}`,
      kind: "voice message",
      name: "voice-message.ogg",
      durationSeconds: 3.5,
      mimeType: "audio/ogg",
      source: { channel: rig.channel, message: message.id, attachment: message.attachments[0]?.id },
      place: {
        platform: "discord",
        workspace: GUILD,
        channel: rig.channel,
        isDirect: false,
        message: message.id,
        user: PERSON,
      },
    });
    expect(recording?.source).not.toHaveProperty("url");
  });

  it("as audio and video files of one message, and not as other files", async () => {
    const rig = await startDiscordRig();
    const attachments = [
      rig.sound("a.mp3", "audio/mpeg"),
      rig.sound("b.mp4", "video/mp4"),
      rig.sound("c.png", "image/png"),
      rig.sound("d.m4a", ""),
    ];
    rig.double.say(rig.channel, PERSON, { attachments });
    await eventually(() =>
      expect(rig.told.recordings.map(({ name, kind }) => [name, kind])).toEqual([
        ["a.mp3", "audio"],
        ["b.mp4", "video"],
        ["d.m4a", "audio"],
      ]),
    );
  });

  it("in a forward, whose voice flag is on the copy", async () => {
    const rig = await startDiscordRig();
    rig.double.say(rig.channel, PERSON, {
      flags: MessageFlags.HasSnapshot,
      message_reference: { type: MessageReferenceType.Forward, channel_id: "5", message_id: "6" },
      message_snapshots: [
        {
          message: {
            ...voice(rig),
            content: "",
            timestamp: "",
            edited_timestamp: null,
            embeds: [],
            mentions: [],
            type: 0,
          } as never,
        },
      ],
    });
    await eventually(() =>
      expect(rig.told.recordings).toMatchObject([{ kind: "voice message", durationSeconds: 3.5 }]),
    );
  });

  it("in a direct message, also without the message content intent", async () => {
    const rig = await startDiscordRig({ isContentGranted: false });
    const channel = rig.world.directChannel(PERSON);
    rig.double.say(channel, PERSON, voice(rig));
    await eventually(() =>
      expect(rig.told.recordings).toMatchObject([{ place: { workspace: "@me", channel, isDirect: true } }]),
    );
  });

  it("in a thread, whose channel's settings hold", async () => {
    const rig = await startDiscordRig({ listens: false });
    const thread = rig.world.addChannel(ChannelType.PublicThread, { guild: GUILD, parent: rig.channel });
    await rig.listen();
    rig.double.say(thread, PERSON, voice(rig));
    await eventually(() => expect(rig.told.recordings).toMatchObject([{ place: { channel: rig.channel, thread } }]));
  });

  it("in an archived thread, of which the gateway has not told, and in a voice channel's text", async () => {
    const rig = await startDiscordRig();
    const thread = rig.world.addChannel(ChannelType.PublicThread, { guild: GUILD, parent: rig.channel });
    const stage = rig.world.addChannel(ChannelType.GuildVoice, { guild: GUILD });
    rig.double.say(thread, PERSON, voice(rig));
    rig.double.say(stage, PERSON, voice(rig));
    await eventually(() => expect(rig.told.recordings).toHaveLength(2));
    expect(rig.told.recordings.map(({ place }) => [place.channel, place.thread])).toEqual(
      expect.arrayContaining([
        [rig.channel, thread],
        [stage, undefined],
      ]),
    );
  });

  it("while the bot was away, and the one who refuses it is told why", async () => {
    const rig = await startDiscordRig({
      listens: false,
      listener: {},
    });
    rig.world.addMessage(rig.channel, PERSON, voice(rig));
    const signal = new AbortController();
    await rig.platform.listen(
      { ...rig.listener, recording: async () => ({ kind: "refused", reply: { kind: "words", text: "Too large." } }) },
      signal.signal,
    );
    await eventually(() =>
      expect(rig.double.written(rig.channel).map((message) => message.content)).toEqual(["Too large."]),
    );
    signal.abort();
  });
});

describe("a command comes in", () => {
  it("as a mention in reply to a recording, without the message content intent", async () => {
    const rig = await startDiscordRig({ isContentGranted: false });
    const recorded = rig.world.addMessage(rig.channel, OWNER, voice(rig));
    const asking = rig.double.say(rig.channel, PERSON, {
      content: `<@${BOT}> in german please`,
      type: MessageType.Reply,
      message_reference: { channel_id: rig.channel, message_id: recorded.id },
      referenced_message: recorded,
    });
    await eventually(() => expect(rig.told.invocations).toHaveLength(1));
    expect(rig.told.invocations[0]).toMatchObject({
      command: "transcribe",
      text: "in german please",
      place: { message: recorded.id, user: PERSON },
      recordings: [{ kind: "voice message", source: { message: recorded.id, url: recorded.attachments[0]?.url } }],
    });
    expect(asking.id).not.toBe(recorded.id);
    await eventually(() =>
      expect(rig.double.written(rig.channel)).toMatchObject([{ content: "Taken: voice-message.ogg" }]),
    );
  });

  it("as a mention in reply to a message without a recording, which is said", async () => {
    const rig = await startDiscordRig();
    const said = rig.world.addMessage(rig.channel, OWNER, { content: "hello" });
    rig.double.say(rig.channel, PERSON, {
      content: `<@${BOT}>`,
      message_reference: { channel_id: rig.channel, message_id: said.id },
    });
    await eventually(() =>
      expect(rig.double.written(rig.channel)[0]?.content).toContain("no recording in that message"),
    );
    expect(rig.told.invocations).toEqual([]);
  });

  it("as words of the other commands in a direct message, where nobody is an administrator", async () => {
    const rig = await startDiscordRig();
    rig.double.say(rig.world.directChannel(PERSON), PERSON, { content: "jargon add Kubernetes, etcd" });
    await eventually(() =>
      expect(rig.told.invocations).toMatchObject([
        { command: "jargon", text: "add Kubernetes, etcd", actor: { isAdmin: false } },
      ]),
    );
  });

  it("from an administrator by a role, and from the owner", async () => {
    const rig = await startDiscordRig();
    const content = `<@${BOT}> earshot stats`;
    rig.double.say(rig.channel, OWNER, { content });
    rig.double.say(rig.channel, PERSON, { content });
    await eventually(() => expect(rig.told.invocations).toHaveLength(2));
    const admins = rig.told.invocations.filter(({ actor }) => actor.isAdmin).map(({ actor }) => actor.user);
    expect(admins).toEqual([OWNER]);
    expect(EDITOR_ROLE).toBeTruthy();
  });

  it("as /transcribe with a file, whose answer edits the deferred one", async () => {
    const rig = await startDiscordRig();
    const file = rig.sound("talk.m4a", "audio/mp4");
    const data = slash(
      "transcribe",
      [option("file", file.id, 11), option("language", "german"), option("translate", true, 5)],
      { attachments: { [file.id]: file } },
    );
    rig.double.interact(rig.world.addInteraction(rig.channel, PERSON, data));
    await eventually(() => expect(rig.double.written(rig.channel)).toMatchObject([{ content: "Taken: talk.m4a" }]));
    const [invocation] = rig.told.invocations;
    expect(invocation).toMatchObject({
      command: "transcribe",
      text: "german translate",
      recordings: [{ source: { url: file.url } }],
      place: { reach: "thread" },
    });
    expect(invocation?.place.message).toBe(rig.double.written(rig.channel)[0]?.id);
  });

  it("as /transcribe with a link, which is followed for the one who may read it", async () => {
    const rig = await startDiscordRig();
    const message = rig.world.addMessage(rig.channel, OWNER, voice(rig));
    const link = `https://discord.com/channels/${GUILD}/${rig.channel}/${message.id}`;
    rig.double.interact(rig.world.addInteraction(rig.channel, PERSON, slash("transcribe", [option("message", link)])));
    await eventually(() =>
      expect(rig.told.invocations).toMatchObject([{ text: link, place: { message: message.id } }]),
    );
    const resolve = rig.told.invocations[0]?.resolveLink;
    expect(await resolve?.(link)).toMatchObject([{ kind: "voice message" }]);
    expect(await resolve?.("https://discord.com/channels/1/2/3")).toBeUndefined();
    expect(await resolve?.("https://example.com/x")).toBeUndefined();
    expect(await resolve?.(`https://discord.com/channels/${GUILD}/${rig.channel}/7`)).toBeUndefined();
  });

  it("as a message command, for all and for the asker alone", async () => {
    const rig = await startDiscordRig();
    const message = rig.world.addMessage(rig.channel, OWNER, voice(rig));
    for (const name of ["Transcribe", "Transcribe (only me)"]) {
      const data = {
        type: 2,
        data: { id: "1", name, type: 3, target_id: message.id, resolved: { messages: { [message.id]: message } } },
      };
      rig.double.interact(rig.world.addInteraction(rig.channel, PERSON, data));
    }
    await eventually(() => expect(rig.told.invocations).toHaveLength(2));
    expect(rig.told.invocations.map(({ place }) => place.reach).toSorted()).toEqual(["only_me", "thread"]);
    const hidden = () =>
      rig.double.written(rig.channel).map(({ flags }) => ((flags ?? 0) & MessageFlags.Ephemeral) !== 0);
    await eventually(() => expect(hidden().toSorted()).toEqual([false, true]));
  });

  it("as subcommands of /jargon and /earshot in the words of the grammar", async () => {
    const rig = await startDiscordRig();
    const sub = (name: string, options: object[]) => [{ name, type: 1, options }];
    const used = [
      slash(
        "jargon",
        sub("replace", [option("heard", "cube control"), option("meant", "kubectl"), option("all_channels", true, 5)]),
      ),
      slash("jargon", sub("add", [option("terms", "etcd, Kubernetes")])),
      slash("earshot", sub("settings", [option("name", "language"), option("value", "german")])),
    ];
    for (const data of used)
      rig.double.interact(rig.world.addInteraction(rig.channel, PERSON, data, { isAdmin: true }));
    await eventually(() => expect(rig.told.invocations).toHaveLength(3));
    expect(rig.told.invocations.map(({ text }) => text)).toEqual([
      "pairs add cube control = kubectl --workspace",
      "add etcd, Kubernetes",
      "settings language german",
    ]);
    expect(rig.told.invocations.every(({ actor }) => actor.isAdmin)).toBe(true);
  });

  it("by somebody who alone installed it, in a server that has no bot", async () => {
    const rig = await startDiscordRig();
    const elsewhere = rig.world.addChannel(ChannelType.GuildText, { guild: "77" });
    const message = rig.world.addMessage(elsewhere, OWNER, voice(rig));
    const data = {
      type: 2,
      data: {
        id: "1",
        name: "Transcribe",
        type: 3,
        target_id: message.id,
        resolved: { messages: { [message.id]: message } },
      },
    };
    rig.double.interact(rig.world.addInteraction(elsewhere, PERSON, data, { isInstalledByUser: true }));
    await eventually(() =>
      expect(rig.told.invocations).toMatchObject([
        { place: { workspace: "77" }, recordings: [{ kind: "voice message" }] },
      ]),
    );
    const { place } = rig.told.invocations[0]!;
    await eventually(() =>
      expect(rig.double.written(elsewhere)).toMatchObject([{ content: "Taken: voice-message.ogg" }]),
    );
    const answer = { kind: "words", text: "All of it." } as const;
    await rig.platform.reply(place, { kind: "status", text: "…", actions: [] }, { key: "1f3a9c:status" });
    await rig.platform.reply(place, answer, { key: "1f3a9c:more" });
    expect(rig.double.written(elsewhere).map(({ content }) => content)).toEqual(["…", "All of it."]);
  });

  it("there too when the 15 minutes are over, as a direct message", async () => {
    const rig = await startDiscordRig();
    const elsewhere = rig.world.addChannel(ChannelType.GuildText, { guild: "77" });
    const sound = rig.sound();
    const data = slash("transcribe", [option("file", sound.id, 11)], { attachments: { [sound.id]: sound } });
    rig.double.interact(rig.world.addInteraction(elsewhere, PERSON, data, { isInstalledByUser: true }));
    await eventually(() => expect(rig.double.written(elsewhere)[0]?.content).toContain("Taken"));
    const { place } = rig.told.invocations[0]!;
    rig.clock.offsetMs += 16 * 60_000;
    await rig.platform.reply(place, { kind: "words", text: "All of it." }, { key: "1f3a9c:status" });
    expect(rig.double.written(rig.world.directChannel(PERSON))).toMatchObject([{ content: "All of it." }]);
  });

  it("with a link that leads to a channel which the asker cannot read, or to a private thread", async () => {
    const rig = await startDiscordRig({ listens: false });
    const hidden = rig.world.addChannel(ChannelType.GuildText, { guild: GUILD });
    const thread = rig.world.addChannel(ChannelType.PrivateThread, { guild: GUILD, parent: rig.channel });
    rig.world.channels.get(hidden)!.hiddenFrom = PERSON;
    await rig.listen();
    const links = [hidden, thread].map((channel) => {
      const { id } = rig.world.addMessage(channel, OWNER, voice(rig));
      return `https://discord.com/channels/${GUILD}/${channel}/${id}`;
    });
    for (const by of [PERSON, OWNER]) {
      rig.double.interact(
        rig.world.addInteraction(rig.channel, by, slash("transcribe", [option("message", links[0]!)])),
      );
    }
    await eventually(() => expect(rig.told.invocations).toHaveLength(2));
    for (const { actor, resolveLink } of rig.told.invocations) {
      const found = await resolveLink?.(links[0]!);
      if (actor.user === OWNER) expect(found).toHaveLength(1);
      else expect(found).toBeUndefined();
      expect(await resolveLink?.(links[1]!)).toBeUndefined();
    }
  });

  it("as a button, whose answer only the one who pressed sees", async () => {
    const press = async () =>
      ({ kind: "file", file: { name: "a.srt", mimeType: "text/plain", content: "1" } }) as const;
    const rig = await startDiscordRig({ listener: { press } });
    const message = rig.world.addMessage(rig.channel, BOT, { content: "answer" });
    const data = { type: 3, data: { custom_id: "earshot:srt:1f3a9c", component_type: 2 }, message };
    rig.double.interact(rig.world.addInteraction(rig.channel, PERSON, data));
    const file = await eventually(() => {
      const sent = rig.double.written(rig.channel)[1];
      expect(sent?.attachments[0]?.filename).toBe("a.srt");
      return sent;
    });
    expect((file?.flags ?? 0) & MessageFlags.Ephemeral).not.toBe(0);
  });

  it("half typed, and gets suggestions", async () => {
    const rig = await startDiscordRig();
    const typing = (name: string, options: object[]) => ({ type: 4, data: { id: "1", name, type: 1, options } });
    const focused = (name: string, value: string) => ({ ...option(name, value), focused: true });
    const asked: [object, string][] = [
      [typing("transcribe", [focused("language", "ger")]), "german"],
      [typing("transcribe", [focused("model", "b")]), "base"],
      [typing("jargon", [{ name: "remove", type: 1, options: [focused("term", "kub")] }]), "Kubernetes"],
      [typing("jargon", [{ name: "unreplace", type: 1, options: [focused("heard", "")] }]), "cube control"],
      [
        typing("earshot", [
          { name: "settings", type: 1, options: [option("name", "reply"), focused("value", "only")] },
        ]),
        "only_me",
      ],
    ];
    for (const [index, [data, first]] of asked.entries()) {
      rig.double.interact(rig.world.addInteraction(rig.channel, PERSON, data));
      await eventually(() => expect(rig.double.suggestions[index]?.[0]).toBe(first));
    }
  });

  it("and breaks, which is said and observed", async () => {
    const command = async () => Promise.reject(new Error("disk on fire"));
    const rig = await startDiscordRig({ listener: { command } });
    rig.double.interact(rig.world.addInteraction(rig.channel, PERSON, slash("transcribe", [])));
    await eventually(() => expect(rig.double.written(rig.channel)[0]?.content).toContain("broke on Earshot's side"));
    expect(rig.observed).toMatchObject([{ kind: "unexpected", where: "a Discord command" }]);
  });
});

it("tells of deleted messages", async () => {
  const rig = await startDiscordRig();
  rig.double.gateway.emit("MESSAGE_DELETE" as never, () => ({ id: "12", channel_id: rig.channel, guild_id: GUILD }));
  await eventually(() => expect(rig.told.removed).toEqual(["12"]));
});
