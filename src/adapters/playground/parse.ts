// A message of the playground's chat -> a recording and its place.
import type { Place, Recording, Scope } from "../../core/recording.ts";
import type { ChatMessage } from "./chat-log.ts";

/** The channels of the playground. In "direct" one talks to Earshot itself. */
export const CHANNELS = ["general", "standup", "sales", "direct"] as const;
export type Channel = (typeof CHANNELS)[number];

/** The one person there is. */
export const YOU = { user: "you", isAdmin: true, roles: [] } as const;

export function isChannel(name: string): name is Channel {
  return CHANNELS.some((channel) => channel === name);
}

export function scopeOf(channel: Channel): Scope {
  return { platform: "playground", workspace: "playground", channel };
}

export function placeOf(channel: Channel, message?: string): Place {
  return {
    ...scopeOf(channel),
    isDirect: channel === "direct",
    user: YOU.user,
    reach: "thread",
    ...(message === undefined ? {} : { message }),
  };
}

/** undefined: the message holds no recording. */
export function recordingOf({ id, channel, body }: ChatMessage): Recording | undefined {
  if (body?.kind !== "recording" || !isChannel(channel)) return undefined;
  return {
    key: `playground/${id}`,
    place: placeOf(channel, id),
    kind: body.isVoice ? "voice message" : body.mimeType.startsWith("video/") ? "video" : "audio",
    name: body.name,
    bytes: body.bytes,
    mimeType: body.mimeType,
    source: { media: body.media },
    ...(body.durationSeconds === undefined ? {} : { durationSeconds: body.durationSeconds }),
  };
}
