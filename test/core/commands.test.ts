// What the three commands do and answer, with the real stores on a real file.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exportGlossary, importGlossary } from "../../src/core/commands/glossary-text.ts";
import { helpFor } from "../../src/core/commands/help.ts";
import { createCommands } from "../../src/core/commands.ts";
import type { JobRequest } from "../../src/core/job.ts";
import {
  type Actor,
  COMMAND_NAMES,
  type CommandName,
  type Invocation,
  type StoredTranscript,
} from "../../src/core/ports.ts";
import type { Place, Recording } from "../../src/core/recording.ts";
import type { Reply } from "../../src/core/reply.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { createGlossaryStore } from "../../src/storage/glossary.ts";
import { createQueue } from "../../src/storage/queue.ts";
import { createSettingsStore } from "../../src/storage/settings.ts";
import { createTranscriptStore } from "../../src/storage/transcripts.ts";
import { place, segmentOf, storedOf } from "../support/stored-transcript.ts";

const NOW = Date.UTC(2026, 10, 5);
const ann: Actor = { user: "ann", isAdmin: false, roles: [] };
const admin: Actor = { user: "root", isAdmin: true, roles: [] };
const voiceNote: Recording = { key: "k9", place, kind: "voice message", name: "voice-note.ogg", source: {} };

const standup = storedOf([segmentOf({ text: " Ask kah vee low on friday.", start: 75, end: 80 })]);

function bench() {
  const folder = mkdtempSync(join(tmpdir(), "earshot-commands-"));
  const database = openDatabase(join(folder, "earshot.db"), { now: () => NOW });
  const parts = {
    queue: createQueue(database),
    settings: createSettingsStore(database),
    glossary: createGlossaryStore(database),
    transcripts: createTranscriptStore(database),
  };
  let keys = 0;
  const asked: { recording: Recording; request: JobRequest; place: Place }[] = [];
  const run = createCommands({
    ...parts,
    intake: {
      ask: async (recording, request, by, to) => {
        asked.push({ recording, request, place: to });
        const { kind, job } = await parts.queue.add({ ...recording, place: { ...to, user: by.user } }, request);
        return { kind, jobId: job.id };
      },
    },
    // A token a word is near enough to see what is refused.
    tokens: () => ({ budget: 20, count: async (text) => text.split(/\s+/).filter(Boolean).length }),
    models: ["demo", "base", "small"],
    limits: { bytes: 1e9, durationSeconds: 3600 },
    cloudPricePerMinute: 0.006,
    now: () => NOW,
  });
  return {
    ...parts,
    asked,
    /** Transcribes the recording, as far as the stores see it, and gives the job. */
    async keep(fields: Partial<StoredTranscript> = {}): Promise<string> {
      const { job } = await parts.queue.add({ ...standup.recording, key: `k${keys++}` }, {});
      const claimed = await parts.queue.claim("w1", 60_000, "any");
      if (claimed?.id !== job.id) throw new Error("another job was claimed");
      await parts.transcripts.save({ ...standup, jobId: job.id, recording: job.recording, ...fields });
      await parts.queue.settle(claimed, { kind: "done" });
      return job.id;
    },
    async say(line: string, more: Partial<Invocation> = {}): Promise<string> {
      return textOf(await this.reply(line, more));
    },
    reply(line: string, more: Partial<Invocation> = {}): Promise<Reply> {
      const [, command = "", text = ""] = /^\/(\w+) ?([\s\S]*)$/.exec(line) ?? [];
      return run({ command: command as CommandName, text, place, actor: ann, recordings: [], ...more });
    },
    close() {
      database.close();
      rmSync(folder, { recursive: true });
    },
  };
}

function textOf(reply: Reply): string {
  return "text" in reply ? reply.text : "";
}

let at: ReturnType<typeof bench>;
beforeEach(() => {
  at = bench();
});
afterEach(() => at.close());

describe("help", () => {
  it.each(COMMAND_NAMES)("of /%s fits on a phone", (name) => {
    for (const line of helpFor(name).split("\n")) expect(line.replaceAll("`", "").length).toBeLessThanOrEqual(42);
  });

  it.each(["help", "?", "--help"])("is what %s gives", async (word) => {
    expect(await at.say(`/jargon ${word}`)).toBe(helpFor("jargon"));
  });

  it("follows a command that is not there, with what may have been meant", async () => {
    expect(await at.say("/jargon lsit")).toContain("Did you mean list?");
    expect(await at.say("/earshot serach x")).toContain("Did you mean search?");
    expect(await at.say("/earshot")).toBe(helpFor("earshot"));
  });
});

describe("/transcribe", () => {
  it("takes what comes with it, else the newest of the channel, else says what to do", async () => {
    expect(await at.say("/transcribe")).toMatch(/no recording here yet/);
    await at.queue.saw(voiceNote);
    expect(await at.say("/transcribe german")).toContain("voice-note.ogg");
    await at.say("/transcribe", { recordings: [{ ...voiceNote, key: "k10", name: "own.m4a" }] });
    expect(at.asked.map(({ recording, request }) => [recording.name, request])).toEqual([
      ["voice-note.ogg", { language: "de" }],
      ["own.m4a", {}],
    ]);
  });

  it("follows a link, and says so when nothing is there", async () => {
    const resolveLink = async (link: string) =>
      link.endsWith("/1") ? [voiceNote] : link.endsWith("/2") ? [] : undefined;
    expect(await at.say("/transcribe https://x.test/1", { resolveLink })).toContain("voice-note.ogg");
    expect(await at.say("/transcribe https://x.test/2", { resolveLink })).toMatch(/no recording in that message/);
    expect(await at.say("/transcribe https://x.test/3", { resolveLink })).toMatch(/no recording in that message/);
    expect(await at.say("/transcribe https://x.test/1")).toMatch(/no recording in that message/);
  });

  it("runs an earlier recording again by its job, but not another channel's", async () => {
    const { job } = await at.queue.add(voiceNote, {});
    await at.say(`/transcribe ${job.id} small`);
    expect(at.asked[0]?.request).toEqual({ model: "small" });
    const elsewhere = { place: { ...place, channel: "C2" } };
    expect(await at.say(`/transcribe ${job.id} small`, elsewhere)).toMatch(/no recording .* in this channel/);
    expect(at.asked).toHaveLength(1);
  });

  it("answers a wrong word with one sentence and an example", async () => {
    expect(await at.say("/transcribe germn")).toBe(
      'I do not know "germn". Did you mean German (de)? For example: `/transcribe latest german srt`',
    );
  });
});

describe("/jargon", () => {
  it("adds terms with how they sound, keeps the forms it knew, and lists them", async () => {
    expect(await at.say('/jargon add Qavylow = kah vee low, "Foo, Inc.", C++ = see plus plus')).toMatch(
      /^Added: Qavylow, Foo, Inc\., C\+\+\. 5 of 20 tokens/,
    );
    await at.say("/jargon add QAVYLOW = cavi low");
    expect((await at.glossary.of(place)).terms.map(({ text, soundsLike }) => [text, soundsLike])).toEqual([
      ["QAVYLOW", ["kah vee low", "cavi low"]],
      ["Foo, Inc.", []],
      ["C++", ["see plus plus"]],
    ]);
    expect(await at.say("/jargon")).toContain("- QAVYLOW = kah vee low = cavi low");
  });

  it("refuses what does not fit, with the numbers, and changes nothing", async () => {
    const names = Array.from({ length: 25 }, (_, index) => `Name${index}`).join(", ");
    expect(await at.say(`/jargon add ${names}`)).toMatch(/26 tokens, and there is room for 20/);
    expect((await at.glossary.of(place)).terms).toEqual([]);
    expect(await at.say(`/jargon import ${names}\na -> b`)).toMatch(/26 tokens/);
    expect((await at.glossary.of(place)).pairs).toEqual([]);
    expect(await at.say(`/jargon prompt ${"word ".repeat(21)}`)).toMatch(/21 tokens/);
  });

  it("removes what is there, and says where it is or what may have been meant when it is not", async () => {
    await at.say("/jargon add Zentrix, Qavylow");
    await at.say("/jargon add Shared --workspace");
    expect(await at.say("/jargon remove zentrix")).toMatch(/^Removed: Zentrix\./);
    expect(await at.say("/jargon remove Qavilow")).toContain("Did you mean Qavylow?");
    expect(await at.say("/jargon remove Nothing")).toContain("is not in the list");
    expect(await at.say("/jargon remove Shared")).toContain("`/jargon remove Shared --workspace`");
    expect(await at.say("/jargon remove Shared —workspace")).toMatch(/^Removed for all channels: Shared/);
    expect(await at.say("/jargon remove")).toContain("For example: `/jargon remove Zentrix`");
  });

  it("shows, sets and empties the prompt, and never empties it by showing", async () => {
    expect(await at.say("/jargon prompt")).toMatch(/no prompt yet/);
    await at.say("/jargon prompt Notes of\n a  stand-up.");
    expect(await at.say("/jargon prompt")).toContain("Prompt: Notes of a stand-up.");
    expect(await at.say("/jargon prompt clear")).toMatch(/^The prompt is empty/);
    expect((await at.glossary.of(place)).prompt).toBe("");
  });

  it("keeps pairs", async () => {
    expect(await at.say("/jargon pairs")).toMatch(/no pairs yet/);
    expect(await at.say("/jargon pairs add cube control = kubectl, a -> b")).toContain("cube control → kubectl, a → b");
    expect(await at.say("/jargon pairs c → d")).toContain("c → d");
    expect(await at.say("/jargon pairs remove a")).toBe("Not replaced any more: a.");
    expect(await at.say("/jargon pairs remove cube contrl")).toContain("Did you mean cube control?");
    for (const wrong of ["a", "= b", "a =", "a = b = c"]) {
      expect(await at.say(`/jargon pairs add ${wrong}`)).toMatch(/is no pair\. For example: /);
    }
  });

  it.each(["!!!", "= kah", "x".repeat(101)])("does not take %j for a term", async (term) => {
    expect(await at.say(`/jargon add ${term}`)).toMatch(/is no term\. For example|is too long: at most 100/);
  });

  it("exports what it imports", async () => {
    await at.say(
      '/jargon import - Qavylow = kah vee low\n"C, or = C" = sea\n# a comment\ncube control -> kubectl\nprompt: A stand-up.',
    );
    const first = await at.reply("/jargon export");
    const file = first.kind === "words" ? first.files?.[0] : undefined;
    expect(textOf(first)).toMatch(/2 terms and 1 pair,/);
    const other = { place: { ...place, channel: "C2" } };
    await at.say(`/jargon import ${file?.content}`, other);
    expect(await at.reply("/jargon export", other)).toEqual(first);
  });

  it("says what to import when there is nothing", async () => {
    expect(await at.say("/jargon import # only a comment")).toMatch(/^Nothing to import/);
  });

  it("tries the newest recording again as it was, to be compared", async () => {
    expect(await at.say("/jargon try")).toMatch(/no recording here yet/);
    const jobId = await at.keep({ plan: { ...standup.plan, language: "de" } });
    expect(await at.say("/jargon try")).toContain("standup.m4a");
    expect(at.asked[0]?.request).toEqual({ compareWith: jobId, model: "auto", translate: false, language: "de" });
  });

  it("is for those who may", async () => {
    await at.settings.change(place, "workspace", { editors: ["R1"] }, "root");
    for (const line of ["add X1", "remove X1", "prompt x", "pairs a = b", "import X1"]) {
      await at.glossary.change(place, "channel", { kind: "add", terms: [{ text: "X1", soundsLike: [] }] }, "root");
      expect(await at.say(`/jargon ${line}`)).toMatch(/^Only an administrator/);
    }
    expect(await at.say("/jargon add X2", { actor: { ...ann, roles: ["R1"] } })).toMatch(/^Added/);
    expect(await at.say("/jargon add X3", { actor: admin })).toMatch(/^Added/);
  });

  it("of an open channel does not open the workspace's", async () => {
    await at.settings.change(place, "workspace", { editors: "admins" }, "root");
    await at.settings.change(place, "channel", { editors: "everyone" }, "root");
    expect(await at.say("/jargon add Own")).toMatch(/^Added/);
    expect(await at.say("/jargon add Shared --workspace")).toMatch(/^Only an administrator/);
    expect(await at.say("/earshot settings editors everyone --workspace")).toMatch(/^Only an administrator/);
  });
});

describe("a glossary's text", () => {
  it("comes back from its export, whatever is in it", () => {
    const spelling = fc
      .string({
        unit: fc.constantFrom("a", "B", "ß", " ", '"', "\\", ",", "=", "-", ">", "→", "#", "|", "“", "*", "+"),
      })
      .map((text) =>
        `x${text}y`
          .slice(Math.floor(text.length / 2) % 2)
          .replace(/\s+/g, " ")
          .trim(),
      );
    const entry = fc.record({ text: spelling, soundsLike: fc.array(spelling, { maxLength: 2 }) });
    const pair = fc.record({ wrong: spelling, right: spelling });
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 4 }),
        fc.array(pair, { maxLength: 4 }),
        spelling,
        (terms, pairs, prompt) => {
          const text = exportGlossary({
            terms: terms.map((term) => ({ ...term, level: "channel", uses: 0 })),
            pairs: pairs.map((one) => ({ ...one, level: "channel" })),
            prompt,
          });
          expect(importGlossary(text)).toEqual({ terms, pairs, prompt });
        },
      ),
    );
  });
});

describe("/earshot settings", () => {
  it.each<[string, object]>([
    ["auto all", { auto: "all" }],
    ["language German", { languages: ["de"] }],
    ["language english, german english", { languages: ["en", "de"] }],
    ["language auto", { languages: [] }],
    ["model small", { model: "small" }],
    ["translate on", { translate: true }],
    ["timestamps = yes", { timestamps: true }],
    ["reply only me", { reply: "only_me" }],
    ["formats srt vtt", { formats: ["srt", "vtt"] }],
    ["formats none", { formats: [] }],
    ["retention 30", { retentionDays: 30 }],
    ["editors Admins", { editors: "admins" }],
    ["editors <@&123> 456", { editors: ["123", "456"] }],
    ["verbatim on", { verbatim: true }],
    ["mixed on", { mixed: true }],
    ["tracks off", { tracks: "off" }],
    ["chapters yes", { chapters: true }],
  ])("%s", async (words, own) => {
    await at.say(`/earshot settings ${words}`);
    expect(await at.settings.channel(place)).toEqual(own);
  });

  it("can be shown, one or all, and taken back", async () => {
    expect(await at.say("/earshot settings")).toContain("- auto: voice");
    expect(await at.say("/earshot settings model")).toBe(
      "model: auto. It takes auto, or a name such as base or large-v3-turbo, or default.",
    );
    await at.say("/earshot settings model small");
    await at.say("/earshot settings model default");
    expect(await at.settings.channel(place)).toEqual({});
    expect(await at.say("/earshot settings model base --workspace")).toContain("for all channels");
    expect(await at.settings.workspace(place)).toEqual({ model: "base" });
  });

  it.each([
    ["langage german", /no setting "langage"\. Did you mean language\?/],
    ["language germn", /cannot be "germn"\. Did you mean German \(de\)\? It takes/],
    ["model smal", /Did you mean small\?/],
    ["auto al", /cannot be "al"/],
    ["formats srt,vttt", /Did you mean vtt\?/],
    ["translate maybe", /It takes on or off/],
    ["retention -1", /a number of days, or forever/],
    ["reply only", /cannot be "only"/],
  ])("%s is answered with what to do", async (words, message) => {
    expect(await at.say(`/earshot settings ${words}`)).toMatch(message);
    expect(await at.settings.channel(place)).toEqual({});
  });

  it("are for those who may", async () => {
    await at.say("/earshot settings editors admins", { actor: admin });
    expect(await at.say("/earshot settings auto off")).toMatch(/^Only an administrator/);
  });
});

describe("/earshot", () => {
  it("stats says hours, wait and what a cloud would have cost", async () => {
    expect(await at.say("/earshot stats")).toBe("Nothing has been transcribed here yet.");
    await at.keep({ duration: 7200 });
    const text = await at.say("/earshot stats");
    expect(text).toContain("2.0 h in 1 recording,");
    expect(text).toContain("2 s in the median");
    expect(text).toContain("$0.72");
  });

  it("search finds words with their times, in this channel only", async () => {
    await at.keep();
    expect(await at.say("/earshot search friday")).toBe(
      "- standup.m4a, 2026-11-03, at 1:15: Ask kah vee low on [friday].",
    );
    expect(await at.say("/earshot search monday")).toMatch(/^Nothing in this channel/);
    expect(await at.say("/earshot search friday", { place: { ...place, channel: "C2" } })).toMatch(/^Nothing/);
    expect(await at.say("/earshot search ...")).toMatch(/^Which words\?/);
  });

  it("forget takes one's own, or all with a word of confirmation, but nothing of another channel", async () => {
    await at.settings.change(place, "workspace", { editors: "admins" }, "root");
    let jobId = await at.keep();
    expect(await at.say("/earshot forget")).toMatch(/^Which one\?/);
    expect(await at.say(`/earshot forget ${jobId}`, { place: { ...place, channel: "C2" }, actor: admin })).toMatch(
      /no transcript/,
    );
    expect(await at.say(`/earshot forget ${jobId}`, { actor: { ...ann, user: "bob" } })).toMatch(
      /^Only the one who sent it/,
    );
    expect(await at.say(`/earshot forget ${jobId}`)).toMatch(/deleted for good/);
    expect(await at.transcripts.get(jobId)).toBeUndefined();

    jobId = await at.keep();
    expect(await at.say("/earshot forget all yes")).toMatch(/^Only the one who sent it/);
    expect(await at.say("/earshot forget all", { actor: admin })).toContain("`/earshot forget all yes`");
    expect(await at.transcripts.get(jobId)).toBeDefined();
    expect(await at.say("/earshot forget all yes", { actor: admin })).toBe("1 transcript is deleted for good.");
    expect(await at.transcripts.get(jobId)).toBeUndefined();
  });
});
