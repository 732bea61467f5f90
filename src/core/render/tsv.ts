// Tab-separated values with times in whole milliseconds. Ref: openai/whisper utils.py `WriteTSV`
import type { Transcript } from "../transcript.ts";
import { roundHalfEven } from "./timestamp.ts";
import { strip } from "./whitespace.ts";

export function renderTsv(transcript: Pick<Transcript, "segments">): string {
  const lines = transcript.segments.map(({ start, end, text }) =>
    [roundHalfEven(1000 * start), roundHalfEven(1000 * end), strip(text).replaceAll("\t", " ")].join("\t"),
  );
  return `${["start\tend\ttext", ...lines].join("\n")}\n`;
}
