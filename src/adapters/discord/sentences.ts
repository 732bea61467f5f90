// What Earshot says about Discord itself: permissions, intents and links.
import type { Reply } from "../../core/reply.ts";

export function permissionsMissing(names: readonly string[], channel: string): Reply {
  const several = names.length > 1 ? "permissions" : "permission";
  return words(
    `Earshot cannot answer in ${channel}: it lacks the ${several} ${names.join(", ")}. Give it to Earshot's role in the ` +
      "channel's settings, under Permissions; from then on it answers.",
  );
}

export const contentIsHidden = words(
  "Earshot sees that there is a voice message, and Discord keeps the file from it: the Message Content intent is off. " +
    "The one who runs Earshot can switch it on in Discord's developer portal, under Bot, and start Earshot again. " +
    "Until then: press and hold the message, or right-click it, then Apps, then `Transcribe`.",
);

export const repliedToNothing = words(
  "There is no recording in that message, or Discord keeps it from Earshot. Press and hold the message, or right-click " +
    "it, then Apps, then `Transcribe`.",
);

export const noRecordingThere = words(
  "There is no recording in that message. Earshot takes voice messages, audio and video files.",
);

export const brokeHere = words("Something broke on Earshot's side. Try it again in a minute.");

function words(text: string): Reply {
  return { kind: "words", text };
}
