// The guarded download that all platforms share: known origins, bounded size, streamed to a new file.
import { createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { get as httpGet, type IncomingMessage } from "node:http";
import { get as httpsGet } from "node:https";
import { isIP } from "node:net";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { PlatformError, UserError } from "../core/errors.ts";
import { tooLarge } from "../core/messages.ts";
import {
  addressOf,
  announcedBytes,
  isRest,
  redirectTarget,
  requirePlainBody,
  retryAfterMs,
  versionOf,
} from "./answer-headers.ts";
import { isInside, lookupOutside, refusedAddress } from "./remote-address.ts";

export interface DownloadOptions {
  /**
   * Where the file, and whatever the first answer redirects to, may lie, such as "https://files.example.com", or
   * "https://*.example.com" for any name before that one. Plain http is taken for loopback alone, which a local
   * counterpart has.
   */
  readonly origins: readonly string[];
  readonly maxBytes: number;
  /** The file's name as people know it. */
  readonly name: string;
  readonly signal: AbortSignal;
  /** Sent to the first link's own origin alone; a redirect to another one goes without. */
  readonly credentials?: Readonly<Record<string, string>>;
  /** Looks at the content type of an answer with 200, and throws what it means instead. */
  readonly checkType?: (contentType: string) => void;
  /** Asks anew for a link or credentials that last for a while only: what ran out in the middle goes on with them. */
  readonly fresh?: () => Promise<FileLink>;
  /** The longest silence, and the longest wait for an answer to begin; the longest download. */
  readonly idleMs?: number;
  readonly overallMs?: number;
  /** A server that sends less than this in any span of time is given up. */
  readonly pace?: { readonly bytes: number; readonly everyMs: number };
}

export interface FileLink {
  readonly url: string;
  readonly credentials?: DownloadOptions["credentials"];
}

const MOST_REDIRECTS = 3;
/** How often a download that broke off in the middle goes on, where the server can do that. */
const MOST_RESUMES = 3;
const IDLE_MS = 30_000;
const OVERALL_MS = 3_600_000;
/** A byte a minute would be no silence, and keep a connection and a lane busy for ever. */
const PACE = { bytes: 64 * 1024, everyMs: 60_000 };

/**
 * Written beside the target and renamed when it is whole; a download that breaks off for good leaves no file behind.
 * @throws PlatformError gone, forbidden, rate_limited, unavailable, rejected; UserError too_large; the signal's reason
 *   when aborted
 */
export async function downloadFile(url: string, toPath: string, options: DownloadOptions): Promise<void> {
  const part = `${toPath}.part`;
  const timeout = AbortSignal.timeout(options.overallMs ?? OVERALL_MS);
  const signal = AbortSignal.any([options.signal, timeout]);
  try {
    await rm(part, { force: true });
    await received(addressOf(url), part, { ...options, signal });
    await rename(part, toPath);
  } catch (error) {
    await rm(part, { force: true });
    throw asDownloadError(error, options.signal);
  }
}

/** What is to be the same for the rest of a file to fit to its beginning. */
interface Begun {
  readonly bytes: number;
  /** For If-Range: a strong tag, or the date. */
  readonly version: string;
}

async function received(url: URL, part: string, options: DownloadOptions): Promise<void> {
  let link = { url, options };
  let begun: Begun | undefined;
  for (let resumes = 0; ; resumes++) {
    let response: IncomingMessage;
    try {
      response = await request(link.url, link.options, begun);
    } catch (error) {
      if (begun === undefined || options.fresh === undefined || !hasRunOut(error)) throw error;
      const { url: again, credentials = {} } = await options.fresh();
      link = { url: addressOf(again), options: { ...options, credentials } };
      response = await request(link.url, link.options, begun);
    }
    const { headers, statusCode } = response;
    try {
      requirePlainBody(headers);
      const rest = statusCode === 206 && begun !== undefined && isRest(headers, begun) ? begun : undefined;
      if (statusCode === 206 && rest === undefined) throw new OtherRest();
      if (rest === undefined) options.checkType?.(headers["content-type"] ?? "");
      return await stored(response, part, rest?.bytes ?? 0, options);
    } catch (error) {
      response.destroy();
      if (resumes === MOST_RESUMES || options.signal.aborted) throw error;
      if (error instanceof OtherRest) {
        // Nobody asked for a part of the file, or not for that one: once more, and from the beginning.
        begun = undefined;
        continue;
      }
      const version = versionOf(headers);
      const givesParts = headers["accept-ranges"] === "bytes" || statusCode === 206;
      if (!isBroken(error) || !givesParts || version === undefined) throw error;
      begun = { bytes: (await stat(part)).size, version };
    }
  }
}

/** What came is not the rest of what is there. */
class OtherRest extends PlatformError {
  constructor() {
    super("rejected", "The file server sent another part of the recording than it was asked for.");
  }
}

async function stored(
  response: IncomingMessage,
  part: string,
  before: number,
  { maxBytes, name, signal, pace = PACE }: DownloadOptions,
): Promise<void> {
  const announced = before + (announcedBytes(response.headers) ?? 0);
  if (announced > maxBytes) throw tooBig(announced, maxBytes, name);
  let bytes = before;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      done(bytes > maxBytes ? tooBig(bytes, maxBytes, name) : null, chunk);
    },
  });
  let bytesBefore = before;
  const pacing = setInterval(() => {
    if (bytes - bytesBefore < pace.bytes) {
      bounded.destroy(new PlatformError("unavailable", "The file server sent next to nothing."));
    }
    bytesBefore = bytes;
  }, pace.everyMs);
  const file = createWriteStream(part, { flags: before > 0 ? "a" : "w", mode: 0o600 });
  const closed = new Promise<void>((resolve) => file.once("close", resolve));
  try {
    await pipeline(response, bounded, file, { signal });
  } finally {
    clearInterval(pacing);
    // A write that is still under way would lengthen the file after it was measured for the rest.
    await closed;
  }
}

async function request(url: URL, options: DownloadOptions, begun: Begun | undefined): Promise<IncomingMessage> {
  let at = url;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const response = await answerOf(at, at.origin === url.origin ? (options.credentials ?? {}) : {}, options, begun);
    const { statusCode: status = 0, headers } = response;
    if (status === 200 || status === 206) return response;
    response.destroy();
    // The file is shorter than what is there of it: it is another one by now.
    if (status === 416 && begun !== undefined) return request(url, options, undefined);
    if (status < 300 || status >= 400 || headers.location === undefined) throw refused(response);
    at = redirectTarget(headers.location, at);
  }
  throw new PlatformError("unavailable", "A recording's link leads in circles.");
}

function answerOf(
  url: URL,
  credentials: Readonly<Record<string, string>>,
  { origins, signal, idleMs = IDLE_MS }: DownloadOptions,
  begun: Begun | undefined,
): Promise<IncomingMessage> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isLocal = isIP(host) !== 0 && /^(127\.|::1$)/.test(host);
  if (!isAmong(url.origin, origins) || (url.protocol !== "https:" && !isLocal)) {
    throw new PlatformError("rejected", `A recording's link leads to ${url.origin}, where no recordings lie.`);
  }
  // An address in the link is never looked up. Loopback is reached only when it was allowed by name, as above.
  if (!isLocal && isInside(host)) throw refusedAddress(host);
  const range = begun === undefined ? {} : { range: `bytes=${begun.bytes}-`, "if-range": begun.version };
  return new Promise((resolve, reject) => {
    const get = url.protocol === "https:" ? httpsGet : httpGet;
    const asked = get(
      url,
      {
        headers: { "accept-encoding": "identity", "user-agent": "Earshot", ...credentials, ...range },
        signal,
        // A connection of its own: a kept one was looked up for somebody else.
        agent: false,
        ...(isLocal ? {} : { lookup: lookupOutside }),
      },
      (response) => {
        clearTimeout(waiting);
        resolve(response);
      },
    );
    const silent = () => asked.destroy(new PlatformError("unavailable", "The file server fell silent."));
    asked.setTimeout(idleMs, silent);
    // Headers that trickle in are no silence.
    const waiting = setTimeout(silent, idleMs);
    // The very connection, whatever the name was resolved to.
    asked.on("socket", (socket) => {
      socket.once("connect", () => {
        const { remoteAddress = "" } = socket;
        if (!isLocal && isInside(remoteAddress)) asked.destroy(refusedAddress(host));
      });
    });
    asked.on("error", (error) => {
      clearTimeout(waiting);
      reject(error);
    });
  });
}

function refused({ statusCode: status = 0, headers }: IncomingMessage): PlatformError {
  const text = `The file server answered ${status}.`;
  if (status === 429) {
    return new PlatformError("rate_limited", text, { retryAfterMs: retryAfterMs(headers["retry-after"], Date.now()) });
  }
  if (status === 401 || status === 403) return new PlatformError("forbidden", text);
  if (status === 404 || status === 410) return new PlatformError("gone", text);
  return new PlatformError(status >= 500 ? "unavailable" : "rejected", text);
}

/** @param origins some with "*." before a name, which stands for whatever lies under it and not for the name itself */
export function isAmong(origin: string, origins: readonly string[]): boolean {
  return origins.some((allowed) => {
    const [scheme = "", name] = allowed.split("*.");
    if (name === undefined) return allowed === origin;
    return origin.startsWith(scheme) && origin.endsWith(`.${name}`);
  });
}

/** How file servers answer to a link that was good before. */
function hasRunOut(error: unknown): boolean {
  return error instanceof PlatformError && (error.code === "forbidden" || error.code === "gone");
}

function tooBig(bytes: number, limit: number, name: string): UserError {
  return new UserError("too_large", tooLarge({ name, bytes, limit }));
}

/** The connection ended before the file did. */
function isBroken(error: unknown): boolean {
  if (error instanceof PlatformError) return error.code === "unavailable";
  return error instanceof Error && "code" in error && NETWORK.test(String(error.code));
}

/** Network failures by their Node code. */
const NETWORK =
  /^(ECONN|EPIPE|ENOTFOUND|EAI_|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPROTO|ERR_STREAM_PREMATURE|CERT_|ERR_TLS|DEPTH_|UNABLE_|HPE_)/;

function asDownloadError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof UserError || error instanceof PlatformError) return error;
  const isOverTime = error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError");
  // The disk's own errors, such as a full one, are not the network's.
  if (!isOverTime && !isBroken(error)) return error;
  return new PlatformError("unavailable", "The file server broke off.", { cause: error });
}
