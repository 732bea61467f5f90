// Plain text, one segment per line. Ref: openai/whisper utils.py `WriteTXT`
import type { Transcript } from "../transcript.ts";
import { speakerPrefix } from "./speaker.ts";
import { strip } from "./whitespace.ts";

export function renderTxt(transcript: Pick<Transcript, "segments">): string {
  return transcript.segments.map((segment) => `${speakerPrefix(segment)}${strip(segment.text)}\n`).join("");
}
