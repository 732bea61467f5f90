// Deletes what has been kept for its days, unless the clock is in doubt: what is deleted for good cannot wait for it to be
// set right.
import type { Observe, TranscriptStore } from "./ports.ts";

export interface Retention {
  /** To be called every hour. */
  look(): Promise<void>;
}

export interface RetentionParts {
  readonly transcripts: Pick<TranscriptStore, "expire">;
  /** When something was last written down by an earlier gateway. */
  readonly lastUsedMs: number | undefined;
  readonly observe: Observe;
  readonly now: () => number;
  /** Milliseconds that only ever grow, whatever is done to the clock. */
  readonly steady: () => number;
}

/** A gateway that was away for longer looks once before it deletes: its clock may be wrong until the network sets it. */
const AWAY_MS = 86_400_000;
const SET_MS = 600_000;

export function createRetention({ transcripts, lastUsedMs, observe, now, steady }: RetentionParts): Retention {
  let before: { readonly nowMs: number; readonly steadyMs: number } | undefined;

  function isInDoubt(nowMs: number, steadyMs: number): boolean {
    if (before === undefined) return lastUsedMs !== undefined && Math.abs(nowMs - lastUsedMs) > AWAY_MS;
    return Math.abs(nowMs - before.nowMs - (steadyMs - before.steadyMs)) > SET_MS;
  }

  return {
    async look() {
      const [nowMs, steadyMs] = [now(), steady()];
      const waits = isInDoubt(nowMs, steadyMs);
      before = { nowMs, steadyMs };
      if (waits) return;
      await transcripts.expire(nowMs).catch((error: unknown) => {
        observe({ kind: "unexpected", where: "retention", error });
      });
    },
  };
}
