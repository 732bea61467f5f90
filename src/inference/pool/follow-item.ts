// Follows one item in the pool from the asking to its end, and hands over what is finished as it comes.
import type { TranscriberEvents, TranscriberOptions, TranscriberResult } from "../../core/ports.ts";
import { received } from "../child-protocol.ts";
import type { ItemCalls } from "./item-calls.ts";
import type { LogEntry } from "./protocol.ts";

export interface Following {
  readonly calls: ItemCalls;
  readonly resume: TranscriberOptions["resume"];
  readonly putAudio: () => Promise<void>;
  readonly on: TranscriberEvents;
  /** Called again and again for as long as nothing goes on. */
  readonly idle: () => void;
  readonly signal: AbortSignal;
}

/** How often to look for news when nobody rings, and whether the item is still there. */
const LOOK_MS = 5000;

/**
 * The machines do not wait for the gateway: a window is safe as soon as it is in the log, where NATS keeps it. Here the
 * caller still gets the next one only when it has kept the last, so for the caller nothing is different.
 * @throws UserError, InferenceError as the machine told it; what the events throw; the signal's reason
 */
export async function followItem({ calls, resume, putAudio, on, idle, signal }: Following): Promise<TranscriberResult> {
  const segments = [...(resume?.segments ?? [])];
  let checkpoint = resume?.checkpoint;
  let heardSeconds = -1;
  let isBegun = false;

  function progress({ seconds, duration, work }: Extract<LogEntry, { readonly kind: "heard" }>): void {
    // A machine that goes on where another died begins before that one's end.
    if (seconds <= heardSeconds) return;
    heardSeconds = seconds;
    on.progress(seconds, duration, work);
  }

  /** @returns the result, when this is it */
  async function take(entry: LogEntry): Promise<TranscriberResult | undefined> {
    signal.throwIfAborted();
    switch (entry.kind) {
      case "began":
        isBegun = true;
        return undefined;
      case "released":
        isBegun = false;
        return undefined;
      case "heard":
        progress(entry);
        return undefined;
      case "window":
        segments.push(...entry.segments);
        checkpoint = entry.checkpoint;
        progress({ ...entry, kind: "heard" });
        await on.window(entry.segments, entry.checkpoint);
        return undefined;
      case "lost":
        isBegun = false;
        await putAudio();
        await calls.offer();
        return undefined;
      case "done": {
        const { result } = entry;
        return result.segments.length > 0 ? result : { ...result, segments };
      }
      case "failed":
        throw received(entry.error);
      case "asked":
      case "resumed":
        return undefined;
      default:
        return entry satisfies never;
    }
  }

  for (;;) {
    const asked = await calls.ask(checkpoint === undefined ? undefined : { checkpoint, segments }, putAudio);
    isBegun = asked.isBegun;
    for (let part = asked, isKnown = true; isKnown; ) {
      for (const entry of part.entries) {
        const result = await take(entry);
        if (result !== undefined) return result;
      }
      part = { ...(await calls.more(part.last, LOOK_MS)), isBegun };
      // Cleared away by another gateway, by time, or with a server's disk: what was kept here is where it goes on.
      if (part.entries.length > 0) continue;
      if (!isBegun) idle();
      isKnown = await calls.isKnown();
      // For the case that the work stream alone was lost; else it is there and stays as it is.
      if (isKnown) await calls.offer();
    }
  }
}
