// The playground's page in a real browser, with everything that it may be shown: no engine, the answers are given here.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { ChannelView } from "../../../src/core/ports.ts";
import type { Place } from "../../../src/core/recording.ts";
import { DEFAULT_SETTINGS } from "../../../src/core/settings.ts";
import { ANSWER, recordingListener } from "../../contracts/platform.ts";
import { hasBrowser, openBrowser } from "../../support/browser.ts";
import { type RunningPlayground, startPlayground } from "../../support/playground.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const PLACE: Place = {
  platform: "playground",
  workspace: "playground",
  channel: "standup",
  isDirect: false,
  user: "you",
  reach: "thread",
};
const CANCEL = { name: "cancel", label: "Cancel", jobId: "1f3a9c" } as const;

describe.skipIf(!hasBrowser())("the playground's page", () => {
  let browser: Browser;
  let page: Page;
  let running: RunningPlayground;
  let { listener, heard } = recordingListener();
  let view: ChannelView;
  let complaints: string[];

  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    view = {
      settings: DEFAULT_SETTINGS,
      workspace: {},
      own: {},
      glossary: { terms: [], pairs: [], prompt: "" },
      promptTokens: { used: 0, budget: 160 },
    };
    ({ listener, heard } = recordingListener());
    running = await startPlayground();
    await running.platform.listen({ ...listener, channel: async () => view }, new AbortController().signal);
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    complaints = [];
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`${running.url}/#standup`);
    await page.locator(".empty").waitFor();
  });
  afterEach(async () => {
    await page.close();
    await running.close();
    expect(complaints.filter((text) => !/Failed to load resource|ERR_/.test(text))).toEqual([]);
  });

  const reply = (what: Parameters<RunningPlayground["platform"]["reply"]>[1], key: string, editId?: string) =>
    running.platform.reply(PLACE, what, { key, ...(editId === undefined ? {} : { editId }) });

  it("keeps the button of a status where it is while the status ticks, and what has the focus", async () => {
    const id = await reply({ kind: "status", text: "Waiting", actions: [CANCEL] }, "a:status");
    await page.getByRole("button", { name: "Cancel" }).focus();
    await page.evaluate("window.pressed = document.activeElement");
    for (const progress of [0.25, 0.5]) {
      await reply({ kind: "status", text: `Transcribing: ${progress}`, progress, actions: [CANCEL] }, "a:status", id);
      await page.getByText(`Transcribing: ${progress}`).waitFor();
    }
    expect(await page.evaluate("document.querySelector('progress').value")).toBe(0.5);
    expect(await page.evaluate("pressed.isConnected && pressed === document.activeElement")).toBe(true);
    await page.keyboard.press("Enter");
    await expect.poll(() => heard.presses).toMatchObject([{ action: "cancel", jobId: "1f3a9c" }]);
    await reply(ANSWER, "a:status", id);
    await page.locator(".card .transcript").waitFor();
    // The focus does not fall back to the top of the page.
    expect(await page.evaluate("document.activeElement.closest('article')?.id")).toBe(`message-${id}`);
  });

  it("shows text as text, whatever it looks like", async () => {
    const text = '<img src=x onerror="document.title=1"><b>bold</b> & `code` *x*';
    await reply({ ...ANSWER, head: text, text, notes: [text] }, "b:status");
    await page.locator(".card").waitFor();
    expect(await page.locator(".card .transcript").textContent()).toBe(text);
    expect(await page.locator(".card img, .card b").count()).toBe(0);
    expect(await page.title()).toBe("Earshot playground");
  });

  it("says that a long text goes on in the files, and gives them by name", async () => {
    await reply({ ...ANSWER, isCut: true, fileNames: ["Größe.srt"] }, "c:status");
    await page.getByText("The whole text is in the files.").waitFor();
    const content = "1\n00:00:00,000 --> 00:00:02,000\nGrüße\n\n";
    await reply(
      { kind: "file", file: { name: "Größe.srt", mimeType: "application/x-subrip", content } },
      "c:Größe.srt",
    );
    const downloading = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download Größe.srt" }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe("Größe.srt");
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe(content);
  });

  it("goes through the channels by keyboard and marks where something is new", async () => {
    await page.getByRole("tab", { name: "# standup" }).focus();
    await page.keyboard.press("ArrowUp");
    expect(await page.locator("#title").textContent()).toBe("# general");
    await reply(ANSWER, "d:status");
    await page.getByRole("tab", { name: "# standup, something new" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.locator(".card").waitFor();
    expect(await page.getByRole("tab", { name: "something new" }).count()).toBe(0);
  });

  it("forwards by keyboard to whichever channel", async () => {
    await page.getByRole("button", { name: "Send a stand-up" }).click();
    await page.locator("summary", { hasText: "Forward" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "To # sales" }).waitFor();
    await page.keyboard.press("Escape");
    expect(await page.getByRole("button", { name: "To # sales" }).isVisible()).toBe(false);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await expect.poll(() => heard.recordings.map(({ place }) => place.channel)).toEqual(["standup", "sales"]);
    await expect.poll(() => page.locator("#title").textContent()).toBe("# sales");
  });

  it("sends what was dropped on it", async () => {
    const transfer = await page.evaluateHandle(`(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(2000)], "call.mp3", { type: "audio/mpeg" }));
      return transfer;
    })()`);
    await page.locator("#room").dispatchEvent("dragover", { dataTransfer: transfer });
    expect(await page.locator("#drop").isVisible()).toBe(true);
    await page.locator("#room").dispatchEvent("drop", { dataTransfer: transfer });
    await expect.poll(() => heard.recordings).toMatchObject([{ name: "call.mp3", kind: "audio", bytes: 2000 }]);
    expect(await page.locator("#drop").isVisible()).toBe(false);
  });

  it("throws a recording away when told to, and sends the next one by its send button", async () => {
    const recorded = async () => {
      await page.getByRole("button", { name: "Record a voice message" }).click();
      await expect.poll(() => page.locator("#recording-time").textContent(), { timeout: 10_000 }).toBe("0:01");
    };
    await recorded();
    await page.getByRole("button", { name: "Discard" }).click();
    await page.getByRole("button", { name: "Record a voice message" }).waitFor();
    await recorded();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Record a voice message" }).waitFor();
    expect(heard.recordings).toEqual([]);
    await recorded();
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await expect.poll(() => heard.recordings).toMatchObject([{ kind: "voice message", name: "voice-message.webm" }]);
    expect(heard.recordings[0]?.durationSeconds).toBeGreaterThanOrEqual(0.5);
  });

  it("keeps what one is writing in the panel, quotes what it removes, and says what came of it", async () => {
    view = {
      ...view,
      glossary: {
        terms: [{ text: 'a "b", c', soundsLike: [], level: "workspace", uses: 0 }],
        pairs: [{ wrong: "cube, control", right: "kubectl", level: "channel" }],
        prompt: "",
      },
    };
    await page.getByRole("button", { name: "Words of this channel" }).click();
    await page.getByLabel("About this channel").fill("Not saved yet");
    await page.getByRole("button", { name: 'Remove a "b", c' }).click();
    await page.locator("#outcome", { hasText: "You said" }).waitFor();
    await page.getByRole("button", { name: "Remove cube, control" }).click();
    await expect
      .poll(() => heard.invocations.map(({ text }) => text))
      .toEqual(['remove "a \\"b\\", c" --workspace', 'pairs remove "cube, control"']);
    expect(await page.getByLabel("About this channel").inputValue()).toBe("Not saved yet");
    await page.getByLabel("Language").focus();
    await page.getByLabel("Language").selectOption("german");
    await expect
      .poll(() => heard.invocations.at(-1))
      .toMatchObject({ command: "earshot", text: "settings language german" });
    await page.locator("#outcome", { hasText: "settings language german" }).waitFor();
    expect(await page.evaluate("document.activeElement.id")).toBe("setting-language");
    await page.keyboard.press("Escape");
    expect(await page.locator("#words").isVisible()).toBe(false);
  });

  it("leaves nothing behind the panel to the keyboard where it lies over the room", async () => {
    await page.setViewportSize({ width: 390, height: 780 });
    await page.getByRole("button", { name: "Words of this channel" }).click();
    expect(await page.evaluate("room.inert")).toBe(true);
    await page.setViewportSize({ width: 1280, height: 800 });
    await expect.poll(() => page.evaluate("room.inert")).toBe(false);
  });

  it("says in a sentence what went wrong", async () => {
    await page.route("**/api/channels/*/messages", (route) => route.abort());
    await page.getByRole("combobox", { name: "Message" }).fill("hello");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("Earshot does not answer. Is it still running?").waitFor();
  });
});
