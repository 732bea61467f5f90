// Segments gathered into paragraphs: by speakers, by pauses, and where a text grows long by sentences.
import { clock } from "../messages.ts";
import type { Segment } from "../transcript.ts";
import { speakerPrefix } from "./speaker.ts";

/** A pause that begins a new paragraph, in seconds. */
const PAUSE = 2;
/** Characters after which the next sentence begins one. */
const LONG = 600;

/** @param breaks times at which a new one begins whatever the pause, such as those of chapters */
export function grouped(segments: readonly Segment[], breaks: readonly number[] = []): readonly (readonly Segment[])[] {
  const groups: Segment[][] = [];
  let length = 0;
  let last: Segment | undefined;
  for (const segment of segments) {
    if (segment.text.trim() === "") continue;
    const begins =
      last === undefined ||
      segment.speaker !== last.speaker ||
      breaks.includes(segment.start) ||
      segment.start - last.end >= PAUSE ||
      (length >= LONG && /[.!?…。！？]["”»)]*$/u.test(last.text.trim()));
    if (begins) {
      groups.push([]);
      length = 0;
    }
    groups.at(-1)?.push(segment);
    length += segment.text.length;
    last = segment;
  }
  return groups;
}

export function paragraphs(segments: readonly Segment[]): string[] {
  // As the model put the segments together: with spaces only where the language has them.
  return grouped(segments).map(
    (group) => `${speakerPrefix(group[0] ?? {})}${oneLine(group.map((segment) => segment.text).join(""))}`,
  );
}

/** A line with its time for each segment. */
export function timedLines(segments: readonly Segment[]): string[] {
  return grouped(segments)
    .flat()
    .map((segment) => `[${clock(segment.start)}] ${speakerPrefix(segment)}${oneLine(segment.text)}`);
}

function oneLine(text: string): string {
  return text.replace(/\s+/gu, " ").trim();
}
