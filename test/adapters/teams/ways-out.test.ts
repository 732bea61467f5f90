// How answers and files go out on Teams: cards, threads, questions about files, limits, and what is lost on the way.
import { describe, expect, it } from "vitest";
import { createTeams } from "../../../src/adapters/teams/index.ts";
import type { Place } from "../../../src/core/recording.ts";
import type { AnswerReply, OutputFile, Reply } from "../../../src/core/reply.ts";
import { memoryNotes } from "../../support/memory-notes.ts";
import { CHANNEL, CHAT, GROUP, PERSON, PERSONAL, type Posted, TENANT } from "../../support/teams-double.ts";
import { attachmentsOf, buttonData } from "../../support/teams-messages.ts";
import { startTeamsRig } from "../../support/teams-rig.ts";

type Rig = Awaited<ReturnType<typeof startTeamsRig>>;

const ACTIONS = ["srt", "vtt", "json", "html", "translate", "delete"] as const;
const ANSWER: AnswerReply = {
  kind: "answer",
  head: "memo.m4a · 0:07 · German · 3 words",
  text: "Wir nutzen Qavylow.",
  isCut: false,
  notes: [],
  fileNames: [],
  actions: ACTIONS.map((name) => ({ name, label: name.toUpperCase(), jobId: "1f3a9c" })),
};
const STATUS: Reply = { kind: "status", text: "Transcribing …", actions: [] };
const SRT: OutputFile = { name: "memo.srt", mimeType: "application/x-subrip", content: "1\n00:00 --> 00:02\nGrüße\n" };
const KEY = { key: "1f3a9c:status" };

function at(channel: string, more: Partial<Place> = {}): Place {
  const isDirect = channel === PERSONAL;
  return { platform: "teams", workspace: TENANT, channel, isDirect, user: PERSON, reach: "thread", ...more };
}

/** A rig in which the bot has heard of all conversations, and a message in each of them. */
async function known(options: Parameters<typeof startTeamsRig>[0] = {}) {
  const rig = await startTeamsRig(options);
  const { double } = rig;
  const messages = new Map<string, string>();
  for (const conversation of [PERSONAL, CHANNEL, CHAT]) {
    const text = conversation === PERSONAL ? "jargon list" : "";
    messages.set(conversation, await double.say(conversation, text, text ? {} : double.mention("jargon list")));
  }
  for (const post of double.own()) post.isDeleted = true;
  double.calls.length = 0;
  const placeOf = (channel: string, more: Partial<Place> = {}) =>
    at(channel, { message: messages.get(channel) ?? "", ...more });
  return { ...rig, placeOf };
}

const last = ({ double }: Pick<Rig, "double">): Posted => {
  const post = double.own().at(-1);
  if (post === undefined) throw new Error("The bot posted nothing.");
  return post;
};
const postsIn = ({ double }: Pick<Rig, "double">) => double.calls.filter(({ method }) => method === "POST");

describe("an answer", () => {
  it("stands in the thread of a channel, and answers the message elsewhere; edits keep to it", async () => {
    const rig = await known();
    const { platform, double, placeOf } = rig;
    for (const channel of [CHANNEL, CHAT, PERSONAL]) {
      const place = placeOf(channel);
      const id = await platform.reply(place, STATUS, { key: `${channel}:status` });
      const conversation = channel === CHANNEL ? `${CHANNEL};messageid=${place.message}` : channel;
      expect(last(rig)).toMatchObject({ answers: place.message, conversation });
      await platform.reply(place, ANSWER, { key: `${channel}:status`, editId: id });
      expect(last(rig)).toMatchObject({ edits: 1 });
      expect(double.textOf(last(rig))).toContain("Wir nutzen Qavylow.");
    }
    // A reply in a thread stays in that thread.
    await platform.reply(placeOf(CHANNEL, { thread: "1600000000000" }), STATUS, { key: "a:status" });
    expect(last(rig).conversation).toBe(`${CHANNEL};messageid=1600000000000`);
    await platform.reply(placeOf(CHANNEL, { reach: "channel" }), STATUS, { key: "b:status" });
    expect(last(rig)).toMatchObject({ answers: undefined, conversation: `${CHANNEL};messageid=${last(rig).id}` });
  });

  it("for one person goes to the personal chat, which is opened where there was none", async () => {
    const rig = await known();
    const { platform, placeOf, double } = rig;
    for (const reach of ["direct", "only_me"] as const) {
      await platform.reply(placeOf(CHANNEL, { reach }), ANSWER, { key: `${reach}:status` });
      expect(last(rig)).toMatchObject({ conversation: PERSONAL, answers: undefined });
    }
    const fresh = await startTeamsRig({ hosts: double.hosts });
    await fresh.platform.reply(at(CHANNEL, { reach: "direct" }), ANSWER, KEY);
    expect(last(rig).conversation).toBe(PERSONAL);
    const stranger = at(CHANNEL, { reach: "direct", user: "99999999-9999-4999-8999-999999999999" });
    await expect(fresh.platform.reply(stranger, ANSWER, KEY)).rejects.toMatchObject({ code: "forbidden" });
  });

  it("has its buttons, the sixth and further behind the dots, and a deletion that is asked about", async () => {
    const rig = await known();
    const actions = ["txt", ...ACTIONS].map((name) => ({ ...ANSWER.actions[0], name, label: name.toUpperCase() }));
    await rig.platform.reply(rig.placeOf(CHAT), { ...ANSWER, actions } as AnswerReply, KEY);
    const [card] = attachmentsOf(last(rig).activity);
    const shown = (card?.content?.["actions"] ?? []) as Record<string, unknown>[];
    expect(shown.filter(({ mode }) => mode !== "secondary").map(({ title }) => title)).toEqual([
      ...["TXT", "SRT", "VTT", "JSON", "DELETE"],
    ]);
    expect(shown).toHaveLength(7);
    expect(shown.at(-1)?.["type"]).toBe("Action.ShowCard");
    expect(buttonData(last(rig).activity, "Delete")).toEqual({ earshot: "delete", job: "1f3a9c" });
    expect(last(rig).activity["summary"]).toBe(ANSWER.head);
  });

  it("shows what was said as it is: no mention, no markdown, no date of the card's own", async () => {
    const rig = await known();
    const text = "<at>Ada</at> **bold** [x](https://e.example) {{DATE(2026-01-01T00:00:00Z, SHORT)}} &amp; `x`";
    await rig.platform.reply(rig.placeOf(CHAT), { ...ANSWER, text }, KEY);
    const [card] = attachmentsOf(last(rig).activity);
    const json = JSON.stringify(card?.content);
    expect(json).not.toMatch(/\{\{DATE\(/);
    expect(rig.double.textOf(last(rig)).replaceAll("\u2060", "")).toContain(text);
    // Runs of text, in which Teams reads nothing.
    expect(json).not.toContain('"TextBlock","text":"<at>');
    expect(last(rig).activity["entities"]).toBeUndefined();
  });

  it("keeps to Teams' limit whatever stands in it; the rest comes as a file", async () => {
    const rig = await known();
    for (const [name, text] of [
      ["long", "All that was said. ".repeat(20_000)],
      ["quotes", '"\\"'.repeat(30_000)],
      ["emoji", "🦀".repeat(40_000)],
      ["lines", "a\n".repeat(50_000)],
      ["controls", "\u0001".repeat(30_000)],
    ] as const) {
      const id = await rig.platform.reply(rig.placeOf(CHANNEL), { kind: "words", text }, { key: `${name}:x` });
      const message = rig.double.own().find((post) => id.endsWith(`|${post.id}`));
      expect(JSON.stringify(message?.activity).length * 2, name).toBeLessThan(85_000);
      const files = rig.double.filesOf(last(rig));
      expect(Object.values(files), name).toEqual([text]);
    }
  });

  it("is given anew where an earlier attempt's message was deleted", async () => {
    const rig = await known();
    await rig.platform.reply(rig.placeOf(CHAT), STATUS, KEY);
    await rig.double.remove(last(rig));
    await rig.platform.reply(rig.placeOf(CHAT), ANSWER, { ...KEY, mayExist: true });
    expect(rig.double.textOf(last(rig))).toContain("Wir nutzen Qavylow.");
  });

  it("arrives though the message that it answers was deleted", async () => {
    const rig = await known();
    const place = rig.placeOf(CHAT, { message: "1500000000000" });
    await rig.platform.reply(place, ANSWER, KEY);
    expect(last(rig)).toMatchObject({ answers: undefined });
  });
});

describe("a file in a personal chat", () => {
  async function asked(rig: Awaited<ReturnType<typeof known>>): Promise<Posted> {
    await rig.platform.reply(rig.placeOf(PERSONAL), { kind: "file", file: SRT }, { key: "1f3a9c:memo.srt" });
    return last(rig);
  }
  const press = async () => ({ kind: "file", file: { ...SRT, name: "other.srt" } }) as const;

  it("is asked about, made when it is wanted, uploaded and shown; the question goes", async () => {
    const rig = await known({ listener: { press } });
    const question = await asked(rig);
    expect(await rig.notes.list("consent:")).toMatchObject([{ value: { job: "1f3a9c", action: "srt" } }]);
    expect(JSON.stringify(await rig.notes.list("consent:"))).not.toContain("Grüße");
    await rig.double.consent(question, "accept");
    expect(rig.double.filesOf(last(rig))).toEqual({ "memo.srt": SRT.content });
    expect(question.isDeleted).toBe(true);
    expect(await rig.notes.list("consent:")).toEqual([]);
    // Once more, as when the first answer did not reach Teams.
    await rig.double.consent(question, "accept");
    expect(rig.double.textOf(last(rig))).toContain("not kept any more");
  });

  it("is uploaded once where the answer comes twice at the same time", async () => {
    const rig = await known({ listener: { press } });
    const question = await asked(rig);
    const upload = {
      uploadUrl: `${rig.double.base}/files/one`,
      contentUrl: `${rig.double.base}/sites/one`,
      uniqueId: "one",
    };
    const value = { context: attachmentsOf(question.activity)[0]?.content?.["acceptContext"], action: "accept" };
    const accept = () =>
      rig.double.consent(question, "accept", { ...value, uploadInfo: { ...upload, name: SRT.name } });
    await Promise.all([accept(), accept(), accept()]);
    expect(rig.double.own().filter((post) => Object.keys(rig.double.filesOf(post)).length > 0)).toHaveLength(1);
  });

  it("stays where it is when the person declines", async () => {
    const rig = await known({ listener: { press } });
    const question = await asked(rig);
    await rig.double.consent(question, "decline");
    expect(rig.double.textOf(last(rig))).toContain("the file stays here");
    expect(question.isDeleted).toBe(true);
    expect(rig.double.uploads.size).toBe(0);
  });

  it("is given after a restart too, and not once its transcript is deleted", async () => {
    const notes = memoryNotes();
    const rig = await known({ notes, listener: { press } });
    const question = await asked(rig);
    rig.stop.abort();
    let isDeleted = true;
    const gone = { kind: "words", text: "This transcript was deleted." } as const;
    const later = await startTeamsRig({
      notes,
      hosts: rig.double.hosts,
      listener: { press: async () => (isDeleted ? gone : press()) },
    });
    rig.double.useEndpoint(`${later.url}/api/messages`);
    await rig.double.consent(question, "accept");
    expect(rig.double.textOf(last(rig))).toBe("This transcript was deleted.");
    isDeleted = false;
    await later.platform.reply(rig.placeOf(PERSONAL), { kind: "file", file: SRT }, { key: "1f3a9c:again" });
    await rig.double.consent(last(rig), "accept");
    expect(rig.double.filesOf(last(rig))).toEqual({ "memo.srt": SRT.content });
  });

  it("can be agreed to again when OneDrive did not take it, and goes to the organization's hosts alone", async () => {
    const rig = await known({ listener: { press } });
    const question = await asked(rig);
    const evil = {
      uploadUrl: "https://evil.example/x",
      contentUrl: "https://evil.example/x",
      uniqueId: "x",
      name: "memo.srt",
    };
    await rig.double.consent(question, "accept", { uploadInfo: evil });
    expect(rig.double.textOf(last(rig))).toContain("did not take the file");
    await rig.double.consent(question, "accept", { uploadInfo: { ...evil, uploadUrl: "http://127.0.0.1:9/x" } });
    expect(question.isDeleted).toBe(false);
    await rig.double.consent(question, "accept");
    expect(rig.double.filesOf(last(rig))).toEqual({ "memo.srt": SRT.content });
  });

  it("that belongs to no transcript is kept until it is wanted", async () => {
    const rig = await known();
    const file = { name: "glossary.txt", mimeType: "text/plain", content: "Qavylow\n" };
    await rig.platform.reply(
      rig.placeOf(PERSONAL),
      { kind: "words", text: "1 term.", files: [file] },
      { key: "asked:1" },
    );
    await rig.double.consent(last(rig), "accept");
    expect(rig.double.filesOf(last(rig))).toEqual({ "glossary.txt": "Qavylow\n" });
    expect(rig.told.presses).toEqual([]);
  });
});

describe("a file in a conversation", () => {
  it.each([CHANNEL, CHAT])("lies in its files, with a link to it: %s", async (channel) => {
    const rig = await known();
    await rig.platform.reply(rig.placeOf(channel), { kind: "file", file: SRT }, { key: "1f3a9c:memo.srt" });
    expect(rig.double.filesOf(last(rig))).toEqual({ "memo.srt": SRT.content });
    const drive = channel === CHANNEL ? `b!${GROUP}` : rig.double.graph.driveOf(PERSON);
    expect(rig.double.graph.itemsIn(drive)).toHaveLength(1);
  });

  it("comes as text where Earshot may not put files, and where a guest has no OneDrive", async () => {
    const rig = await known();
    const guest = rig.placeOf(CHAT, { user: "29:guest" });
    await rig.platform.reply(guest, { kind: "file", file: SRT }, { key: "1f3a9c:a.srt" });
    expect(rig.double.textOf(last(rig))).toContain("Grüße");
    rig.double.graph.granted.clear();
    await rig.platform.reply(rig.placeOf(CHANNEL), { kind: "file", file: SRT }, { key: "1f3a9c:b.srt" });
    expect(rig.double.textOf(last(rig))).toMatch(/^memo\.srt, as text: .*docs\/teams\.md/);
    expect(rig.observed.filter(({ kind }) => kind === "unexpected")).toHaveLength(2);
  });

  it("is tried again later where Graph is away", async () => {
    const rig = await known();
    rig.double.graph.throttle(/filesFolder|\/drives?\//, 100, "20");
    const sending = rig.platform.reply(rig.placeOf(CHANNEL), { kind: "file", file: SRT }, { key: "1f3a9c:memo.srt" });
    await expect(sending).rejects.toMatchObject({ code: "rate_limited" });
  });
});

describe("what goes wrong on the way", () => {
  const refusal = (status: number, code: string, headers = {}) => ({ status, headers, body: { error: { code } } });

  it.each([
    [401, "Unauthorized", "unauthorized"],
    [403, "BotNotInConversationRoster", "forbidden"],
    [404, "ConversationNotFound", "forbidden"],
    [404, "ActivityNotFoundInConversation", "gone"],
    [413, "MessageSizeTooBig", "rejected"],
    [429, "", "rate_limited"],
    [500, "ServiceError", "unavailable"],
    [502, "BadGateway", "unavailable"],
    [504, "GatewayTimeout", "unavailable"],
  ] as const)("%s %s is %s, with Teams' own word and no secret", async (status, word, code) => {
    const rig = await known();
    rig.double.fail(/POST/, refusal(status, word, { "retry-after": "60" }), 10);
    const { message: _message, ...place } = rig.placeOf(CHAT);
    const error: unknown = await rig.platform.reply(place, ANSWER, KEY).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "PlatformError", code, ...(status === 429 ? { retryAfterMs: 60_000 } : {}) });
    expect(String(error)).toContain(String(status));
    expect(JSON.stringify(error) + String(error)).not.toMatch(/Bearer|secret/);
    // Nothing that may have been done is done again at once.
    expect(postsIn(rig)).toHaveLength(1);
  });

  it("a short 429 and a conflict are waited for", async () => {
    const rig = await known();
    rig.double.fail(/POST/, refusal(429, "TooManyRequests", { "retry-after": "0" }), 2);
    rig.double.fail(/POST/, refusal(412, "PreconditionFailed"), 1);
    await rig.platform.reply(rig.placeOf(CHAT), ANSWER, KEY);
    expect(postsIn(rig).map(({ status }) => status)).toEqual([429, 429, 412, 201]);
    expect(rig.double.own()).toHaveLength(1);
  });

  it.each([
    ["a channel", CHANNEL],
    ["a chat", CHAT],
  ])("a message whose answer was lost is found again through Graph, in %s", async (_, channel) => {
    const rig = await known();
    const place = rig.placeOf(channel);
    rig.double.fail(/POST/, "lose");
    await expect(rig.platform.reply(place, STATUS, KEY)).rejects.toMatchObject({ code: "unavailable" });
    const id = await rig.platform.reply(place, ANSWER, { ...KEY, mayExist: true });
    expect(rig.double.own()).toHaveLength(1);
    expect(last(rig)).toMatchObject({ edits: 1 });
    expect(id).toBe(`${last(rig).conversation}|${last(rig).id}`);
    // The same for a file.
    rig.double.fail(/POST/, "lose");
    const file: Reply = { kind: "file", file: SRT };
    await expect(rig.platform.reply(place, file, { key: "1f3a9c:memo.srt" })).rejects.toThrow();
    await rig.platform.reply(place, file, { key: "1f3a9c:memo.srt", mayExist: true });
    expect(rig.double.own()).toHaveLength(2);
  });

  it("one that never arrived is posted again, and in a personal chat, which nobody can read, always", async () => {
    const rig = await known();
    for (const [channel, fault, posts] of [
      [CHANNEL, "drop", 1],
      [PERSONAL, "drop", 1],
      [PERSONAL, "lose", 2],
    ] as const) {
      for (const post of rig.double.own()) post.isDeleted = true;
      const key = `${channel}:${fault}`;
      rig.double.fail(/POST/, fault);
      await expect(rig.platform.reply(rig.placeOf(channel), STATUS, { key })).rejects.toThrow();
      await rig.platform.reply(rig.placeOf(channel), ANSWER, { key, mayExist: true });
      expect(rig.double.own(), key).toHaveLength(posts);
    }
  });

  it("the app's token goes to the Bot Connector alone, whatever stands in the notes", async () => {
    const rig = await known();
    const note = { serviceUrl: "https://evil.example/", sort: "chat", bot: "28:x" };
    await rig.notes.put("conversation:19:other@thread.v2", note);
    rig.double.roster.add("19:other@thread.v2");
    // The note is as good as none: the address is the cloud's own.
    await rig.platform.reply(at("19:other@thread.v2"), ANSWER, KEY);
    expect(last(rig).conversation).toBe("19:other@thread.v2");
    expect(rig.double.calls.at(-1)?.authorization).toMatch(/^Bearer /);
  });

  it("a wrong secret is said at the start, with what to correct", async () => {
    const { double, listener } = await startTeamsRig({ listens: false });
    const wrong = createTeams({
      app: { ...double.app, password: "wrong" },
      hosts: double.hosts,
      meetings: { kind: "off" },
      notes: memoryNotes(),
      maxBytes: 1,
      now: Date.now,
    });
    const listening = wrong.platform.listen(listener, new AbortController().signal);
    await expect(listening).rejects.toMatchObject({ code: "unauthorized" });
    await expect(listening).rejects.toThrow("TEAMS_APP_PASSWORD");
  });

  it("answers go on where they were left, to the address that the conversation told", async () => {
    const notes = memoryNotes();
    const rig = await known({ notes });
    rig.stop.abort();
    const nowhere = { ...rig.double.hosts, serviceUrl: "http://127.0.0.1:9/" };
    const later = await startTeamsRig({ notes, hosts: nowhere });
    await later.platform.reply(rig.placeOf(CHANNEL), ANSWER, KEY);
    expect(last(rig).conversation).toContain(CHANNEL);
  });
});
