// One grammar for what is typed after /transcribe and for what people say to the bot.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readRequest, type Wish } from "../../src/core/commands/request.ts";
import { didYouMean, quoted, splitList, splitWords, unquoted } from "../../src/core/commands/words.ts";

const MODELS = ["demo", "tiny", "base.en", "small", "large-v3-turbo"];
const read = (text: string): Wish => readRequest(splitWords(text), MODELS);

describe("a request", () => {
  it.each<[string, Wish["request"]]>([
    ["", {}],
    ["latest", {}],
    ["german", { language: "de" }],
    ["de small srt vtt", { language: "de", model: "small", formats: ["srt", "vtt"] }],
    ["latest German, translate", { language: "de", translate: true }],
    ["srt,vtt;json", { formats: ["srt", "vtt", "json"] }],
    ["SRT srt", { formats: ["srt"] }],
    ["base.en", { model: "base.en" }],
    ["auto", { model: "auto" }],
    ["haitian creole", { language: "ht" }],
    ['"Haitian Creole" translate', { language: "ht", translate: true }],
    ["--language=de --model=tiny --translate", { language: "de", model: "tiny", translate: true }],
    ["lang:de format:srt", { language: "de", formats: ["srt"] }],
    ["subtitles please", { formats: ["srt"] }],
    ["this, in German please!", { language: "de" }],
    ["<@U123> can you transcribe this in french with large-v3-turbo?", { language: "fr", model: "large-v3-turbo" }],
    ["transcribe it", {}],
    ["it", { language: "it" }],
    ["can you transcribe it in it", { language: "it" }],
    ["is this my message", {}],
    ["in no", { language: "no" }],
    ["translate to English", { translate: true }],
    ["please translate it from German into English", { language: "de", translate: true }],
  ])("%j asks for %j", (text, request) => {
    expect(read(text).request).toEqual(request);
  });

  it.each([
    ["https://x.slack.com/archives/C1/p1 german", "https://x.slack.com/archives/C1/p1"],
    ["this one: <https://discord.com/channels/1/2/3>.", "https://discord.com/channels/1/2/3"],
    ["<https://x.test/a|message>", "https://x.test/a"],
  ])("%j leads to a message", (text, link) => {
    expect(read(text).link).toBe(link);
  });

  it("names an earlier recording by its job", () => {
    expect(read("1f3a9c german")).toEqual({ jobId: "1f3a9c", request: { language: "de" } });
  });

  it.each([
    ["germn", /I do not know "germn"\. Did you mean German \(de\)\? For example: /],
    ["deutsch", /Did you mean German \(de\)\?/],
    ["smal", /Did you mean small\?/],
    ["srtt", /Did you mean srt\?/],
    ["tranlsate", /Did you mean translate\?/],
    ["xylophone", /I do not know "xylophone"\. For example: /],
    ["german french", /German or French\? Name one/],
    ["tiny small", /tiny or small\? Name one model/],
    ["translate to german", /into English only/],
  ])("%j is answered with what to do", (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it("never fails in any other way, whatever is typed", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        try {
          read(text);
        } catch (error) {
          expect(error).toHaveProperty("name", "UserError");
        }
      }),
    );
  });
});

describe("words", () => {
  it.each([
    ["  a  b\tc\nd ", ["a", "b", "c", "d"]],
    ['say "two words" now', ["say", "two words", "now"]],
    ["say “two words” and «three of them»", ["say", "two words", "and", "three of them"]],
    ['never "closed here', ["never", '"closed', "here"]],
    ['a 5" screen and a 6" one', ["a", '5"', "screen", "and", "a", '6"', "one"]],
    ['"with \\"quotes\\" inside"', ['with "quotes" inside']],
    ["don't", ["don't"]],
    ['""', [""]],
  ])("of %j are %j", (text, words) => {
    expect(splitWords(text)).toEqual(words);
  });

  it("between commas keep their quotes until they are read", () => {
    expect(splitList('Qavylow = kah vee low, "Foo, Inc." = foo ink; n8n\nC++')).toEqual([
      "Qavylow = kah vee low",
      '"Foo, Inc." = foo ink',
      "n8n",
      "C++",
    ]);
  });

  it("come back from their quotes as they went in", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", " ", '"', "\\", ",", "=", "|", "“", "”") }), (raw) => {
        const text = raw.replace(/\s+/g, " ").trim();
        fc.pre(text !== "");
        const [item, ...more] = splitList(quoted(text));
        expect(more).toEqual([]);
        expect(unquoted(item ?? "")).toBe(text);
      }),
    );
  });

  it("are guessed by the nearest one", () => {
    expect(didYouMean("command", "lsit", ["last", "list"])).toBe('There is no command "lsit". Did you mean list?');
    expect(didYouMean("command", "xyz", ["list"])).toBe('There is no command "xyz".');
  });
});
