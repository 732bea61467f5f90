// Tab-separated values with times in whole milliseconds. Ref: openai/whisper utils.py `WriteTSV`
import type { Transcript } from "../transcript.ts";
import { roundHalfEven } from "./timestamp.ts";
import { strip } from "./whitespace.ts";

/** What a spreadsheet takes for the beginning of a formula, also in the wide forms of East Asian keyboards. */
const FORMULA = /^[=+\-@＝＋－＠|%]/;

/** For people who open it in a spreadsheet: a text that would be run there begins with an apostrophe, as they hide it. */
export function renderTsvForSpreadsheets({ segments }: Pick<Transcript, "segments">): string {
  const safe = segments.map((segment) => {
    const text = strip(segment.text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " "));
    return { ...segment, text: FORMULA.test(text) ? `'${text}` : text };
  });
  return renderTsv({ segments: safe });
}

export function renderTsv(transcript: Pick<Transcript, "segments">): string {
  const lines = transcript.segments.map(({ start, end, text }) =>
    [roundHalfEven(1000 * start), roundHalfEven(1000 * end), strip(text).replaceAll("\t", " ")].join("\t"),
  );
  return `${["start\tend\ttext", ...lines].join("\n")}\n`;
}
