// Calls of Microsoft Graph: typed by the caller, patient with short waits that Graph asks for, bounded in everything.
import { setTimeout as wait } from "node:timers/promises";
import { PlatformError } from "../../../core/errors.ts";
import type { FileLink } from "../../download.ts";
import type { GraphHosts } from "./clouds.ts";
import { type Doing, refusal, unanswered } from "./errors.ts";
import type { GraphPath } from "./path.ts";
import type { Tokens } from "./tokens.ts";

export interface GraphCall extends Doing {
  readonly path: GraphPath;
  /** "$select" and the like. */
  readonly query?: Readonly<Record<string, string>>;
  /** JSON, or bytes with their type. */
  readonly body?: unknown;
  readonly bytes?: { readonly content: Uint8Array<ArrayBuffer>; readonly mimeType: string };
  /** What is not in v1.0 yet. */
  readonly isBeta?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface Graph {
  /** The answer's JSON as its documentation has it; undefined after 204. @throws PlatformError */
  get<Result>(call: GraphCall): Promise<Result>;
  post<Result>(call: GraphCall): Promise<Result>;
  put<Result>(call: GraphCall): Promise<Result>;
  patch<Result>(call: GraphCall): Promise<Result>;
  delete(call: GraphCall): Promise<void>;
  /** Every item of a collection, page after page. */
  list<Item>(call: GraphCall): AsyncGenerator<Item, void, undefined>;
  /** Where content lies behind a path, and what Graph alone may be sent along: for the guarded download. */
  content(path: GraphPath): Promise<FileLink>;
}

export interface GraphClientParts {
  readonly hosts: GraphHosts;
  readonly tokens: Tokens;
  readonly now: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>;
}

const CALL_MS = 30_000;
/** A longer wait is for the job's own retry, which holds nothing up meanwhile. */
const MOST_PATIENCE_MS = 10_000;
const MOST_TRIES = 4;
/** Before a second try of what failed without a word about when. */
const FIRST_PAUSE_MS = 300;
const MOST_PAGES = 200;

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export function createGraphClient({ hosts, tokens, now, sleep = idle }: GraphClientParts): Graph {
  /** Graph counts by the part of Microsoft 365 behind it, so that "drives" may pause while "chats" go on. */
  const pausedUntilMs = new Map<string, number>();

  async function call<Result>(method: Method, asked: GraphCall): Promise<Result> {
    return request<Result>(method, addressOf(asked), asked);
  }

  async function request<Result>(method: Method, url: URL, asked: GraphCall): Promise<Result> {
    const part = url.pathname.split("/")[2] ?? "";
    let isStale = false;
    for (let tries = 1; ; tries++) {
      const paused = (pausedUntilMs.get(part) ?? 0) - now();
      if (paused > MOST_PATIENCE_MS) throw pausing(asked, paused);
      if (paused > 0) await sleep(paused, asked.signal);
      try {
        return (await attempt(method, url, asked, isStale)) as Result;
      } catch (error) {
        asked.signal?.throwIfAborted();
        if (!(error instanceof PlatformError)) throw error;
        const { code, retryAfterMs } = error;
        if (retryAfterMs !== undefined) pausedUntilMs.set(part, now() + retryAfterMs);
        const waitMs = retryAfterMs ?? FIRST_PAUSE_MS * 2 ** (tries - 1);
        const canRepeat =
          code === "rate_limited" ||
          // What was posted may have been done although nobody said so.
          (code === "unavailable" && (method !== "POST" || retryAfterMs !== undefined)) ||
          (code === "unauthorized" && !isStale);
        if (!canRepeat || waitMs > MOST_PATIENCE_MS || tries === MOST_TRIES) throw error;
        if (code === "unauthorized") isStale = true;
        else if (retryAfterMs === undefined) await sleep(waitMs, asked.signal);
      }
    }
  }

  async function attempt(method: Method, url: URL, asked: GraphCall, isStale: boolean): Promise<unknown> {
    const { body, bytes } = asked;
    const headers: Record<string, string> = {
      authorization: `Bearer ${await tokens.bearer(isStale)}`,
      accept: "application/json",
      "user-agent": "Earshot",
    };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (bytes !== undefined) headers["content-type"] = bytes.mimeType;
    const sent = bytes?.content ?? (body === undefined ? undefined : JSON.stringify(body));
    const timeout = AbortSignal.timeout(CALL_MS);
    const signal = asked.signal === undefined ? timeout : AbortSignal.any([asked.signal, timeout]);
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, {
        method,
        headers,
        ...(sent === undefined ? {} : { body: sent }),
        redirect: "error",
        signal,
      });
      text = await response.text();
    } catch (cause) {
      if (asked.signal?.aborted) throw asked.signal.reason;
      throw unanswered(cause, asked);
    }
    const answer = parsed(text);
    if (!response.ok) throw refusal(response, answer, asked);
    if (text !== "" && answer === undefined) {
      throw new PlatformError("unavailable", `Microsoft answered to ${asked.doing} with something that is not JSON.`);
    }
    return answer;
  }

  function addressOf({ path, query = {}, isBeta }: GraphCall): URL {
    const url = new URL(`${hosts.graph}/${isBeta ? "beta" : "v1.0"}${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url;
  }

  /** A page's link is followed on Graph's own host alone: the token goes with it. */
  function nextAddress(link: string, { doing }: GraphCall): URL {
    const url = URL.canParse(link) ? new URL(link) : undefined;
    if (url?.origin !== new URL(hosts.graph).origin) {
      throw new PlatformError("rejected", `The next page of ${doing} lies outside Microsoft Graph.`);
    }
    return url;
  }

  return {
    get: (asked) => call("GET", asked),
    post: (asked) => call("POST", asked),
    put: (asked) => call("PUT", asked),
    patch: (asked) => call("PATCH", asked),
    delete: (asked) => call("DELETE", asked),

    async *list<Item>(asked: GraphCall) {
      let url: URL | undefined = addressOf(asked);
      for (let pages = 0; url !== undefined; pages++) {
        if (pages === MOST_PAGES)
          throw new PlatformError("rejected", `There is no end to the pages of ${asked.doing}.`);
        const page: Page<Item> = await request("GET", url, asked);
        yield* page.value ?? [];
        const next = page["@odata.nextLink"];
        url = next === undefined ? undefined : nextAddress(next, asked);
      }
    },

    async content(path) {
      const credentials = { authorization: `Bearer ${await tokens.bearer()}` };
      return { url: `${hosts.graph}/v1.0${path}`, credentials };
    },
  };
}

interface Page<Item> {
  readonly value?: readonly Item[];
  readonly "@odata.nextLink"?: string;
}

function pausing({ doing }: Doing, retryAfterMs: number): PlatformError {
  return new PlatformError("rate_limited", `Microsoft asked to wait before ${doing}.`, { retryAfterMs });
}

function parsed(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A wait that keeps no process alive. */
function idle(ms: number, signal: AbortSignal | undefined): Promise<unknown> {
  return wait(ms, undefined, { ref: false, ...(signal === undefined ? {} : { signal }) });
}
