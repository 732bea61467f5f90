// A transcript as one self-contained page: text by time, search, and a player when the recording is small enough.
import { createHash } from "node:crypto";
import { LANGUAGES } from "../languages.ts";
import { clock } from "../messages.ts";
import type { StoredTranscript } from "../ports.ts";
import type { Segment } from "../transcript.ts";
import { PAGE_SCRIPT, PAGE_STYLE } from "./html-page.ts";

export interface EmbeddedMedia {
  readonly mimeType: string;
  readonly bytes: Uint8Array;
}

export function renderHtml(stored: StoredTranscript, media?: EmbeddedMedia): string {
  const { recording, language, duration, segments } = stored;
  const name = escapeHtml(recording.name);
  const code = escapeHtml(stored.plan.task === "translate" ? "en" : language);
  const spoken = escapeHtml(LANGUAGES[language] ?? language);
  // The page can reach nothing outside of itself, whatever its text says.
  const policy =
    `default-src 'none'; base-uri 'none'; form-action 'none'; media-src data:; ` +
    `style-src '${hashOf(PAGE_STYLE)}'; script-src '${hashOf(PAGE_SCRIPT)}'`;
  return `<!doctype html>
<html lang="${code}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${name}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>${name}</h1>
<p>${clock(duration)} · ${spoken} · written down by Earshot${stored.notes.map((note) => `<br>${escapeHtml(note)}`).join("")}</p>
<div class="bar">
${media === undefined ? "" : player(media)}
<label>Search <input type="search" id="search" autocomplete="off"></label>
<output id="hits" for="search" aria-live="polite"></output>
</div>
</header>
<main>
${segments.map((segment) => paragraph(segment, media !== undefined)).join("")}
${segments.some((segment) => segment.text.trim() !== "") ? "" : "<p>No speech was found in this recording.</p>"}
</main>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function player({ mimeType, bytes }: EmbeddedMedia): string {
  const type = /^(audio|video)\/[\w.+-]+$/.test(mimeType) ? mimeType : "audio/mpeg";
  return `<audio id="player" controls preload="metadata" src="data:${type};base64,${Buffer.from(bytes).toString("base64")}"></audio>`;
}

function paragraph({ start, end, text, words }: Segment, canPlay: boolean): string {
  if (text.trim() === "") return "";
  const time = canPlay
    ? `<button type="button" class="time" data-start="${start}">${clock(start)}</button>`
    : `<span class="time">${clock(start)}</span>`;
  const spoken =
    words === undefined || words.length === 0
      ? escapeHtml(text.trim())
      : words.map((word) => `<span data-start="${word.start}">${escapeHtml(word.word)}</span>`).join("");
  return `<p data-start="${start}" data-end="${end}">${time}<span class="text">${spoken}</span></p>\n`;
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
