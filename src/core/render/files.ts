// A transcript as a file, in each of the formats.
import type { StoredTranscript } from "../ports.ts";
import type { OutputFile } from "../reply.ts";
import type { Format } from "../settings.ts";
import { renderChapters } from "./chapters.ts";
import { type EmbeddedMedia, renderHtml } from "./html.ts";
import { renderJson } from "./json.ts";
import { renderSrt } from "./srt.ts";
import { renderTsvForSpreadsheets } from "./tsv.ts";
import { renderTxt } from "./txt.ts";
import { renderVtt } from "./vtt.ts";

const MIME_TYPES: Readonly<Record<Format, string>> = {
  txt: "text/plain",
  srt: "application/x-subrip",
  vtt: "text/vtt",
  tsv: "text/tab-separated-values",
  json: "application/json",
  html: "text/html",
};

const LONGEST_NAME = 80;
/** Most file systems take 255, with the ending and a part number. */
const LONGEST_NAME_BYTES = 220;

/** @param media put into the HTML, so that it can be played */
export function outputFile(stored: StoredTranscript, format: Format, media?: EmbeddedMedia): OutputFile {
  return {
    name: fileName(stored.recording.name, format),
    mimeType: MIME_TYPES[format],
    content: format === "html" ? renderHtml(stored, media) : RENDER[format](stored),
  };
}

const RENDER: Readonly<Record<Exclude<Format, "html">, (stored: StoredTranscript) => string>> = {
  txt: renderTxt,
  srt: (stored) => renderSrt(stored),
  vtt: (stored) => renderVtt(stored),
  tsv: renderTsvForSpreadsheets,
  json: renderJson,
};

/** The file of a format, and beside WebVTT the chapters, which are a track of their own there. */
export function outputFiles(stored: StoredTranscript, format: Format, media?: EmbeddedMedia): readonly OutputFile[] {
  const file = outputFile(stored, format, media);
  if (format !== "vtt" || stored.chapters === undefined) return [file];
  const name = fileName(stored.recording.name, "chapters.vtt");
  return [file, { ...file, name, content: renderChapters(stored) }];
}

/** What `outputFiles` calls them. */
export function fileNames({ recording, chapters }: StoredTranscript, formats: readonly Format[]): string[] {
  return formats.flatMap((format) => [
    fileName(recording.name, format),
    ...(format === "vtt" && chapters !== undefined ? [fileName(recording.name, "chapters.vtt")] : []),
  ]);
}

/** `Q3 call.m4a` -> `Q3 call.srt`; nothing in it can lead out of a folder or upset a system. */
export function fileName(recordingName: string, format: Format | "chapters.vtt"): string {
  const stem = recordingName
    .normalize("NFC")
    .replace(/\.[\p{L}\p{N}]{1,5}$/u, "")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\\/:*?"<>|]+/gu, "_")
    // A dash at the beginning is an option to many a program.
    .replace(/^[.\s-]+|[.\s]+$/gu, "");
  let letters = Array.from(stem).slice(0, LONGEST_NAME);
  while (Buffer.byteLength(letters.join("")) > LONGEST_NAME_BYTES) letters = letters.slice(0, -1);
  const short = letters.join("").replace(/[.\s]+$/u, "");
  // Windows keeps these names for itself, whatever the ending.
  const isReserved = /^(con|prn|aux|nul|(com|lpt)[\d¹²³]|conin\$|conout\$)\s*(\.|$)/i.test(short);
  return `${short === "" ? "transcript" : isReserved ? `_${short}` : short}.${format}`;
}
