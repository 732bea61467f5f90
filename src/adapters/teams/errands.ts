// Messages whose files have to be asked for first: written down before they are acknowledged, and done until it works,
// also after a restart. Teams waits 15 s for an answer and does not come again.
import { setTimeout as sleep } from "node:timers/promises";
import type { Activity } from "botbuilder";
import { PlatformError } from "../../core/errors.ts";
import type { Observe, PlatformNotes } from "../../core/ports.ts";
import { readActivity, record } from "./activity.ts";

export interface ErrandsParts {
  readonly notes: PlatformNotes;
  /** @throws what may work later */
  readonly run: (activity: Activity) => Promise<void>;
  readonly observe: Observe;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

export interface Errands {
  /** Resolves when it is done, or will be. @throws when it could not be written down */
  take(activity: Activity): Promise<void>;
  /** It is being done, or waits for that. */
  isTaken(conversation: string, message: string): Promise<boolean>;
  /** What an earlier start left. */
  resume(): Promise<void>;
}

const PATIENCE_MS = 10_000;
const TRY_AGAIN_AFTER_MS = [2000, 10_000, 60_000, 300_000];
/** Longer ago than this nobody waits for the answer any more. */
const KEPT_MS = 6 * 3_600_000;

export function createErrands({ notes, run, observe, signal, now }: ErrandsParts): Errands {
  async function work(key: string, activity: Activity, sinceMs: number): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await run(activity);
        break;
      } catch (error) {
        if (signal.aborted) return;
        observe({ kind: "unexpected", where: "a message on Teams", error });
        if (isFinal(error) || now() - sinceMs > KEPT_MS) break;
        const afterMs = TRY_AGAIN_AFTER_MS[Math.min(tries, TRY_AGAIN_AFTER_MS.length - 1)];
        await sleep(afterMs, undefined, { signal, ref: false }).catch(() => {});
        if (signal.aborted) return;
      }
    }
    await notes.remove(key);
  }

  function begin(key: string, activity: Activity, sinceMs: number): Promise<void> {
    const working = work(key, activity, sinceMs);
    working.catch((error: unknown) => {
      if (!signal.aborted) observe({ kind: "unexpected", where: "a message on Teams", error });
    });
    return working;
  }

  return {
    async take(activity) {
      const key = keyOf(activity.conversation.id, activity.id ?? "");
      await notes.put(key, kept(activity));
      const patience = new AbortController();
      const waited = sleep(PATIENCE_MS, undefined, { signal: patience.signal, ref: false }).catch(() => {});
      await Promise.race([begin(key, activity, now()), waited]).finally(() => patience.abort());
    },

    isTaken: async (conversation, message) => (await notes.get(keyOf(conversation, message))) !== undefined,

    async resume() {
      for (const { key, value, atMs } of await notes.list("errand:")) {
        signal.throwIfAborted();
        await begin(key, readActivity(value), atMs);
      }
    },
  };
}

/** Trying again does not help, such as where the bot was removed meanwhile. */
function isFinal(error: unknown): boolean {
  return error instanceof PlatformError && ["forbidden", "gone", "rejected"].includes(error.code);
}

function keyOf(conversation: string, message: string): string {
  return `errand:${conversation}:${message}`;
}

/** What is read again later. */
function kept(activity: Activity): object {
  const { type, id, channelId, serviceUrl, text, from, recipient, conversation, entities, replyToId } = activity;
  const { tenant, team, channel } = record(activity.channelData);
  // Links of files are for now alone.
  const attachments = (activity.attachments ?? []).filter(({ contentType }) => !/download\.info$/.test(contentType));
  const channelData = { tenant, team, channel };
  return {
    type,
    id,
    channelId,
    serviceUrl,
    text,
    from,
    recipient,
    conversation,
    entities,
    replyToId,
    channelData,
    attachments,
  };
}
