// Recordings that were told of -> the listener: written down first, handed on once, tried again while Graph cannot tell.
import { PlatformError } from "../../../../core/errors.ts";
import type { Observe } from "../../../../core/ports.ts";
import type { Graph } from "../client.ts";
import { isRefused } from "../errors.ts";
import type { HearMeeting, MeetingRecording } from "../index.ts";
import type { Ledger, Waiting } from "./ledger.ts";
import { describeRecording } from "./recordings.ts";

export interface InboxParts {
  readonly graph: Graph;
  readonly ledger: Ledger;
  readonly observe: Observe;
  readonly warn: (sentence: string) => void;
  readonly now: () => number;
}

export interface Inbox {
  /** Hands on what is due. @returns those that were taken */
  work(hear: HearMeeting, signal: AbortSignal): Promise<readonly MeetingRecording[]>;
}

const FIRST_BACKOFF_MS = 15_000;
const MOST_BACKOFF_MS = 30 * 60_000;
/** Long enough for an administrator to grant what is missing. */
const PATIENCE_MS = 48 * 3_600_000;

export function createInbox({ graph, ledger, observe, warn, now }: InboxParts): Inbox {
  async function failed(waiting: Waiting, error: unknown): Promise<void> {
    const isOver = isRefused(error, "gone") || now() - waiting.sinceMs > PATIENCE_MS;
    if (error instanceof PlatformError) {
      if (isRefused(error, "forbidden", "unauthorized") || isOver)
        warn(`${error.message}${isOver ? " The recording was left out." : ""}`);
    } else {
      observe({ kind: "unexpected", where: "a meeting's recording", error });
    }
    if (isOver) return ledger.heard(waiting);
    const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** waiting.failures, MOST_BACKOFF_MS);
    const told = error instanceof PlatformError ? (error.retryAfterMs ?? 0) : 0;
    const nextAtMs = now() + Math.max(backoffMs, told);
    await ledger.again({ ...waiting, failures: waiting.failures + 1, nextAtMs });
  }

  return {
    async work(hear, signal) {
      const taken: MeetingRecording[] = [];
      for (const waiting of await ledger.waiting()) {
        if (signal.aborted) break;
        if (waiting.nextAtMs > now()) continue;
        try {
          const recording = await describeRecording(waiting, graph, waiting.sinceMs, signal);
          if ((await hear(recording)) === "taken") taken.push(recording);
          await ledger.heard(waiting);
        } catch (error) {
          if (signal.aborted) break;
          await failed(waiting, error);
        }
      }
      return taken;
    },
  };
}
