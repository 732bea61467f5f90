// WebVTT subtitles. Ref: openai/whisper utils.py `WriteVTT`
import type { Transcript } from "../transcript.ts";
import { voiceTag } from "./speaker.ts";
import { type SubtitleOptions, subtitles } from "./subtitles.ts";

export function renderVtt(transcript: Pick<Transcript, "segments">, options: SubtitleOptions = {}): string {
  let text = "WEBVTT\n\n";
  for (const cue of subtitles(transcript.segments, { alwaysIncludeHours: false, decimalMarker: "." }, options)) {
    text += `${cue.start} --> ${cue.end}\n${voiceTag(cue)}${cue.text}\n\n`;
  }
  return text;
}
