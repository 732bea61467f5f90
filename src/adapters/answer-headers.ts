// What a file server's answer says in its headers, as far as a download goes by it. Anybody may have written them.
import type { IncomingHttpHeaders } from "node:http";
import { PlatformError } from "../core/errors.ts";

/** A server that asks for more patience than this will be asked again all the same. */
const LONGEST_WAIT_MS = 3_600_000;

/** Seconds or a date -> milliseconds from now, at least a second and at most an hour. Ref: RFC 9110, 10.2.3 */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  const text = header?.trim() ?? "";
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Math.min(LONGEST_WAIT_MS, Math.max(1000, Number.isNaN(waitMs) ? 0 : waitMs));
}

/** Where a redirect leads. @throws PlatformError rejected when that is no address */
export function redirectTarget(location: string, from: URL): URL {
  if (!URL.canParse(location, from.href)) throw noAddress();
  const target = new URL(location, from);
  // Who sends us on does not choose who we say we are.
  target.username = "";
  target.password = "";
  return target;
}

/** @throws PlatformError rejected when it is no address */
export function addressOf(link: string): URL {
  if (!URL.canParse(link)) throw noAddress();
  return redirectTarget(link, new URL(link));
}

const noAddress = () => new PlatformError("rejected", "A recording's link is no address.");

/** What is the same in the rest of a file as in its beginning, for If-Range: a strong tag, or else the date. */
export function versionOf({ etag, "last-modified": date }: IncomingHttpHeaders): string | undefined {
  return etag?.startsWith('"') ? etag : date;
}

/** Whether a 206 is the rest of the file from this byte on, of the same version. Ref: RFC 9110, 14.4 */
export function isRest(
  headers: IncomingHttpHeaders,
  begun: { readonly bytes: number; readonly version: string },
): boolean {
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers["content-range"] ?? "");
  if (range === null) return false;
  const [first, last] = [Number(range[1]), Number(range[2])];
  const { etag, "content-length": length } = headers;
  return (
    first === begun.bytes &&
    last >= first &&
    (range[3] === "*" || last + 1 === Number(range[3])) &&
    (length === undefined || Number(length) === last + 1 - first) &&
    (etag === undefined || !begun.version.startsWith('"') || etag === begun.version)
  );
}

/**
 * A body that was packed on the way, although that was not asked for: unpacked it may have any size.
 * @throws PlatformError rejected
 */
export function requirePlainBody({ "content-encoding": encoding }: IncomingHttpHeaders): void {
  if (encoding === undefined || /^\s*(identity)?\s*$/i.test(encoding)) return;
  throw new PlatformError("rejected", "The file server packed the recording, which it was not asked to do.");
}

/** Bytes that the server announces; undefined where it does not. */
export function announcedBytes({ "content-length": length }: IncomingHttpHeaders): number | undefined {
  return length === undefined ? undefined : Number(length);
}
