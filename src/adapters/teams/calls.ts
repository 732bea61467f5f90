// Calls of the Bot Connector: paced for each conversation, patient with short waits that Teams asks for.
import { setTimeout as wait } from "node:timers/promises";
import { PlatformError } from "../../core/errors.ts";
import { statusOf } from "./errors.ts";

export interface Calls {
  /** In the conversation's turn. @throws PlatformError */
  call<Result>(conversation: string, attempt: () => Promise<Result>): Promise<Result>;
}

export interface CallsOptions {
  readonly callEveryMs: number;
  readonly now: () => number;
  readonly sleep?: (ms: number) => Promise<unknown>;
}

/** A longer wait is for the job's own retry, which holds nothing up meanwhile. */
const MOST_PATIENCE_MS = 10_000;
const MOST_TRIES = 4;
const CONFLICT_MS = 300;
const MOST_TURNS = 5000;

export function createCalls({ callEveryMs, now, sleep = idle }: CallsOptions): Calls {
  /** Conversation -> when its next call may be made, in ms since 1970. */
  const turns = new Map<string, number>();

  async function turn(conversation: string): Promise<void> {
    const at = Math.max(now(), turns.get(conversation) ?? 0);
    turns.delete(conversation);
    turns.set(conversation, at + callEveryMs);
    const [oldest] = turns.keys();
    if (turns.size > MOST_TURNS && oldest !== undefined) turns.delete(oldest);
    if (at > now()) await sleep(at - now());
  }

  return {
    async call(conversation, attempt) {
      for (let tries = 1; ; tries++) {
        await turn(conversation);
        try {
          return await attempt();
        } catch (error) {
          const waitMs = patienceOf(error);
          if (waitMs === undefined || waitMs > MOST_PATIENCE_MS || tries === MOST_TRIES) throw error;
          await sleep(waitMs);
        }
      }
    },
  };
}

/** Only what was refused before it was done is tried again at once: after a 502 or 504 a message may be there. */
function patienceOf(error: unknown): number | undefined {
  if (!(error instanceof PlatformError)) return undefined;
  if (error.code === "rate_limited") return error.retryAfterMs ?? 1000;
  return statusOf(error) === 412 ? CONFLICT_MS : undefined;
}

/** A wait that keeps no process alive. */
function idle(ms: number): Promise<void> {
  return wait(ms, undefined, { ref: false });
}
