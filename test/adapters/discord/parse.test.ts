// Payloads as Discord sends them -> recordings, wishes and links.
import { readFileSync } from "node:fs";
import type { APIMessage } from "discord-api-types/v10";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeText, escapeWords, fitted, MOST_CHARACTERS } from "../../../src/adapters/discord/markdown.ts";
import { askedIn, isHiddenVoiceMessage, readMessageLink, recordingsOf } from "../../../src/adapters/discord/parse.ts";
import { siteOf } from "../../../src/adapters/discord/place.ts";
import { readButtonId } from "../../../src/adapters/discord/render.ts";
import { GRANTED } from "../../support/discord-world.ts";

function fixture(name: string): APIMessage {
  return JSON.parse(readFileSync(new URL(`../../fixtures/discord/${name}.json`, import.meta.url), "utf8"));
}
const site = siteOf({ id: "1100000000000000001", type: 0 }, "1100000000000000000", false);
const BOT = "1100000000000000099";
const said = (content: string, more: Partial<APIMessage> = {}): APIMessage => ({
  ...fixture("voice-message"),
  flags: 0 as never,
  attachments: [],
  content,
  ...more,
});

describe("a message", () => {
  it("with a voice message is one recording, told by ids", () => {
    expect(recordingsOf(fixture("voice-message"), site)).toEqual([
      {
        key: "discord:1100000000000000001:1100000000000000002:1100000000000000004",
        place: {
          platform: "discord",
          workspace: "1100000000000000000",
          channel: "1100000000000000001",
          isDirect: false,
          message: "1100000000000000002",
          user: "1100000000000000003",
          reach: "thread",
        },
        kind: "voice message",
        name: "voice-message.ogg",
        bytes: 12345,
        durationSeconds: 4.2600002,
        mimeType: "audio/ogg",
        source: { channel: "1100000000000000001", message: "1100000000000000002", attachment: "1100000000000000004" },
      },
    ]);
  });

  it("that forwards one has it in its snapshot", () => {
    expect(recordingsOf(fixture("forward"), site)).toMatchObject([
      {
        kind: "voice message",
        place: { message: "1100000000000000012" },
        source: { attachment: "1100000000000000022" },
      },
    ]);
  });

  it("whose file Discord keeps back is known by its flag", () => {
    expect(isHiddenVoiceMessage({ ...fixture("voice-message"), attachments: [] })).toBe(true);
    expect(isHiddenVoiceMessage(fixture("voice-message"))).toBe(false);
    expect(isHiddenVoiceMessage(said("hello"))).toBe(false);
  });

  it.each([
    [`<@${BOT}> in german`, false, { command: "transcribe", text: "in german" }],
    [`<@!${BOT}> /jargon add a, b`, false, { command: "jargon", text: "add a, b" }],
    [`<@${BOT}> jargon import\nKubernetes\netcd`, false, { command: "jargon", text: "import\nKubernetes\netcd" }],
    [`<@${BOT}>`, false, { command: "transcribe", text: "" }],
    [`<@${BOT}> help`, false, { command: "earshot", text: "help" }],
    ["hello", false, undefined],
    ["hello", true, { command: "earshot", text: "help" }],
    [
      "https://discord.com/channels/@me/1/2",
      true,
      { command: "transcribe", text: "https://discord.com/channels/@me/1/2" },
    ],
    ["earshot stats", true, { command: "earshot", text: "stats" }],
  ])("%j asks for %3$j", (content, isDirect, asked) => {
    expect(askedIn(said(content), BOT, isDirect)).toEqual(asked);
  });

  it("of another bot asks for nothing", () => {
    const author = { ...said("").author, bot: true };
    expect(askedIn(said(`<@${BOT}> help`, { author }), BOT, false)).toBeUndefined();
  });
});

it.each([
  ["https://discord.com/channels/1/2/3", { guild: "1", channel: "2", message: "3" }],
  ["<https://ptb.discord.com/channels/@me/2/3>", { guild: "@me", channel: "2", message: "3" }],
  ["https://discord.com.example.com/channels/1/2/3", undefined],
  ["https://discord.com/channels/1/2", undefined],
])("the link %j leads to %j", (link, target) => {
  expect(readMessageLink(link)).toEqual(target);
});

it.each([
  ["earshot:srt:1f3a9c", { action: "srt", jobId: "1f3a9c" }],
  ["earshot:unknown:1f3a9c", undefined],
  ["other:srt:1f3a9c", undefined],
])("the button %j means %j", (id, meant) => {
  expect(readButtonId(id)).toEqual(meant);
});

describe("text", () => {
  it("stays what was said once Discord takes the backslashes away", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(escapeText(text).replace(/\\([\\*_~`|<>[\]#+.)-])/g, "$1")).toBe(text);
      }),
    );
  });

  it("keeps the backticks of Earshot's own words", () => {
    expect(escapeWords("Type `/jargon add a_b` for a_b")).toBe("Type `/jargon add a_b` for a\\_b");
  });

  it("fits into a message, whatever is in it", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 4000, size: "max" }), (text) => {
        const { shown, isCut } = fitted(text, MOST_CHARACTERS, escapeText);
        expect(shown.length).toBeLessThanOrEqual(MOST_CHARACTERS);
        expect(isCut).toBe(escapeText(text).length > MOST_CHARACTERS);
      }),
      { numRuns: 50 },
    );
  });
});

it("is invited with exactly the permissions that it needs", () => {
  const page = readFileSync(new URL("../../../docs/discord.md", import.meta.url), "utf8");
  expect(page).toContain(`permissions=${GRANTED}\n`);
  const values = [...page.matchAll(/^\| [A-Z][\w ]+ \| (\d+) \|/gm)].map(([, value]) => BigInt(value!));
  expect(values.reduce((sum, value) => sum + value, 0n)).toBe(GRANTED);
});
