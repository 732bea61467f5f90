// A transcript into the files that the command line asked for.
import { finishedTranscript } from "../core/finished-transcript.ts";
import { renderChapters } from "../core/render/chapters.ts";
import { renderJson } from "../core/render/json.ts";
import { renderSrt } from "../core/render/srt.ts";
import type { SubtitleOptions } from "../core/render/subtitles.ts";
import { renderTsv } from "../core/render/tsv.ts";
import { renderTxt } from "../core/render/txt.ts";
import { renderVtt } from "../core/render/vtt.ts";
import type { Transcript } from "../core/transcript.ts";
import type { Format, TranscribeValues } from "./options.ts";
import { writeWhole } from "./output-files.ts";

const RENDER: Record<Format, (transcript: Transcript, options: SubtitleOptions) => string> = {
  txt: renderTxt,
  vtt: renderVtt,
  srt: renderSrt,
  tsv: renderTsv,
  json: renderJson,
};

/** @returns the paths of the files. @throws UserError not_writable; InferenceError disk_full */
export async function writeTranscript(
  transcript: Transcript,
  formats: readonly Format[],
  values: TranscribeValues,
  pathOf: (format: Format) => string,
): Promise<string[]> {
  const options = {
    highlightWords: values.highlight_words,
    maxLineWidth: values.max_line_width,
    maxLineCount: values.max_line_count,
    maxWordsPerLine: values.max_words_per_line,
  };
  const { verbatim, chapters, task } = values;
  const shown = finishedTranscript(transcript, { verbatim, chapters, task, glossary: { terms: [], pairs: [] } });
  const outputs: string[] = [];
  const write = async (path: string, text: string) => {
    await writeWhole(path, text);
    outputs.push(path);
  };
  for (const format of formats) {
    const path = pathOf(format);
    await write(path, RENDER[format](shown, options));
    if (format === "vtt" && shown.chapters) await write(path.replace(/vtt$/, "chapters.vtt"), renderChapters(shown));
  }
  return outputs;
}
