// An upload in pieces, for files above 4 MB: it goes on where it broke off, and begins anew when Microsoft forgot it.
import { PlatformError } from "../../../core/errors.ts";
import { isAmong } from "../../download.ts";
import type { Graph, GraphCall } from "./client.ts";
import type { GraphHosts } from "./clouds.ts";
import type { DriveItem } from "./drive-items.ts";
import { graphStatus, refusal, unanswered } from "./errors.ts";

export interface SessionParts {
  readonly graph: Graph;
  readonly hosts: GraphHosts;
  readonly sleep: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>;
}

/** Ref: Microsoft Graph, "driveItem: createUploadSession": pieces are multiples of 320 KiB, best 5 to 10 MiB. */
const PIECE_BYTES = 16 * 320 * 1024;
const PIECE_MS = 120_000;
const MOST_TRIES = 5;
const MOST_PATIENCE_MS = 10_000;
const MOST_SESSIONS = 2;
const DOING = { doing: "a piece of an upload" };

/** @param asked creates the session. @throws PlatformError rejected with 409 where the name is taken */
export async function uploadInPieces(
  asked: GraphCall,
  content: Uint8Array<ArrayBuffer>,
  parts: SessionParts,
): Promise<DriveItem> {
  for (let sessions = 1; ; sessions++) {
    try {
      return await inOneSession(asked, content, parts);
    } catch (error) {
      if (graphStatus(error) !== 404 || sessions === MOST_SESSIONS) throw error;
    }
  }
}

async function inOneSession(
  asked: GraphCall,
  content: Uint8Array<ArrayBuffer>,
  { graph, hosts, sleep }: SessionParts,
): Promise<DriveItem> {
  const { uploadUrl = "" } = await graph.post<{ uploadUrl?: string }>(asked);
  if (!URL.canParse(uploadUrl) || !isAmong(new URL(uploadUrl).origin, hosts.files)) {
    throw new PlatformError("rejected", "Microsoft named a place for an upload that is none of its own.");
  }
  const { signal } = asked;
  let from = 0;
  for (let tries = 1; ; ) {
    try {
      const told = await put(uploadUrl, content, from, signal);
      if (told.item !== undefined) return told.item;
      from = told.next;
      tries = 1;
    } catch (error) {
      signal?.throwIfAborted();
      const { code, retryAfterMs } = error instanceof PlatformError ? error : { code: "", retryAfterMs: undefined };
      const waitMs = retryAfterMs ?? 200 * 2 ** tries;
      // 416: this piece is there already; where to go on is asked for.
      const canGoOn = code === "unavailable" || code === "rate_limited" || graphStatus(error) === 416;
      if (!canGoOn || tries === MOST_TRIES || waitMs > MOST_PATIENCE_MS) throw await left(uploadUrl, error);
      tries++;
      await sleep(waitMs, signal);
      from = await nextOf(uploadUrl, from, signal);
    }
  }
}

interface Put {
  readonly item?: DriveItem;
  readonly next: number;
}

async function put(url: string, content: Uint8Array<ArrayBuffer>, from: number, signal?: AbortSignal): Promise<Put> {
  const piece = content.subarray(from, from + PIECE_BYTES);
  const to = from + piece.length;
  const answer = await send(url, signal, {
    method: "PUT",
    headers: { "content-range": `bytes ${from}-${to - 1}/${content.length}` },
    body: piece,
  });
  const told = answer as DriveItem & Ranges;
  return told.id === undefined ? { next: nextIn(told, to) } : { item: told, next: to };
}

interface Ranges {
  readonly nextExpectedRanges?: readonly string[];
}

async function nextOf(url: string, before: number, signal?: AbortSignal): Promise<number> {
  return nextIn((await send(url, signal, { method: "GET" })) as Ranges, before);
}

function nextIn({ nextExpectedRanges }: Ranges, otherwise: number): number {
  const next = Number(/^(\d+)/.exec(nextExpectedRanges?.[0] ?? "")?.[1] ?? otherwise);
  return Number.isSafeInteger(next) ? next : otherwise;
}

/** The address is the permission: no token goes along. */
async function send(url: string, signal: AbortSignal | undefined, init: RequestInit): Promise<object> {
  const timeout = AbortSignal.timeout(PIECE_MS);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      ...init,
      redirect: "error",
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    text = await response.text();
  } catch (cause) {
    throw unanswered(cause, DOING);
  }
  const answer = parsed(text);
  if (!response.ok) throw refusal(response, answer, DOING);
  return answer;
}

/** What was begun is given up, so that it takes no room in the drive. */
async function left(url: string, error: unknown): Promise<unknown> {
  await fetch(url, { method: "DELETE", redirect: "error", signal: AbortSignal.timeout(5000) }).catch(() => {});
  return error;
}

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
