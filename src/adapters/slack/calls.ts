// Calls of Slack's Web API: paced for each channel, patient with short waits that Slack asks for.
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../../core/errors.ts";
import { asPlatformError } from "./errors.ts";

export interface Calls {
  /** @throws PlatformError instead of the SDK's own errors */
  call<Result>(doing: string, call: () => Promise<Result>): Promise<Result>;
  /** The same in a channel's turn: Slack takes about one message a second there. */
  post<Result>(channel: string, doing: string, call: () => Promise<Result>): Promise<Result>;
}

export interface CallsOptions {
  readonly postEveryMs: number;
  readonly now: () => number;
}

/** A longer wait is for the job's own retry, which holds nothing up meanwhile. */
const MOST_PATIENCE_MS = 10_000;
const MOST_TRIES = 4;

export function createCalls({ postEveryMs, now }: CallsOptions): Calls {
  /** Channel -> when its next message may be posted, in ms since 1970. */
  const turns = new Map<string, number>();

  async function call<Result>(doing: string, attempt: () => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries++) {
      try {
        return await attempt();
      } catch (raw) {
        const error = asPlatformError(raw, doing);
        const waitMs = error instanceof PlatformError && error.code === "rate_limited" ? error.retryAfterMs : undefined;
        if (waitMs === undefined || waitMs > MOST_PATIENCE_MS || tries === MOST_TRIES) throw error;
        await sleep(waitMs, undefined, { ref: false });
      }
    }
  }

  async function turn(channel: string): Promise<void> {
    const at = Math.max(now(), turns.get(channel) ?? 0);
    turns.set(channel, at + postEveryMs);
    if (at > now()) await sleep(at - now(), undefined, { ref: false });
  }

  return {
    call,
    post: (channel, doing, attempt) =>
      call(doing, async () => {
        await turn(channel);
        return attempt();
      }),
  };
}
