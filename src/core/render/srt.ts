// SubRip subtitles. Ref: openai/whisper utils.py `WriteSRT`
import type { Transcript } from "../transcript.ts";
import { speakerPrefix } from "./speaker.ts";
import { type SubtitleOptions, subtitles } from "./subtitles.ts";

export function renderSrt(transcript: Pick<Transcript, "segments">, options: SubtitleOptions = {}): string {
  let text = "";
  let number = 1;
  for (const cue of subtitles(transcript.segments, { alwaysIncludeHours: true, decimalMarker: "," }, options)) {
    text += `${number++}\n${cue.start} --> ${cue.end}\n${speakerPrefix(cue)}${cue.text}\n\n`;
  }
  return text;
}
