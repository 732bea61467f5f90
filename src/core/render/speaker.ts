// Who speaks, as the text formats write it.
import type { Segment } from "../transcript.ts";

/** "Anna: " */
export function speakerPrefix({ speaker }: Pick<Segment, "speaker">): string {
  return speaker === undefined ? "" : `${oneLine(speaker)}: `;
}

/** A voice tag's name ends at ">". Ref: WebVTT, "voice span" */
export function voiceTag({ speaker }: Pick<Segment, "speaker">): string {
  return speaker === undefined ? "" : `<v ${oneLine(speaker).replace(/[<>&]/g, "")}>`;
}

function oneLine(name: string): string {
  return name.replace(/\s+/gu, " ").trim();
}
