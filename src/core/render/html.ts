// A transcript as one web page that needs nothing else: text by time stamp, search, and a player for small recordings.
import { createHash } from "node:crypto";
import { LANGUAGES } from "../languages.ts";
import { clock } from "../messages.ts";
import type { StoredTranscript } from "../ports.ts";
import type { Chapter, Segment } from "../transcript.ts";
import { wordCount } from "../word-count.ts";
import { HTML_SCRIPT } from "./html-script.ts";
import { HTML_STYLE } from "./html-style.ts";
import { grouped } from "./paragraphs.ts";

export interface EmbeddedMedia {
  readonly mimeType: string;
  readonly bytes: Uint8Array;
}

/** Runs under a policy that allows its own script and style by their hashes, embedded media, and nothing from outside. */
export function renderHtml(stored: StoredTranscript, media?: EmbeddedMedia): string {
  const kind = stored.recording.kind === "video" ? "video" : "audio";
  const player = media === undefined ? "" : playerHtml(media, kind);
  const name = escapeHtml(stored.recording.name);
  const policy =
    `default-src 'none'; script-src ${hashOf(HTML_SCRIPT)}; style-src ${hashOf(HTML_STYLE)}; ` +
    "media-src data:; base-uri 'none'; form-action 'none'";
  return `<!doctype html>
<html lang="${stored.plan.task === "translate" ? "en" : languageTag(stored.language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${name}</title>
<style>${HTML_STYLE}</style>
</head>
<body>
<header>
<h1 dir="auto">${name}</h1>
<p class="about">${aboutHtml(stored)}</p>
</header>
${kind === "video" ? player : ""}
<div class="bar">
${kind === "audio" ? player : ""}
<form class="search" role="search">
<input type="search" id="query" placeholder="Search" aria-label="Search the transcript" autocomplete="off">
<output id="found" for="query" aria-live="polite"></output>
<button type="button" id="previous" aria-label="Previous match" disabled>↑</button>
<button type="button" id="next" aria-label="Next match" disabled>↓</button>
</form>
</div>
<main>
${bodyHtml(stored, player !== "")}
</main>
<footer>
${stored.notes.map((note) => `<p>${escapeHtml(note)}</p>`).join("\n")}
<p>Transcribed by Earshot with ${escapeHtml(stored.model)}. Please check before you quote.</p>
</footer>
<script>${HTML_SCRIPT}</script>
</body>
</html>
`;
}

function playerHtml({ mimeType, bytes }: EmbeddedMedia, kind: "audio" | "video"): string {
  const claimed = mimeType.split(";")[0]?.trim().toLowerCase() ?? "";
  // A browser looks at the bytes and not at this name, but it must not be able to end the attribute.
  const type = /^(audio|video)\/[a-z0-9.+-]+$/.test(claimed) ? claimed : "audio/mpeg";
  const encoded = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  return `<${kind} id="media" controls preload="metadata" src="data:${type};base64,${encoded}"></${kind}>`;
}

function aboutHtml(stored: StoredTranscript): string {
  const spoken = LANGUAGES[stored.language] ?? stored.language;
  const words = wordCount(stored);
  const day = new Date(stored.createdAtMs).toISOString().slice(0, 10);
  return [
    `<time datetime="${day}">${day}</time>`,
    clock(stored.duration),
    escapeHtml(stored.plan.task === "translate" ? `${spoken} in English` : spoken),
    `${words.toLocaleString("en-US")} ${words === 1 ? "word" : "words"}`,
  ].join(" · ");
}

function bodyHtml(stored: StoredTranscript, hasPlayer: boolean): string {
  const { chapters = [] } = stored;
  const groups = grouped(
    stored.segments,
    chapters.map(({ start }) => start),
  );
  if (groups.length === 0) {
    const text = stored.text.trim();
    return text === "" ? '<p class="silence">No speech found.</p>' : `<p dir="auto">${escapeHtml(text)}</p>`;
  }
  let next = 0;
  const parts = groups.flatMap((group) => {
    const headings: string[] = [];
    const end = group.at(-1)?.end ?? 0;
    for (; (chapters[next]?.start ?? Number.POSITIVE_INFINITY) < end; next++)
      headings.push(chapterHtml(chapters, next));
    return [...headings, paragraphHtml(group, hasPlayer)];
  });
  return [contentsHtml(chapters), ...parts].filter((part) => part !== "").join("\n");
}

function contentsHtml(chapters: readonly Chapter[]): string {
  if (chapters.length === 0) return "";
  const items = chapters.map(
    ({ start, title }, i) => `<li><a href="#chapter${i + 1}">${escapeHtml(title)}</a> ${clock(start)}</li>`,
  );
  return `<nav class="chapters" aria-label="Chapters"><ol>${items.join("")}</ol></nav>`;
}

function chapterHtml(chapters: readonly Chapter[], index: number): string {
  return `<h2 id="chapter${index + 1}" dir="auto">${escapeHtml(chapters[index]?.title ?? "")}</h2>`;
}

function paragraphHtml(group: readonly Segment[], hasPlayer: boolean): string {
  const start = group[0]?.start ?? 0;
  const id = `t${Math.floor(start)}`;
  const time = hasPlayer
    ? `<button type="button" class="time" data-start="${start}" aria-label="Play from ${clock(start)}">${clock(start)}</button>`
    : `<a class="time" href="#${id}">${clock(start)}</a>`;
  const text = group.map((segment) => segmentHtml(segment, hasPlayer)).join("");
  const speaker = group[0]?.speaker;
  const name = speaker === undefined ? "" : `<strong class="speaker">${escapeHtml(speaker)}:</strong>`;
  return `<section id="${id}">${time}<p dir="auto">${name}${text}</p></section>`;
}

function segmentHtml(segment: Segment, hasPlayer: boolean): string {
  if (!hasPlayer) return escapeHtml(segment.text);
  if (segment.words === undefined || segment.words.length === 0) return timedHtml(segment.text, segment);
  return segment.words.map((word) => timedHtml(word.word, word)).join("");
}

function timedHtml(text: string, times: { readonly start: number; readonly end: number }): string {
  const space = /^\s*/u.exec(text)?.[0] ?? "";
  return `${space}<span data-start="${times.start}" data-end="${times.end}">${escapeHtml(text.slice(space.length))}</span>`;
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;")
    .replaceAll("\0", "\uFFFD");
}

function languageTag(language: string): string {
  return Object.hasOwn(LANGUAGES, language) ? language : "und";
}

function hashOf(source: string): string {
  return `'sha256-${createHash("sha256").update(source).digest("base64")}'`;
}
