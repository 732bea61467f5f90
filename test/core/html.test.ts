// The html transcript: escaped, closed to the outside, and working in a real browser.
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { escapeHtml, renderHtml } from "../../src/core/render/html.ts";
import { segmentOf, storedOf } from "../support/stored-transcript.ts";

const words = (text: string, from: number) =>
  (text.match(/\s*\S+/g) ?? []).map((word, index) => ({
    word,
    start: from + index,
    end: from + index + 1,
    probability: 1,
  }));
const said = (text: string, start: number) =>
  segmentOf({ text, start, end: start + words(text, start).length, words: words(text, start) });
const stored = storedOf([said(" The rollout went well.", 0), said(" Friday it is.", 10)]);
const voiceNote = {
  mimeType: "audio/ogg",
  bytes: readFileSync(new URL("../../models/demo/sample/voice-note.ogg", import.meta.url)),
};

describe("the page", () => {
  it("allows its own script and style by their hashes, and nothing from outside", () => {
    const page = renderHtml(stored, voiceNote);
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? "";
    for (const tag of ["script", "style"]) {
      const source = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page)?.[1] ?? "";
      expect(policy).toContain(`${tag}-src 'sha256-${createHash("sha256").update(source).digest("base64")}'`);
    }
    expect(policy).toContain("default-src 'none'");
    expect(page).not.toMatch(/https?:/);
  });

  it("shows whatever is said as text", () => {
    const evil = `</title></script><img src=x onerror=alert(1)>"'&`;
    const page = renderHtml(
      storedOf([said(` ${evil.replaceAll(" ", "_")}`, 0)], {
        ...{ notes: [evil], model: evil, language: `"><b>` },
        recording: { ...stored.recording, name: evil },
      }),
      { ...voiceNote, mimeType: `audio/ogg" onerror="alert(1)` },
    );
    expect(page.match(/<img|onerror="|"><b>/g)).toBeNull();
    expect(page.match(/<\/script>/g)).toHaveLength(1);
  });

  it("says so when nobody speaks", () => {
    expect(renderHtml(storedOf([]))).toContain("No speech found.");
  });
});

it("escaping leaves nothing that a browser reads as more than text, and loses nothing", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("<", ">", "&", '"', "'", "a", ";", "&lt;") }), (text) => {
      const escaped = escapeHtml(text);
      expect(escaped).not.toMatch(/[<>"']/);
      const signs: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };
      expect(escaped.replace(/&(?:lt|gt|quot|#39|amp);/g, (name) => signs[name] ?? "")).toBe(text);
    }),
  );
});

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

describe.skipIf(executablePath === undefined)("in a browser (skipped where there is no Chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "earshot-html-"));
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath ?? "", args: ["--no-sandbox"] });
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  async function opened(content: string) {
    const path = join(folder, "transcript.html");
    writeFileSync(path, content);
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(pathToFileURL(path).href);
    return { page, complaints };
  }

  it("finds words across their spans, by keyboard, and steps through them", async () => {
    const { page, complaints } = await opened(renderHtml(stored, voiceNote));
    await page.keyboard.press("/");
    await page.keyboard.type("ROLLOUT went");
    expect(await page.textContent("#found")).toBe("1 / 1");
    expect(await page.locator("section.misses").count()).toBe(1);
    await page.fill("#query", "t");
    expect(await page.textContent("#found")).toBe("1 / 4");
    await page.press("#query", "Enter");
    expect(await page.textContent("#found")).toBe("2 / 4");
    await page.press("#query", "Shift+Enter");
    await page.fill("#query", "nowhere");
    expect(await page.textContent("#found")).toBe("none");
    await page.press("#query", "Escape");
    expect(await page.locator("section.misses").count()).toBe(0);
    expect(complaints).toEqual([]);
    await page.close();
  }, 60_000);

  it("jumps to the word that is clicked and follows what is played", async () => {
    const { page, complaints } = await opened(renderHtml(stored, voiceNote));
    await page.getByText("went", { exact: true }).click();
    await page.locator(".now", { hasText: "went" }).waitFor();
    expect(await page.evaluate<number>("document.querySelector('audio').currentTime")).toBeGreaterThanOrEqual(2);
    expect(complaints).toEqual([]);
    await page.close();
  }, 60_000);

  it("fits on a phone", async () => {
    const { page } = await opened(renderHtml(stored, voiceNote));
    await page.setViewportSize({ width: 360, height: 640 });
    const right =
      "Math.max(...Array.from(document.querySelectorAll('body *'), (e) => e.getBoundingClientRect().right))";
    expect(await page.evaluate<number>(right)).toBeLessThanOrEqual(360);
    await page.close();
  }, 60_000);
});
