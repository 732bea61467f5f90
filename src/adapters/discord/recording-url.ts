// The link to a recording's file: the one that came with it while it lasts, else a fresh one from its message.
import type { APIMessage } from "discord.js";
import { PlatformError } from "../../core/errors.ts";
import type { Recording } from "../../core/recording.ts";
import { attachmentsOf } from "./parse.ts";

/** A link that ends during the download is of no use. */
const LEAST_LEFT_MS = 60_000;

/** @throws PlatformError gone, forbidden, … */
export async function recordingUrl(
  { source }: Recording,
  fetchMessage: (channel: string, message: string) => Promise<APIMessage>,
  nowMs: number,
): Promise<string> {
  const { url, channel, message, attachment } = source;
  if (url !== undefined && (expiryMs(url) > nowMs + LEAST_LEFT_MS || message === undefined)) return url;
  if (channel === undefined || message === undefined) throw gone();
  const found = attachmentsOf(await fetchMessage(channel, message)).find((each) => each.attachment.id === attachment);
  if (found !== undefined) return found.attachment.url;
  // Without the message content intent Discord shows a message without its files; the old link may still do.
  if (url !== undefined) return url;
  throw gone();
}

/** Ref: Discord, "Signed Attachment CDN URLs": `ex` is the time of expiry in seconds, in hexadecimal. */
function expiryMs(url: string): number {
  const expires = new URL(url).searchParams.get("ex");
  return expires === null ? Number.POSITIVE_INFINITY : Number.parseInt(expires, 16) * 1000;
}

function gone(): PlatformError {
  return new PlatformError("gone", "The file of a message on Discord is not there any more.");
}
