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
  // A column more only where it says something, so that the others stay openai's.
  const hasSpeakers = transcript.segments.some(({ speaker }) => speaker !== undefined);
  const column = (text: string) => text.replaceAll("\t", " ");
  const lines = transcript.segments.map(({ start, end, text, speaker = "" }) =>
    [
      roundHalfEven(1000 * start),
      roundHalfEven(1000 * end),
      column(strip(text)),
      ...(hasSpeakers ? [column(strip(speaker))] : []),
    ].join("\t"),
  );
  return `${[`start\tend\ttext${hasSpeakers ? "\tspeaker" : ""}`, ...lines].join("\n")}\n`;
}
