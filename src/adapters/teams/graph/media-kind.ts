// Which files are audio or video: by their type, and by their name where the type says nothing.
import { kindByName } from "../../../core/recording.ts";

const UNTOLD = new Set(["", "application/octet-stream"]);

export function mediaKind(name: string, mimeType = ""): "audio" | "video" | undefined {
  if (mimeType.startsWith("audio/")) return "audio";
  if (mimeType.startsWith("video/")) return "video";
  // "application/ogg" and its like are told by the name too.
  return UNTOLD.has(mimeType) || /ogg|mp4|x-matroska/.test(mimeType) ? kindByName(name) : undefined;
}

/** Worth asking about: a name without an ending may be anything. */
export function mayBeMedia(name: string): boolean {
  return mediaKind(name) !== undefined || !/\.\w{1,8}$/.test(name);
}
