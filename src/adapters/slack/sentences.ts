// What Earshot says about Slack itself: channels, threads and links.
import type { Reply } from "../../core/reply.ts";

export const notInChannel = words(
  "Earshot is not in that channel, so it can neither hear nor answer there. Type `/invite @Earshot` there, and try again.",
);

export const noRecordingThere = words(
  "There is no recording in that message. Earshot takes voice and video clips, audio and video files.",
);

export const noRecordingInThread = words(
  "There is no recording in this thread, or Slack keeps it from Earshot. Open the menu of a message that has one, then `Transcribe`.",
);

export const brokeHere = words("Something broke on Earshot's side. Try it again in a minute.");

function words(text: string): Reply {
  return { kind: "words", text };
}
