// Listens to a platform, and tries again for as long as it takes where one cannot be reached: the others serve meanwhile.
import { dispositionOf, PlatformError } from "./errors.ts";
import type { Listener, Observe, Platform } from "./ports.ts";

export interface ListeningParts {
  readonly observe: Observe;
  /** Rejects when the signal ends. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<unknown>;
  /** In [0, 1), for the jitter. */
  readonly random: () => number;
}

const WAIT_MS = { first: 2000, longest: 300_000 };

/**
 * Resolves after the first try, whether it listens or is tried again later.
 * @throws what another try cannot mend: PlatformError unauthorized, forbidden, …; ConfigError; the signal's reason
 */
export async function keepListening(
  platform: Platform,
  listener: Listener,
  { observe, sleep, random }: ListeningParts,
  signal: AbortSignal,
): Promise<void> {
  /** @returns how long to wait before the next try; undefined: it listens */
  async function listens(tries: number): Promise<number | undefined> {
    try {
      await platform.listen(listener, signal);
      if (tries > 0) observe({ kind: "platform_back", platform: platform.name });
      return undefined;
    } catch (error) {
      if (signal.aborted || !(error instanceof PlatformError) || dispositionOf(error).kind !== "retry") throw error;
      const backoffMs = Math.min(WAIT_MS.longest, WAIT_MS.first * 2 ** tries) * (0.5 + random() / 2);
      const nextTryMs = Math.max(error.retryAfterMs ?? 0, Math.round(backoffMs));
      observe({ kind: "platform_away", platform: platform.name, nextTryMs, error });
      return nextTryMs;
    }
  }

  async function again(firstWaitMs: number): Promise<void> {
    let waitMs: number | undefined = firstWaitMs;
    for (let tries = 1; waitMs !== undefined; tries++) {
      await sleep(waitMs, signal);
      waitMs = await listens(tries);
    }
  }

  const waitMs = await listens(0);
  if (waitMs === undefined) return;
  void again(waitMs).catch((error: unknown) => {
    if (!signal.aborted) observe({ kind: "unexpected", where: `listening to ${platform.name}`, error });
  });
}
