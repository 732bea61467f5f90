// A person with a browser: sends a voice message, reads it, gives the channel its words, and gets it spelled right.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { hasBrowser, openBrowser } from "./support/browser.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const sample = (name: string) => fileURLToPath(new URL(`../models/demo/sample/${name}`, import.meta.url));

describe.skipIf(!hasBrowser())("the playground in a browser", () => {
  let data: string;
  let gateway: Gateway;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), "earshot-browser-"));
    gateway = await startGateway(data, { EARSHOT_LOG_LEVEL: "warn" });
    browser = await openBrowser();
    page = await browser.newPage({ acceptDownloads: true });
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`${gateway.url}/#standup`);
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.kill("SIGTERM");
    await rm(data, { recursive: true, force: true });
  });

  const answers = () => page.locator(".card .transcript");

  it("greets an empty channel with what one can do", async () => {
    await expect.poll(() => page.locator("#title").textContent()).toBe("# standup");
    expect(await page.getByRole("button", { name: "Send a stand-up" }).isVisible()).toBe(true);
  });

  it("writes down a file, and spells it right once the channel has its words", async () => {
    await page.setInputFiles("#file", sample("standup.flac"));
    // An upload is no voice message: it waits to be asked for.
    await page.locator(".message .file").waitFor();
    await page.getByRole("button", { name: "Transcribe this recording" }).click();
    await answers().first().waitFor();
    expect(await answers().first().textContent()).not.toContain("Qavylow");

    await page.getByRole("button", { name: "Words of this channel" }).click();
    for (const term of ["Qavylow", "Xamoetee"]) {
      await page.getByLabel("Add a word").fill(term);
      await page.getByLabel("Add a word").press("Enter");
      await page.locator("#terms li", { hasText: term }).waitFor();
    }
    expect(await page.locator("#budget-text").textContent()).toMatch(/^\d+ of 160 tokens$/);
    await page.getByRole("button", { name: "Try again with these words" }).click();
    await expect.poll(() => answers().count(), { timeout: 60_000 }).toBe(2);
    expect(await answers().last().textContent()).toContain("Qavylow");
    expect(await page.locator(".note.changed").textContent()).toContain("→ Qavylow");
  });

  it("gives the subtitles as a file", async () => {
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "SRT" }).last().click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe("standup.srt");
    expect(await readFile(await download.path(), "utf8")).toMatch(/^1\n00:00:00,\d{3} --> .*\n.*Qavylow/);
  });

  it("completes commands by keyboard and shows their answers", async () => {
    await page.getByRole("button", { name: "Close" }).click();
    const box = page.getByRole("combobox", { name: "Message" });
    await box.fill("/jargon l");
    await page.getByRole("option", { name: /\/jargon list/ }).waitFor();
    await box.press("Tab");
    expect(await box.inputValue()).toBe("/jargon list");
    await box.press("Enter");
    await page.locator(".words", { hasText: "- Xamoetee" }).waitFor();
  });

  it("records a voice message with the microphone", async () => {
    await page.getByRole("tab", { name: "# general" }).click();
    await page.getByRole("button", { name: "Record a voice message" }).click();
    await expect.poll(() => page.locator("#recording-time").textContent(), { timeout: 10_000 }).toBe("0:02");
    await page.getByRole("button", { name: "Stop and send the voice message" }).click();
    await page.locator(".file .name", { hasText: "Voice message" }).waitFor();
    // The fake microphone beeps: whatever is made of that, there is an answer.
    await page.locator(".card .head").waitFor({ timeout: 60_000 });
  });

  it("can be told to stop in the middle of a meeting, and asked again", async () => {
    await page.getByRole("tab", { name: "# sales" }).click();
    await page.setInputFiles("#file", sample("meeting.flac"));
    await page.getByRole("button", { name: "Transcribe this recording" }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.locator(".failure", { hasText: "meeting.flac" }).waitFor();
    await page.locator(".message").first().hover();
    await page.getByRole("button", { name: "Transcribe", exact: true }).click();
    await answers().waitFor();
    expect((await answers().textContent())?.length).toBeGreaterThan(200);
  });

  it("forwards a recording to the chat with Earshot, where all is written down", async () => {
    await page.locator(".message").first().hover();
    await page.locator("summary", { hasText: "Forward" }).click();
    await page.getByRole("button", { name: "To Earshot" }).click();
    await page.locator(".forwarded").waitFor();
    await answers().waitFor();
  });

  it("deletes a transcript for good", async () => {
    await page.getByRole("tab", { name: "# standup" }).click();
    await page.locator(".actions").last().getByRole("button", { name: "Delete" }).click();
    await page.locator(".words", { hasText: "deleted for good" }).waitFor();
  });

  it("goes on by itself when the gateway comes back", async () => {
    const { port } = new URL(gateway.url);
    await gateway.kill("SIGKILL");
    await page.locator("#problem", { hasText: "Waiting for it to come back" }).waitFor();
    gateway = await startGateway(data, { EARSHOT_PORT: port });
    expect(complaints.filter((text) => !/ERR_CONNECTION|ERR_INCOMPLETE|Failed to load/.test(text))).toEqual([]);
  });

  it("fits on a phone, in the dark", async () => {
    const phone = await browser.newPage({ viewport: { width: 360, height: 700 }, colorScheme: "dark" });
    await phone.goto(`${gateway.url}/#standup`);
    await phone.locator(".card").first().waitFor();
    expect(await phone.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
    await phone.getByRole("button", { name: "Words of this channel" }).click();
    await phone.getByLabel("Add a word").waitFor();
    expect(await phone.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
    await phone.close();
  });
});
