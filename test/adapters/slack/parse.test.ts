// Slack's payloads, as it sends them -> recordings, wishes and links.
import { readFileSync } from "node:fs";
import type { AllMessageEvents } from "@slack/types";
import { describe, expect, it } from "vitest";
import {
  askedIn,
  filesOf,
  isUnknown,
  placeOf,
  plainText,
  readMessageLink,
  recordingOf,
  type SlackFile,
  type SlackMessage,
  shareIn,
} from "../../../src/adapters/slack/parse.ts";

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../fixtures/slack/${name}.json`, import.meta.url), "utf8")) as AllMessageEvents &
    SlackMessage;
const site = (channel: string, isDirect = false) =>
  ({ platform: "slack", workspace: "T0", channel, isDirect }) as const;
const place = placeOf({ ts: "1.1", user: "U1" }, site("C1"));

describe("a message of Slack's", () => {
  it("holds a voice message, whatever type Slack gives it", () => {
    const message = fixture("voice-message");
    const [file] = filesOf(message);
    expect(recordingOf(file!, placeOf(message, site("C0STANDUP")))).toEqual({
      key: "slack:T0:C0STANDUP:1764050000.000100:F0VOICE",
      place: { ...site("C0STANDUP"), message: "1764050000.000100", user: "U0MIRA", reach: "thread" },
      kind: "voice message",
      name: "audio_message.m4a",
      bytes: 48211,
      durationSeconds: 7.34,
      mimeType: "video/mp4",
      source: { file: "F0VOICE", channel: "C0STANDUP", message: "1764050000.000100" },
    });
  });

  it("holds what was forwarded with it, under the message that forwards it", () => {
    const message = fixture("forwarded-clip");
    const [file] = filesOf(message);
    expect(recordingOf(file!, placeOf(message, site("D0DIRECT", true)))).toMatchObject({
      kind: "voice message",
      name: "Clip from Jon.mp4",
      durationSeconds: 31,
      place: { message: "1764050100.000200", isDirect: true },
    });
  });

  it("tells of another workspace's file by its id alone", () => {
    const [file] = filesOf(fixture("connect-file"));
    expect(file).toMatchObject({ id: "F0CONNECT" });
    expect(isUnknown(file!)).toBe(true);
  });

  it("names the same file once, and none that is gone", () => {
    const file = { id: "F1", name: "a.ogg" };
    const gone = { id: "F2", mode: "tombstone" };
    expect(filesOf({ files: [file, gone], attachments: [{ files: [file] }] })).toEqual([file]);
  });

  it.each<[Partial<SlackFile>, string | undefined]>([
    [{ name: "standup.ogg", mimetype: "application/octet-stream" }, "audio"],
    [{ name: "standup.mkv", mimetype: "" }, "video"],
    [{ name: "notes.pdf", mimetype: "application/pdf" }, undefined],
    [{ name: "song.mp3", mimetype: "audio/mpeg" }, "audio"],
    [{ name: "meeting.bin", mimetype: "video/webm" }, "video"],
    [{ name: null, title: "Standup.m4a" }, "audio"],
    [{ name: "data.json", mimetype: "application/octet-stream" }, undefined],
    [{ name: "recording" }, undefined],
  ])("%j is %s", (file, kind) => {
    expect(recordingOf({ id: "F1", ...file }, place)?.kind).toBe(kind);
  });

  it("leaves to the decoder what somebody asked for and nobody named", () => {
    expect(recordingOf({ id: "F1", name: "recording" }, place, true)?.kind).toBe("audio");
    expect(recordingOf({ id: "F1", name: "notes.txt" }, place, true)).toBeUndefined();
  });

  it("is told where a file was shared last", () => {
    const shares = {
      public: { C1: [{ ts: "2.1" }, { ts: "1.1" }] },
      private: { G1: [{ ts: "3.1", thread_ts: "3.0" }] },
    };
    expect(shareIn({ id: "F1", shares }, "C1")).toEqual({ ts: "2.1" });
    expect(shareIn({ id: "F1", shares }, "G1")).toEqual({ ts: "3.1", thread_ts: "3.0" });
    expect(shareIn({ id: "F1", shares }, "C2")).toBeUndefined();
    expect(shareIn({ id: "F1" }, "C1")).toBeUndefined();
  });
});

describe("words for the bot", () => {
  it.each([
    ["<@UBOT> transcribe this, in German", true, { command: "transcribe", text: "this, in German" }],
    ["<@UBOT> in German please", true, { command: "transcribe", text: "in German please" }],
    ["<@UBOT|earshot> jargon add AT&amp;T, &lt;x&gt;", false, { command: "jargon", text: "add AT&T, <x>" }],
    ["hello!", false, { command: "earshot", text: "help" }],
    ["<@UBOT>", false, { command: "earshot", text: "help" }],
    ["<@UBOT>", true, { command: "transcribe", text: "" }],
    ["/earshot settings", false, { command: "earshot", text: "settings" }],
  ] as const)("%s", (text, hasRecording, asked) => {
    expect(askedIn(text, "UBOT", hasRecording)).toEqual(asked);
  });

  it("loses Slack's brackets and escapes", () => {
    expect(plainText("<https://a.example/b?c=1&amp;d|b> &amp;amp; <@U1>")).toBe(
      "https://a.example/b?c=1&d &amp; <@U1>",
    );
  });

  it("reads links to messages", () => {
    const base = "https://zentrix.slack.com/archives/C0STANDUP/p1764040000000300";
    expect(readMessageLink(base)).toEqual({ channel: "C0STANDUP", message: "1764040000.000300" });
    expect(readMessageLink(`${base}?thread_ts=1764030000.000100&cid=C0STANDUP`)).toEqual({
      channel: "C0STANDUP",
      message: "1764040000.000300",
      thread: "1764030000.000100",
    });
    expect(readMessageLink("https://example.com/archives/C0STANDUP/p1764040000000300")).toBeUndefined();
    expect(readMessageLink("https://zentrix.slack.com/archives/C0STANDUP")).toBeUndefined();
  });
});
