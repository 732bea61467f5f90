// Which files are audio or video: by their type, and by their name where the type says nothing.

const AUDIO = /\.(aac|aif|aiff|amr|caf|flac|m4a|m4b|mka|mp3|oga|ogg|opus|wav|weba|wma)$/i;
const VIDEO = /\.(3gp|avi|m4v|mkv|mov|mp4|mpeg|mpg|webm|wmv)$/i;
const UNTOLD = new Set(["", "application/octet-stream"]);

export function mediaKind(name: string, mimeType = ""): "audio" | "video" | undefined {
  if (mimeType.startsWith("audio/")) return "audio";
  if (mimeType.startsWith("video/")) return "video";
  // "application/ogg" and its like are told by the name too.
  if (!UNTOLD.has(mimeType) && !/ogg|mp4|x-matroska/.test(mimeType)) return undefined;
  if (AUDIO.test(name)) return "audio";
  return VIDEO.test(name) ? "video" : undefined;
}

/** Worth asking about: a name without an ending may be anything. */
export function mayBeMedia(name: string): boolean {
  return mediaKind(name) !== undefined || !/\.\w{1,8}$/.test(name);
}
