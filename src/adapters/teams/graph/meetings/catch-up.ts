// What was missed: recordings are listed from where they were last all seen, and the ledger knows which of them are new.
import type { Graph } from "../client.ts";
import { isRefused } from "../errors.ts";
import type { MeetingSource } from "../index.ts";
import { type GraphPath, path } from "../path.ts";
import { RECORDINGS_READ } from "../permissions.ts";
import type { Ledger, Watched, WatchedKind } from "./ledger.ts";
import { isUserId, meetingIdOf } from "./meeting-id.ts";
import { type CallRecording, timeOf } from "./recordings.ts";

export interface CatchUpParts {
  readonly graph: Graph;
  readonly ledger: Ledger;
  readonly source: MeetingSource;
  readonly warn: (sentence: string) => void;
  readonly now: () => number;
}

/**
 * A recording carries the time at which it began, and is there hours after it ended: so far back a look overlaps with
 * the one before.
 */
const OVERLAP_MS = 36 * 3_600_000;
/** How long ago the longest recording may have begun that ends after Earshot came. */
const BEFORE_MS = 4 * 3_600_000;

/** @returns false when something could not be seen, and is to be looked at again */
export async function catchUp(
  { graph, ledger, source, warn, now }: CatchUpParts,
  signal: AbortSignal,
): Promise<boolean> {
  const kind: WatchedKind = source.kind === "installed" ? "meeting" : "organizer";
  let isComplete = true;
  for (const watched of await ledger.watched(kind)) {
    signal.throwIfAborted();
    const startedAtMs = now();
    try {
      await look(watched);
    } catch (error) {
      signal.throwIfAborted();
      if (isRefused(error, "forbidden", "unauthorized")) warn(error.message);
      // A meeting or a person that is no more has nothing that is missed.
      if (isRefused(error, "forbidden", "gone", "rejected")) continue;
      if (!isRefused(error, "rate_limited", "unavailable", "unauthorized")) throw error;
      isComplete = false;
      continue;
    }
    await ledger.watch(kind, watched.key, { ...without(watched), seenUpToMs: startedAtMs });
  }
  await ledger.prune(now());
  return isComplete;

  async function look({ key, organizer, sinceMs, seenUpToMs }: Watched & { readonly key: string }): Promise<void> {
    const fromMs = Math.max(sinceMs - BEFORE_MS, seenUpToMs - OVERLAP_MS);
    const listed = graph.list<CallRecording>({
      path: kind === "meeting" ? recordingsOf({ organizer, chat: key }) : recordingsBy(organizer, fromMs),
      doing: "what was recorded meanwhile",
      needs: RECORDINGS_READ,
      signal,
    });
    for await (const { id, meetingId, createdDateTime } of listed) {
      const meeting = meetingId ?? (kind === "meeting" ? meetingIdOf({ organizer, chat: key }) : undefined);
      if (id === undefined || meeting === undefined) continue;
      if ((timeOf(createdDateTime) ?? now()) < fromMs) continue;
      await ledger.wait({ recording: id, meeting, organizer }, now());
    }
  }
}

/** Ref: Microsoft Graph, "List recordings" */
function recordingsOf(meeting: { readonly organizer: string; readonly chat: string }): GraphPath {
  return path`/users/${meeting.organizer}/onlineMeetings/${meetingIdOf(meeting)}/recordings`;
}

/** Ref: Microsoft Graph, "onlineMeeting: getAllRecordings" */
function recordingsBy(organizer: string, fromMs: number): GraphPath {
  const from = new Date(fromMs).toISOString();
  return path`/users/${organizer}/onlineMeetings/getAllRecordings(meetingOrganizerUserId='${organizer}',startDateTime=${from})`;
}

function without({ organizer, sinceMs, seenUpToMs, activeAtMs }: Watched): Watched {
  return { organizer, sinceMs, seenUpToMs, activeAtMs };
}

/** From now on this organizer's recordings, and this meeting's, are looked for after a time away. */
export async function watchMeeting(
  { organizer, chat }: { readonly organizer: string; readonly chat: string },
  ledger: Ledger,
  nowMs: number,
): Promise<void> {
  if (!isUserId(organizer)) return;
  for (const [kind, key] of [
    ["organizer", organizer],
    ["meeting", chat],
  ] as const) {
    const known = await ledger.watchedOne(kind, key);
    // Written once a day at most: every message in a meeting's chat leads here.
    if (known !== undefined && known.activeAtMs > nowMs - 24 * 3_600_000) continue;
    const watched = known ?? { organizer, sinceMs: nowMs, seenUpToMs: nowMs };
    await ledger.watch(kind, key, { ...watched, activeAtMs: nowMs });
  }
}
