// What was said and how files are called is data: nobody is pinged, nothing is run, no name leads anywhere, whatever it is.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { draw as drawForDiscord } from "../../src/adapters/discord/render.ts";
import { draw as drawForSlack } from "../../src/adapters/slack/blocks.ts";
import { withPlainName } from "../../src/core/recording.ts";
import { answerReply } from "../../src/core/render/answer.ts";
import { fileName, outputFile } from "../../src/core/render/files.ts";
import type { Reply } from "../../src/core/reply.ts";
import { DEFAULT_SETTINGS, FORMATS } from "../../src/core/settings.ts";
import { hasBrowser, openBrowser } from "../support/browser.ts";
import { place, segmentOf, storedOf } from "../support/stored-transcript.ts";

/** Pieces that mean something to a chat, a page, a spreadsheet, a shell or a file system. */
const PIECES = [
  ...["@everyone", "@here", "<!channel>", "<!here|here>", "<@U1>", "<@&5>", "<#C1>", "</transcribe:1>", "<t:1:R>"],
  ...["<a:x:1>", "<https://evil.example|your bank>", "[your bank](https://evil.example)", "*b*", "_i_", "~s~", "||x||"],
  ...["`code`", "```\n", "> quote", "# title", "-# small", "- item", "1. item", "&lt;", "&amp;", "\\"],
  ...["<script>pwned=1</script>", "<img src=x onerror=pwned=1>", "</title>", "-->", "<!--", "javascript:pwned=1"],
  ...["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "＝1", "\t=1", "\r=1", "\n=1", "|calc", "'", '"'],
  ...["../", "..\\", "/etc/passwd", "C:\\", "con", "NUL.txt", "COM¹", "con ", "\0", "\u0007", "\u001b[2J"],
  ...["\u202e", "\u2066", "\u200f", "\u2028", "\ud800", "\u{1f600}", "é", "日本", ".", " ", "a", "%s", "$(id)", "~"],
] as const;
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: "binary", maxLength: 5 })), { maxLength: 12 })
  .map((parts) => parts.join(""));

function storedWith(text: string, name: string, notes: readonly string[] = []) {
  const recording = withPlainName({ key: "k1", place, kind: "audio", name, source: {} });
  return storedOf([segmentOf({ text: ` ${text}` })], { recording, notes });
}

describe("a file's name", () => {
  it("is one that every system takes, leads nowhere, hides nothing, and keeps its ending", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          hostile,
          hostile.map((name) => name.repeat(30)),
        ),
        fc.constantFrom(...FORMATS),
        (name, format) => {
          const made = fileName(name, format);
          expect(made).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\\/:*?"<>|]/u);
          expect(made).not.toMatch(/^[.\s-]|^(con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])\s*\./i);
          expect(made.endsWith(`.${format}`)).toBe(true);
          expect(made.length).toBeGreaterThan(format.length + 1);
          expect(Buffer.byteLength(made)).toBeLessThanOrEqual(240);
          expect(fileName(name, format)).toBe(made);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("of a recording is shown in one line that turns no words around", () => {
    fc.assert(
      fc.property(hostile, (name) => {
        const { name: shown } = withPlainName({ key: "k", place, kind: "audio", name, source: {} });
        expect(shown).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
        expect(shown).not.toBe("");
      }),
    );
  });
});

describe("the table", () => {
  it("has three cells in a row, and none that a spreadsheet runs", () => {
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 5 }), (texts) => {
        const stored = storedOf(texts.map((text, id) => segmentOf({ id, text: ` ${text}`, start: id, end: id + 1 })));
        const [head, ...rows] = outputFile(stored, "tsv")
          .content.replace(/\n$/, "")
          .split(/\r\n|[\n\r\u2028\u2029]/);
        expect(head).toBe("start\tend\ttext");
        expect(rows).toHaveLength(texts.length);
        for (const row of rows) {
          const cells = row.split("\t");
          expect(cells).toHaveLength(3);
          for (const cell of cells) expect(cell).not.toMatch(/^\s*[=+\-@＝＋－＠\t\r|%]/);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("keeps what is no formula as it is", () => {
    expect(outputFile(storedWith("Twenty = 20, see you @ noon.", "a"), "tsv").content).toContain(
      "\tTwenty = 20, see you @ noon.\n",
    );
    expect(outputFile(storedWith("=1+1", "a"), "tsv").content).toContain("\t'=1+1\n");
  });
});

describe("subtitles", () => {
  it("have no cue that was spoken", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        for (const format of ["srt", "vtt"] as const) {
          expect(outputFile(storedWith(text, "a"), format).content.match(/-->/g)).toHaveLength(1);
        }
      }),
    );
  });
});

/** Everything that a platform draws. */
const replies = fc.record({ text: hostile, name: hostile, note: hostile }).map(({ text, name, note }): Reply[] => {
  const stored = storedWith(text, name, [note]);
  return [
    answerReply(stored, DEFAULT_SETTINGS),
    { kind: "status", text: `Transcribing ${stored.recording.name}`, actions: [] },
    { kind: "failure", text: `${stored.recording.name} could not be transcribed. ${note}`, actions: [] },
    { kind: "words", text: `- ${stored.recording.name}, at 0:00: ${text}` },
  ];
});

describe("on Slack", () => {
  it("text stands in elements that Slack takes literally, and its notice mentions nobody", () => {
    fc.assert(
      fc.property(replies, (all) => {
        for (const reply of all) {
          const { text, blocks } = drawForSlack(reply);
          expect(text).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/);
          for (const block of blocks) {
            if (block.type === "actions") continue;
            expect(block.type).toBe("rich_text");
            const elements = "elements" in block ? block.elements : [];
            for (const section of elements) {
              expect(section.type).toBe("rich_text_section");
              const parts = "elements" in section ? section.elements : [];
              for (const part of parts) expect((part as { type: string }).type).toBe("text");
            }
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** What Discord would read as markup, where a backslash does not say otherwise. */
function markup(content: string): string[] {
  const literal = content.replace(/\\[\\*_~`|<[\]#>.)+-]/g, "x");
  return [...literal.matchAll(/[*_~`|<[\]]|^\s*(?:#{1,3}|>{1,3}|-#|[-+*]|\d+[.)])\s/gm)].map(([sign]) => sign);
}

describe("on Discord", () => {
  it("nobody is mentioned, nothing is embedded, and no sign of what was said or named is markup", () => {
    fc.assert(
      fc.property(replies, (all) => {
        for (const reply of all) {
          const { body } = drawForDiscord(reply);
          expect(body.allowed_mentions).toEqual({ parse: [], replied_user: false });
          expect(body.flags & 4).toBe(4);
          expect(body.content.length).toBeLessThanOrEqual(2000);
        }
        const [answer] = all;
        if (answer?.kind !== "answer") return;
        // Earshot's own: the bold head, and small notes, in which its backticks stay.
        const bare = { ...answer, notes: [] };
        const { content } = drawForDiscord(bare).body;
        const own = answer.text === "" ? content : content.replace(/^\*\*/, "").replace(/\*\*(?=\n|$)/, "");
        expect(markup(own)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

describe.skipIf(!hasBrowser())("the page, in a browser", () => {
  const folder = mkdtempSync(join(tmpdir(), "earshot-output-"));
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  it("runs nothing and asks for nothing, whatever was said, named or noted", async () => {
    const evil = PIECES.join(" ");
    const more = [
      "<link rel=prefetch href=https://evil.example/a>",
      "<meta http-equiv=refresh content='0;url=https://evil.example/b'>",
      "<iframe src=https://evil.example/c></iframe><svg onload=pwned=1><style>@import 'https://evil.example/d'</style>",
      "<form action=https://evil.example/e><button id=go>Send</button></form><base href=https://evil.example/>",
    ].join("");
    const stored = storedOf([segmentOf({ text: ` ${evil}${more}` })], {
      ...{ notes: [evil + more], model: evil + more, language: `"><script>pwned=1</script>` },
      recording: {
        key: "k",
        place,
        kind: "audio",
        name: evil + more,
        mimeType: `audio/ogg" onerror="pwned=1`,
        source: {},
      },
    });
    const path = join(folder, "page.html");
    const media = { mimeType: `audio/ogg" onerror="pwned=1`, bytes: new Uint8Array([1, 2, 3]) };
    writeFileSync(path, outputFile(stored, "html", media).content);
    const page = await browser.newPage();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url().slice(0, 60)));
    await page.goto(pathToFileURL(path).href, { waitUntil: "networkidle" });
    await page.fill("#query", "pwned");
    expect(await page.evaluate("globalThis.pwned")).toBeUndefined();
    expect(await page.locator("iframe, form[action], base, link, svg, img").count()).toBe(0);
    expect(await page.evaluate("document.body.innerText")).toContain("<script>pwned=1</script>");
    // The page itself, and the sound that lies in it.
    expect(asked.filter((url) => !url.startsWith("file://") && !url.startsWith("data:audio/"))).toEqual([]);
    expect(asked.filter((url) => url.startsWith("file://"))).toHaveLength(1);
    await page.close();

    // The policy alone stops scripts, pictures, styles, frames and forms, even where the escaping would have failed. No
    // policy knows of a page that is left, or fetched in advance.
    const naked = outputFile(stored, "html").content.replace(
      "<main>",
      `<main><script>pwned=1</script><img src=x onerror=pwned=1>${more}`,
    );
    writeFileSync(path, naked);
    const second = await browser.newPage();
    const others: string[] = [];
    second.on("request", (request) => {
      if (!request.url().startsWith("file://")) others.push(request.url());
    });
    await second.goto(pathToFileURL(path).href, { waitUntil: "networkidle" }).catch(() => undefined);
    expect(await second.evaluate("globalThis.pwned")).toBeUndefined();
    expect(others.filter((url) => !/\/[ab]$/.test(url))).toEqual([]);
    await second.close();
  }, 60_000);
});

it("the browser's part was not skipped without a word", () => {
  expect(hasBrowser() || !existsSync("/usr/bin/chromium")).toBe(true);
});
