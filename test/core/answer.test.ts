// What an answer shows: short texts whole, of long ones the beginning, silence as silence, and what is wrong with it.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answerReply } from "../../src/core/render/answer.ts";
import { fileName, outputFile } from "../../src/core/render/files.ts";
import { DEFAULT_SETTINGS, FORMATS } from "../../src/core/settings.ts";
import { wordCount } from "../../src/core/word-count.ts";
import { segmentOf, storedOf } from "../support/stored-transcript.ts";

const hello = segmentOf({ text: " Hello there.", start: 0, end: 2 });
const again = segmentOf({ text: " And again.", start: 2.5, end: 3 });
const later = segmentOf({ text: " Much later.", start: 65, end: 66 });
const long = Array.from({ length: 200 }, (_, index) =>
  segmentOf({ text: ` Sentence number ${index} ends here.`, start: index, end: index + 1 }),
);

describe("an answer", () => {
  it("shows a short text whole, with paragraphs where people paused", () => {
    const answer = answerReply(storedOf([hello, again, later]), DEFAULT_SETTINGS);
    expect(answer).toMatchObject({
      head: "standup.m4a · 1:05 · English · 6 words",
      text: "Hello there. And again.\n\nMuch later.",
      isCut: false,
      fileNames: [],
    });
  });

  it("shows the times when they are wanted", () => {
    const answer = answerReply(storedOf([hello, later]), { ...DEFAULT_SETTINGS, timestamps: true });
    expect(answer.text).toBe("[0:00] Hello there.\n[1:05] Much later.");
  });

  it("shows the beginning of a long one, up to a sentence's end, and names the files that hold the rest", () => {
    const answer = answerReply(storedOf(long), DEFAULT_SETTINGS);
    expect(answer.isCut).toBe(true);
    expect(answer.text).toMatch(/ends here\. …$/);
    expect(answer.head).toContain("1,000 words");
    expect(answer.fileNames).toEqual(["standup.txt", "standup.srt"]);
    expect(answer.actions.map(({ name }) => name)).not.toContain("txt");
  });

  it("has a button for the text when it is cut and no file holds it", () => {
    const { actions } = answerReply(storedOf(long), { ...DEFAULT_SETTINGS, formats: [] });
    expect(actions[0]).toEqual({ name: "txt", label: "Text", jobId: "1f3a9c" });
  });

  it("never cuts a letter in two, nor down to a few words where nothing is spaced", () => {
    const unspaced = [segmentOf({ text: `Oh ${"😀".repeat(1000)}` })];
    const { text } = answerReply(storedOf(unspaced), DEFAULT_SETTINGS);
    expect(text.length).toBeGreaterThan(500);
    expect(Buffer.from(text).toString()).toBe(text);
  });

  it("puts no spaces into a language that has none", () => {
    const segments = [segmentOf({ text: "今日は。" }), segmentOf({ text: "いい天気です。", start: 1, end: 2 })];
    const answer = answerReply(storedOf(segments, { language: "ja" }), DEFAULT_SETTINGS);
    expect(answer.text).toBe("今日は。いい天気です。");
  });

  it.each([[[]], [[segmentOf({ text: "  " })]]])("says of silence that it is silence", (segments) => {
    const answer = answerReply(storedOf(segments), DEFAULT_SETTINGS, { wantsFiles: true });
    expect(answer).toMatchObject({ head: "No speech found in standup.m4a (1:05).", text: "", fileNames: [] });
    expect(answer.actions.map(({ name }) => name)).toEqual(["delete"]);
  });

  it("offers a translation of what is not English, and says what one is", () => {
    const german = storedOf([hello], { language: "de" });
    expect(answerReply(german, DEFAULT_SETTINGS).actions.map(({ name }) => name)).toContain("translate");
    const translated = storedOf([hello], { language: "de", plan: { ...german.plan, task: "translate" } });
    const answer = answerReply(translated, DEFAULT_SETTINGS);
    expect(answer.head).toContain("German, in English");
    expect(answer.actions.map(({ name }) => name)).not.toContain("translate");
  });

  it("shows what has changed since an earlier one, the rest counted", () => {
    const earlier = storedOf([segmentOf({ text: " Hello kah vee low." })]);
    const now = (text: string) => storedOf([segmentOf({ text })], { notes: ["It was the demo model."] });
    expect(answerReply(now(" Hello Qavylow."), DEFAULT_SETTINGS, { earlier }).notes).toEqual([
      "Changed: kah vee low → Qavylow",
      "It was the demo model.",
    ]);
    expect(answerReply(now(" Hello, kah vee low!"), DEFAULT_SETTINGS, { earlier }).notes[0]).toMatch(
      /^Nothing changed/,
    );
    const other = now(long.map(({ text }) => text).join(""));
    expect(answerReply(other, DEFAULT_SETTINGS, { earlier }).notes[0]?.length).toBeLessThan(1000);
  });
});

describe("words", () => {
  it.each([
    ["en", " don't stop, well-known C++ – ok", 5],
    ["en", " … ", 0],
    ["ja", "今日はいい天気です。", 5],
  ])("in %s of %j are %i", (language, text, words) => {
    expect(wordCount({ language, text })).toBe(words);
  });
});

describe("files", () => {
  it.each([
    ["Q3 call.m4a", "Q3 call.srt"],
    ["v1.2 notes", "v1.2 notes.srt"],
    ["../../etc/passwd", "_.._etc_passwd.srt"],
    ["a\u202Egpj.exe", "a_gpj.srt"],
    ["con.mp3", "_con.srt"],
    ["...", "transcript.srt"],
    ["", "transcript.srt"],
  ])("of %j are called %j", (name, expected) => {
    expect(fileName(name, "srt")).toBe(expected);
  });

  it("have names that are safe everywhere, whatever the recording's is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (name) => {
        const file = fileName(name, "txt");
        expect(file).toMatch(/^[^.\\/:*?"<>|\p{Cc}\p{Cf}][^\\/:*?"<>|\p{Cc}\p{Cf}]*\.txt$/u);
        expect(Buffer.from(file).toString()).toBe(file);
      }),
    );
  });

  it.each(FORMATS)("in %s hold the text", (format) => {
    const file = outputFile(storedOf([hello]), format);
    expect(file.name).toBe(`standup.${format}`);
    expect(file.content).toContain("Hello there.");
  });
});
