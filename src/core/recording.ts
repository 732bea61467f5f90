// A recording that came in, and the place where it came from and where the answer goes. Ids only: links expire.

export const PLATFORM_NAMES = ["slack", "discord", "teams", "playground"] as const;
export type PlatformName = (typeof PLATFORM_NAMES)[number];

/** Whose settings and glossary hold. */
export interface Scope {
  readonly platform: PlatformName;
  /** Slack team, Discord guild, Teams tenant; for direct messages without one the platform's own word, such as "@me". */
  readonly workspace: string;
  /** The channel, also for what is said in one of its threads. */
  readonly channel: string;
}

/** Who gets to see the answer, and where. */
export type Reach = "thread" | "channel" | "only_me" | "direct";

/** Where an answer goes. */
export interface Place extends Scope {
  readonly isDirect: boolean;
  /** The message that is answered. */
  readonly message?: string;
  /** The thread that the message stands in; a platform that has none leaves it out. */
  readonly thread?: string;
  /** Who asked, or who posted the recording. "only_me" and "direct" go to this person. */
  readonly user: string;
  readonly reach: Reach;
}

export interface Recording {
  /** The same for every delivery of the same file in the same message, and for nothing else. */
  readonly key: string;
  readonly place: Place;
  readonly kind: "voice message" | "audio" | "video";
  /** File name as people know it. */
  readonly name: string;
  readonly durationSeconds?: number;
  readonly bytes?: number;
  readonly mimeType?: string;
  /** What the platform needs to ask for the file again: ids, in its own words. */
  readonly source: Readonly<Record<string, string>>;
}

const LONGEST_NAME = 200;

/**
 * A name comes from other people, and is shown in Earshot's own sentences: in one line, and with nothing in it that turns
 * the direction of the words around it.
 */
export function withPlainName(recording: Recording): Recording {
  const name = recording.name
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, "")
    .trim();
  return { ...recording, name: Array.from(name).slice(0, LONGEST_NAME).join("") || "recording" };
}

/** A key for the settings and glossary of one channel. */
export function scopeKey({ platform, workspace, channel }: Scope): string {
  return [platform, workspace, channel].join("/");
}

const AUDIO = /\.(aac|aif|aiff|amr|caf|flac|m4a|m4b|mka|mp3|oga|ogg|opus|wav|weba|wma)$/i;
const VIDEO = /\.(3gp|avi|m4v|mkv|mov|mp4|mpeg|mpg|webm|wmv)$/i;

/** What a file is by its name's ending, where nothing better is known. undefined: no recording. */
export function kindByName(name: string): "audio" | "video" | undefined {
  return AUDIO.test(name) ? "audio" : VIDEO.test(name) ? "video" : undefined;
}
