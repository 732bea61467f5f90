// Draws docs/slack.png: the blocks that Earshot really sends to Slack, as Slack would lay them out. Needs Chromium and a build.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { draw } from "../dist/adapters/slack/blocks.js";
import { answerReply } from "../dist/core/render/answer.js";
import { DEFAULT_SETTINGS } from "../dist/core/settings.js";

const jobId = "1f3a9c";
const segment = (id, text) => ({ id, seek: 0, start: id * 3, end: id * 3 + 3, text, tokens: [], temperature: 0 });
const segments = [
  segment(0, " We use Qavylow for the website."),
  segment(1, " The migration to Xamoetee will take three weeks."),
];
const stored = {
  ...{ jobId, segments, text: segments.map(({ text }) => text).join(""), language: "en", duration: 6.5, notes: [] },
  ...{ model: "large-v3-turbo", plan: { task: "transcribe" }, recording: { name: "standup.m4a" } },
};
const misheard = { ...stored, text: " We use Kavilo for the website. The migration to Zamoti will take three weeks." };
const cancel = { name: "cancel", label: "Cancel", jobId };
const messages = [
  [
    "while it works",
    { kind: "status", text: "Transcribing board.mp4, 42:10: 38%, about 3 min left", progress: 0.38, actions: [cancel] },
  ],
  ["the answer in its place", answerReply(stored, DEFAULT_SETTINGS)],
  ["after “Fix a word”", answerReply(stored, DEFAULT_SETTINGS, { earlier: misheard })],
];

const escapeHtml = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
function inline({ text = "", style = {} }) {
  const tag = style.code ? "code" : style.bold ? "b" : style.italic ? "i" : "span";
  return `<${tag}>${escapeHtml(text)}</${tag}>`;
}
function block({ type, elements = [], text }) {
  if (type === "rich_text") return elements.map((part) => `<p>${part.elements.map(inline).join("")}</p>`).join("");
  if (type === "actions")
    return `<div>${elements.map((one) => `<button>${escapeHtml(one.text.text)}</button>`).join("")}</div>`;
  if (type === "section") return `<p>${escapeHtml(text.text)}</p>`;
  throw new Error(`There is no drawing for the block ${type}.`);
}
const page = `<!doctype html><meta charset="utf-8"><style>
body { margin: 0; padding: 20px 24px; width: 620px; background: #fff; color: #1d1c1d; font: 15px/1.47 system-ui, sans-serif; }
article { display: grid; grid-template-columns: 36px 1fr; gap: 0 10px; margin-bottom: 18px; }
img { width: 36px; border-radius: 8px; } p { margin: 0 0 4px; white-space: pre-wrap; }
small { color: #616061; font-size: 12px; } mark { background: #ececec; color: #616061; font-size: 10px; padding: 1px 4px; border-radius: 3px; }
button { font: 600 13px system-ui; color: #1d1c1d; background: #fff; border: 1px solid #bbb; border-radius: 8px; padding: 5px 12px; margin: 4px 6px 0 0; }
code { color: #c01343; background: #f6f6f6; border: 1px solid #ddd; border-radius: 3px; padding: 1px 3px; font-size: 12px; }
</style>${messages
  .map(
    ([label, reply]) =>
      `<article><img src="data:image/svg+xml;base64,ICON"><div><p><b>Earshot</b> <mark>APP</mark> <small>${label}</small></p>${draw(reply).blocks.map(block).join("")}</div></article>`,
  )
  .join("")}`;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const icon = readFileSync(join(root, "src/adapters/playground/page/icon.svg")).toString("base64");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
const view = await browser.newPage({ viewport: { width: 668, height: 200 }, deviceScaleFactor: 1.5 });
await view.setContent(page.replaceAll("ICON", icon));
await view.screenshot({ path: join(root, "docs", "slack.png"), fullPage: true });
await browser.close();
