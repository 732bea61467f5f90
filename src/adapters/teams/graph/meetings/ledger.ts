// What is written down about meetings: the subscription, recordings that wait, those that were heard, and where to look.
import type { PlatformNotes } from "../../../../core/ports.ts";
import type { RecordingRef } from "./notifications.ts";

export interface SubscriptionNote {
  /** "" while it is being made. */
  readonly id: string;
  /** Only Microsoft and we know it. */
  readonly clientState: string;
  readonly resource: string;
  readonly url: string;
  readonly expiresAtMs: number;
}

/** A recording that was told of and is not handed on yet. */
export interface Waiting extends RecordingRef {
  readonly sinceMs: number;
  readonly failures: number;
  readonly nextAtMs: number;
}

/** Whose recordings are looked for after a time away: an organizer's, or one meeting's. */
export interface Watched {
  readonly organizer: string;
  /** Nothing from before is taken. */
  readonly sinceMs: number;
  /** Up to here all were seen. */
  readonly seenUpToMs: number;
  /** When something was last heard of it. */
  readonly activeAtMs: number;
}

const SUBSCRIPTION = "graph:subscription";
const EARLIER = "graph:earlier-subscription";
const WAITING = "graph:waiting:";
const HEARD = "graph:heard:";
const ORGANIZER = "graph:organizer:";
const MEETING = "graph:meeting:";

/** Longer than a recording can be told of again. */
const HEARD_MS = 60 * 24 * 3_600_000;
/** A meeting, or an organizer, of which nothing was heard for so long. */
const WATCHED_MS = 120 * 24 * 3_600_000;

export interface Ledger {
  subscriptions(): Promise<{ readonly current?: SubscriptionNote; readonly earlier?: SubscriptionNote }>;
  subscribed(note: SubscriptionNote): Promise<void>;
  /** The current one is no more; what it sent can still arrive. */
  unsubscribed(): Promise<void>;
  /** False: it waits already, or was heard. */
  wait(ref: RecordingRef, nowMs: number): Promise<boolean>;
  waiting(): Promise<readonly Waiting[]>;
  again(waiting: Waiting): Promise<void>;
  heard(ref: RecordingRef): Promise<void>;
  watch(kind: WatchedKind, key: string, watched: Watched): Promise<void>;
  watched(kind: WatchedKind): Promise<readonly (Watched & { readonly key: string })[]>;
  watchedOne(kind: WatchedKind, key: string): Promise<Watched | undefined>;
  prune(nowMs: number): Promise<void>;
}

export type WatchedKind = "organizer" | "meeting";

export function createLedger(notes: PlatformNotes): Ledger {
  const prefixOf = (kind: WatchedKind) => (kind === "organizer" ? ORGANIZER : MEETING);

  return {
    async subscriptions() {
      const current = asSubscription(await notes.get(SUBSCRIPTION));
      const earlier = asSubscription(await notes.get(EARLIER));
      return { ...(current === undefined ? {} : { current }), ...(earlier === undefined ? {} : { earlier }) };
    },
    subscribed: (note) => notes.put(SUBSCRIPTION, note),
    async unsubscribed() {
      const current = asSubscription(await notes.get(SUBSCRIPTION));
      if (current !== undefined && current.id !== "") await notes.put(EARLIER, current);
      await notes.remove(SUBSCRIPTION);
    },

    async wait({ meeting, recording, organizer }, nowMs) {
      if ((await notes.get(HEARD + recording)) !== undefined) return false;
      if ((await notes.get(WAITING + recording)) !== undefined) return false;
      const ref = { meeting, recording, ...(organizer === undefined ? {} : { organizer }) };
      const waiting: Waiting = { ...ref, sinceMs: nowMs, failures: 0, nextAtMs: nowMs };
      await notes.put(WAITING + recording, waiting);
      return true;
    },
    async waiting() {
      return (await notes.list(WAITING)).flatMap(({ value }) => asWaiting(value) ?? []);
    },
    again: (waiting) => notes.put(WAITING + waiting.recording, waiting),
    async heard({ recording }) {
      // In this order: a crash between the two hears it once more, and the queue knows it then.
      await notes.put(HEARD + recording, true);
      await notes.remove(WAITING + recording);
    },

    watch: (kind, key, watched) => notes.put(prefixOf(kind) + key, watched),
    async watched(kind) {
      const prefix = prefixOf(kind);
      return (await notes.list(prefix)).flatMap(({ key, value }) => {
        const watched = asWatched(value);
        return watched === undefined ? [] : [{ ...watched, key: key.slice(prefix.length) }];
      });
    },
    watchedOne: async (kind, key) => asWatched(await notes.get(prefixOf(kind) + key)),

    async prune(nowMs) {
      const outdated = [
        ...(await notes.list(HEARD)).filter(({ atMs }) => atMs < nowMs - HEARD_MS),
        ...[...(await notes.list(ORGANIZER)), ...(await notes.list(MEETING))].filter(
          ({ value }) => (asWatched(value)?.activeAtMs ?? 0) < nowMs - WATCHED_MS,
        ),
      ];
      for (const { key } of outdated) await notes.remove(key);
    },
  };
}

function asSubscription(value: unknown): SubscriptionNote | undefined {
  return hasStrings(value, "id", "clientState", "resource", "url") && hasNumbers(value, "expiresAtMs")
    ? (value as unknown as SubscriptionNote)
    : undefined;
}

function asWaiting(value: unknown): Waiting | undefined {
  return hasStrings(value, "meeting", "recording") && hasNumbers(value, "sinceMs", "failures", "nextAtMs")
    ? (value as unknown as Waiting)
    : undefined;
}

function asWatched(value: unknown): Watched | undefined {
  return hasStrings(value, "organizer") && hasNumbers(value, "sinceMs", "seenUpToMs", "activeAtMs")
    ? (value as unknown as Watched)
    : undefined;
}

type Fields = Readonly<Record<string, unknown>>;

function hasStrings(value: unknown, ...names: readonly string[]): value is Fields {
  return (
    typeof value === "object" && value !== null && names.every((name) => typeof (value as Fields)[name] === "string")
  );
}

function hasNumbers(value: unknown, ...names: readonly string[]): value is Fields {
  return (
    typeof value === "object" && value !== null && names.every((name) => typeof (value as Fields)[name] === "number")
  );
}
