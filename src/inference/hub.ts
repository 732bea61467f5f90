// Where model files come from: a Hugging Face hub over HTTP, or a mirror folder with the same files.
import { createReadStream, existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { InferenceError } from "../core/errors.ts";
import type { Environment } from "./models.ts";

/** A file of a repository. The hub knows the sha256 of large files, and the git blob id (sha1) of small ones. */
export interface RemoteFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256?: string;
  readonly gitBlobId?: string;
}

export interface ModelSource {
  /** Address or folder, for people. */
  readonly name: string;
  /** Every file of a repository; undefined when there is no such repository here. */
  list(repo: string, signal: AbortSignal): Promise<readonly RemoteFile[] | undefined>;
  /** The content of a file from a byte on; `start` is where it really begins, 0 when the source cannot resume. */
  open(
    repo: string,
    path: string,
    fromByte: number,
    signal: AbortSignal,
  ): Promise<{ readonly start: number; readonly content: AsyncIterable<Uint8Array> }>;
}

/** A failure that may pass: no connection, a dropped one, 429 or a server error. */
export class TransientError extends Error {
  override readonly name = "TransientError";
  readonly retryAfterMs: number | undefined;
  constructor(message: string, retryAfterMs?: number, options?: ErrorOptions) {
    super(message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

const elsewhere = "try again later, or set HF_ENDPOINT or EARSHOT_MIRROR to a place that holds the models";

/** EARSHOT_MIRROR (a folder laid out as {repo}/{path}), HF_ENDPOINT (file:// for a folder too), or huggingface.co. */
export function modelSource(env: Environment, backoffMs = 1000): ModelSource {
  const mirror = env["EARSHOT_MIRROR"];
  if (mirror) return mirrorFolder(mirror);
  const endpoint = (env["HF_ENDPOINT"] || "https://huggingface.co").replace(/\/+$/, "");
  if (endpoint.startsWith("file:")) return mirrorFolder(fileURLToPath(endpoint));
  return hub(endpoint, env["HF_TOKEN"], backoffMs);
}

function mirrorFolder(folder: string): ModelSource {
  return {
    name: folder,
    async list(repo) {
      const root = join(folder, repo);
      if (!existsSync(root)) return undefined;
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      const paths = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
      return Promise.all(
        paths.map(async (path) => ({
          path: relative(root, path).split(sep).join("/"),
          bytes: (await stat(path)).size,
        })),
      );
    },
    async open(repo, path, fromByte) {
      return { start: fromByte, content: createReadStream(join(folder, repo, path), { start: fromByte }) };
    },
  };
}

const treeSchema = z.array(
  z.object({
    type: z.string(),
    path: z.string(),
    size: z.int().nonnegative(),
    oid: z.string(),
    lfs: z.object({ oid: z.string(), size: z.int().nonnegative() }).optional(),
  }),
);

function hub(endpoint: string, token: string | undefined, backoffMs: number): ModelSource {
  /** fetch() itself drops the authorization header when a redirect leaves the origin, as the one to the CDN does. */
  async function get(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const isOurs = url.origin === new URL(endpoint).origin;
    try {
      return await fetch(url, {
        headers: { ...headers, ...(token && isOurs ? { authorization: `Bearer ${token}` } : {}) },
        signal,
      });
    } catch (cause) {
      signal.throwIfAborted();
      const what = `${endpoint} cannot be reached (${reason(cause)})`;
      // A name that does not exist will not exist in a second either; mostly it means: no network.
      if (reason(cause) === "ENOTFOUND")
        throw new InferenceError("download_failed", `${what}: ${elsewhere}.`, { cause });
      throw new TransientError(what, undefined, { cause });
    }
  }

  function fail(response: Response, repo: string): never {
    void response.body?.cancel();
    const { status } = response;
    if (status === 429 || status >= 500) {
      throw new TransientError(`${endpoint} answered ${status}`, retryAfterMs(response));
    }
    if (response.headers.get("x-error-code") === "GatedRepo") {
      throw new InferenceError(
        "download_failed",
        `${repo} is gated: accept its terms at ${endpoint}/${repo}, then set HF_TOKEN to a token of that account.`,
      );
    }
    if (status === 401 || status === 403) {
      const how = token ? "check HF_TOKEN, it was refused" : "set HF_TOKEN";
      throw new InferenceError("download_failed", `${endpoint} does not give out ${repo} (${status}): ${how}.`);
    }
    throw new InferenceError(
      "download_failed",
      `${endpoint} answered ${status} for ${repo}: check HF_ENDPOINT, or try again later.`,
    );
  }

  return {
    name: endpoint,
    async list(repo, signal) {
      const files: RemoteFile[] = [];
      let next: URL | undefined = new URL(`${endpoint}/api/models/${repo}/tree/main?recursive=true`);
      while (next) {
        const url: URL = next;
        const { response, tree } = await retrying(signal, backoffMs, async () => {
          const response = await get(url, {}, signal);
          if (isUnknownRepo(response)) return { response, tree: undefined };
          if (!response.ok) fail(response, repo);
          return { response, tree: treeSchema.safeParse(await json(response)) };
        });
        if (!tree) return undefined;
        if (!tree.success) {
          throw new InferenceError(
            "download_failed",
            `${endpoint} does not answer as a Hugging Face hub does: check HF_ENDPOINT.`,
          );
        }
        files.push(...tree.data.filter((entry) => entry.type === "file").map(toRemoteFile));
        const link = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
        next = link ? new URL(link, url) : undefined;
      }
      return files;
    },
    async open(repo, path, fromByte, signal) {
      const url = new URL(`${endpoint}/${repo}/resolve/main/${path.split("/").map(encodeURIComponent).join("/")}`);
      // identity: byte ranges of a compressed answer would not be those of the file.
      const range = fromByte > 0 ? { range: `bytes=${fromByte}-` } : {};
      const response = await get(url, { "accept-encoding": "identity", ...range }, signal);
      if (!response.ok || !response.body) fail(response, repo);
      const start = Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? 0);
      return { start: response.status === 206 ? start : 0, content: body(endpoint, response.body, signal) };
    },
  };
}

/** A hub hides that a repository does not exist from callers it does not know: 401, told apart by its own header. */
function isUnknownRepo(response: Response): boolean {
  const code = response.headers.get("x-error-code");
  return response.status === 404 || (response.status === 401 && code === "RepoNotFound");
}

function toRemoteFile(entry: z.infer<typeof treeSchema>[number]): RemoteFile {
  const { path, lfs } = entry;
  return lfs ? { path, bytes: lfs.size, sha256: lfs.oid } : { path, bytes: entry.size, gitBlobId: entry.oid };
}

async function json(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function* body(
  name: string,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
  } catch (cause) {
    signal.throwIfAborted();
    throw new TransientError(`the connection to ${name} broke off (${reason(cause)})`, undefined, { cause });
  }
}

/** fetch() hides what happened in its error's cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error && "code" in cause) return String(cause.code);
  return cause instanceof Error ? cause.message : error.message;
}

function retryAfterMs(response: Response): number | undefined {
  const value = response.headers.get("retry-after");
  if (!value) return undefined;
  const seconds = Number(value);
  return Number.isFinite(seconds) ? seconds * 1000 : Math.max(0, Date.parse(value) - Date.now());
}

const maxTries = 5;
const maxWaitMs = 120_000;

/**
 * Tries again after a TransientError, waiting as long as the server asks, else twice as long each time.
 * `task` may report progress by calling `progressed`, after which it has all its tries again.
 * @throws InferenceError download_failed when the last try failed
 */
export async function retrying<T>(
  signal: AbortSignal,
  backoffMs: number,
  task: (progressed: () => void) => Promise<T>,
): Promise<T> {
  let tries = 0;
  const progressed = () => {
    tries = 0;
  };
  for (;;) {
    try {
      return await task(progressed);
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      const waitMs = error.retryAfterMs ?? backoffMs * 2 ** tries;
      tries += 1;
      if (tries >= maxTries || waitMs > maxWaitMs) {
        throw new InferenceError("download_failed", `${error.message}: ${elsewhere}.`, { cause: error });
      }
      await sleep(waitMs, undefined, { signal });
    }
  }
}
