// The guarded download that all platforms share: known origins, bounded size, streamed to a new file.
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { PlatformError, UserError } from "../core/errors.ts";
import { tooLarge } from "../core/messages.ts";

export interface DownloadOptions {
  /** Where the file, and whatever the first answer redirects to, may lie, such as "https://files.example.com". */
  readonly origins: readonly string[];
  readonly maxBytes: number;
  /** The file's name as people know it. */
  readonly name: string;
  readonly signal: AbortSignal;
}

const MOST_REDIRECTS = 3;

/**
 * A download that breaks off leaves no file behind.
 * @throws PlatformError gone, forbidden, unavailable, rejected; UserError too_large; the signal's reason when aborted
 */
export async function downloadFile(url: string, toPath: string, options: DownloadOptions): Promise<void> {
  const { maxBytes, name, signal } = options;
  const response = await request(new URL(url), options);
  const body = response.body;
  if (body === null) throw new PlatformError("unavailable", "The file server sent nothing.");
  const announced = Number(response.headers.get("content-length") ?? 0);
  if (announced > maxBytes) {
    await body.cancel();
    throw tooBig(announced, maxBytes, name);
  }
  let bytes = 0;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      done(bytes > maxBytes ? tooBig(bytes, maxBytes, name) : null, chunk);
    },
  });
  try {
    await pipeline(Readable.fromWeb(body), bounded, createWriteStream(toPath, { flags: "wx", mode: 0o600 }), {
      signal,
    });
  } catch (error) {
    await rm(toPath, { force: true });
    throw asDownloadError(error, signal);
  }
}

async function request(url: URL, { origins, signal }: DownloadOptions): Promise<Response> {
  let at = url;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    if (!origins.includes(at.origin)) {
      throw new PlatformError("rejected", `A recording's link leads to ${at.origin}, where no recordings lie.`);
    }
    const response = await fetch(at, { redirect: "manual", signal }).catch((error: unknown) => {
      throw asDownloadError(error, signal);
    });
    if (response.ok) return response;
    await response.body?.cancel();
    const location = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || location === null) throw refused(response);
    at = new URL(location, at);
  }
  throw new PlatformError("unavailable", "A recording's link leads in circles.");
}

function refused({ status, headers }: Response): PlatformError {
  const text = `The file server answered ${status}.`;
  const seconds = Number(headers.get("retry-after"));
  if (status === 429) return new PlatformError("rate_limited", text, { retryAfterMs: (seconds || 1) * 1000 });
  if (status === 401 || status === 403) return new PlatformError("forbidden", text);
  return new PlatformError(
    status === 404 || status === 410 ? "gone" : status >= 500 ? "unavailable" : "rejected",
    text,
  );
}

function tooBig(bytes: number, limit: number, name: string): UserError {
  return new UserError("too_large", tooLarge({ name, bytes, limit }));
}

function asDownloadError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof UserError || error instanceof PlatformError) return error;
  // The disk's own errors, such as a full one, are not the network's.
  if (error instanceof Error && "syscall" in error && error.syscall !== "read" && error.syscall !== "connect")
    return error;
  return new PlatformError("unavailable", "The file server broke off.", { cause: error });
}
