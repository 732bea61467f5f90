// Chapters as a WebVTT track of their own, which players show as a list. Ref: WebVTT, "kind=chapters"
import type { Transcript } from "../transcript.ts";
import { formatTimestamp } from "./timestamp.ts";

export function renderChapters({ chapters = [] }: Pick<Transcript, "chapters">): string {
  const cues = chapters.map(({ start, end, title }, i) => {
    const text = title.replace(/\s+/gu, " ").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("-->", "->");
    return `${i + 1}\n${formatTimestamp(start)} --> ${formatTimestamp(end)}\n${text}\n`;
  });
  return `${["WEBVTT\n", ...cues].join("\n")}`;
}
