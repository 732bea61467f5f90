// What Earshot says about Teams itself: files, voice notes, permissions and the way in.
import type { Reply } from "../../core/reply.ts";

export const welcomeAlone = words(
  "Earshot writes down what is said in recordings, on your organization's own machine. Send it an audio or video file " +
    "here and the text comes back. `help` shows what else it can do.",
);

export const welcomeTogether = words(
  "Earshot writes down what is said in recordings, on your organization's own machine. Post an audio file, mention " +
    "Earshot under a recording with `transcribe`, or open a message's menu, then More actions, then `Transcribe`. " +
    "`help` after a mention shows more.",
);

export const voiceNote = words(
  "Teams does not give its own voice notes to bots, so Earshot cannot hear this one. Record it with the phone's voice " +
    "recorder instead and attach the file here, or send the file to Earshot directly.",
);

export const noRecordingThere = words(
  "There is no recording in that message that Earshot could read. It takes audio and video files; Teams keeps its own " +
    "voice notes from bots.",
);

export const noRecordingInThread = words(
  "There is no recording in this thread that Earshot could read. Open the menu of a message that has one, then More " +
    "actions, then `Transcribe`.",
);

export const filesAreClosed = words(
  "Earshot may not read files in this conversation. An owner can add Earshot to it again and agree to its permissions; " +
    "for files an administrator has to agree too, as docs/teams.md says. Until then: send the file to Earshot directly.",
);

export const consentDeclined = words("All right, the file stays here. Its button gives it again.");

export const consentIsOver = words("That file is not kept any more. Its button gives a new one.");

export const fileNotTaken = words(
  "Teams did not take the file just now. Press Allow again in a minute, or the file's button for a new one.",
);

export const notHere = words(
  "Earshot is not in that conversation, so it can neither read nor answer there. Add it to the conversation, and try " +
    "again; or send the file to Earshot directly.",
);

export const brokeHere = words("Something broke on Earshot's side. Try it again in a minute.");

export function fileIsThere(name: string): string {
  return `${name} lies in the files of this conversation.`;
}

export function filesAreKeptOut(name: string): string {
  return `${name}, as text: Earshot may not put files here. Its operator can allow it, as docs/teams.md says.`;
}

export function fileDescription(name: string): string {
  return /\.(srt|vtt)$/.test(name) ? "Subtitles from Earshot" : "A file from Earshot";
}

function words(text: string): Reply {
  return { kind: "words", text };
}
