// Where an item stands, by its log: pure, and the same for the gateway and for every machine.
import type { Segment } from "../../core/transcript.ts";
import type { LogEntry } from "./protocol.ts";

export interface Standing {
  /** A gateway wants it. */
  readonly isAsked: boolean;
  readonly segments: readonly Segment[];
  /** Of the last finished window; undefined: from the beginning. */
  readonly checkpoint: unknown;
  /** Machines that began since the last window, and neither finished one nor gave the item back unharmed. */
  readonly fruitless: readonly string[];
  /** What those who gave it back for a reason said last. */
  readonly lastReason: string | undefined;
  readonly isOver: boolean;
}

/** A machine that dies is no news; a recording that ends so many, one after the other, without a window is. */
export const MOST_FRUITLESS = 5;

export function standing(entries: readonly LogEntry[]): Standing {
  let isAsked = false;
  let segments: Segment[] = [];
  let checkpoint: unknown;
  let fruitless: string[] = [];
  let lastReason: string | undefined;
  let isOver = false;
  for (const entry of entries) {
    switch (entry.kind) {
      case "asked":
        isAsked = true;
        break;
      case "resumed":
        segments = [...entry.segments];
        checkpoint = entry.checkpoint;
        break;
      case "began":
        fruitless = [...fruitless, entry.worker];
        break;
      case "window":
        segments = [...segments, ...entry.segments];
        checkpoint = entry.checkpoint;
        fruitless = [];
        lastReason = undefined;
        break;
      case "released":
        if (entry.isUnharmed) fruitless = fruitless.slice(0, -1);
        else lastReason = entry.why;
        break;
      case "lost":
        fruitless = fruitless.slice(0, -1);
        break;
      case "heard":
        break;
      case "done":
      case "failed":
        isOver = true;
        break;
      default:
        entry satisfies never;
    }
  }
  return { isAsked, segments, checkpoint, fruitless, lastReason, isOver };
}
