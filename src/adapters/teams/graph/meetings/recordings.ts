// A meeting's recording as Graph describes it: when, by whom, and the chat in which to answer.
import { PlatformError } from "../../../../core/errors.ts";
import type { Graph } from "../client.ts";
import { isRefused } from "../errors.ts";
import type { MeetingRecording } from "../index.ts";
import { type GraphPath, path } from "../path.ts";
import { MEETINGS_READ, RECORDINGS_READ } from "../permissions.ts";
import { CHAT, isUserId, readMeetingId } from "./meeting-id.ts";
import type { RecordingRef } from "./notifications.ts";

/** Ref: Microsoft Graph, "callRecording resource type" */
export interface CallRecording {
  readonly id?: string;
  readonly meetingId?: string;
  readonly createdDateTime?: string | null;
  readonly endDateTime?: string | null;
  readonly meetingOrganizer?: { readonly user?: { readonly id?: string | null } | null } | null;
}

interface OnlineMeeting {
  readonly subject?: string | null;
  readonly chatInfo?: { readonly threadId?: string | null } | null;
}

/** @throws PlatformError gone, forbidden (naming the permission), rate_limited, unavailable */
export async function describeRecording(
  ref: RecordingRef,
  graph: Graph,
  nowMs: number,
  signal: AbortSignal,
): Promise<MeetingRecording> {
  const { meeting, recording } = ref;
  const told = await read(ref, graph, signal);
  const organizer = told.meetingOrganizer?.user?.id ?? ref.organizer ?? readMeetingId(meeting)?.organizer;
  if (organizer === undefined || !isUserId(organizer)) {
    throw new PlatformError("gone", "Microsoft does not say who organized a meeting with a recording.");
  }
  const { chat, subject } = await meetingOf(organizer, meeting, graph, signal);
  const startedAtMs = timeOf(told.createdDateTime) ?? nowMs;
  const endedAtMs = timeOf(told.endDateTime);
  return {
    id: recording,
    chat,
    organizer,
    subject,
    startedAtMs,
    durationSeconds: endedAtMs !== undefined && endedAtMs > startedAtMs ? (endedAtMs - startedAtMs) / 1000 : undefined,
    name: `${subject ?? "Meeting"} ${new Date(startedAtMs).toISOString().slice(0, 10)}.mp4`,
    source: { from: "meeting", organizer, meeting, recording },
  };
}

/** By its organizer, as is documented, and by the meeting alone, as the notification names it. */
async function read(ref: RecordingRef, graph: Graph, signal: AbortSignal): Promise<CallRecording> {
  const { meeting, recording } = ref;
  const asked = (at: GraphPath) =>
    graph.get<CallRecording>({ path: at, doing: "a meeting's recording", needs: RECORDINGS_READ, signal });
  const byMeeting = () => asked(path`/communications/onlineMeetings/${meeting}/recordings/${recording}`);
  const told = ref.organizer;
  const organizer = told ?? readMeetingId(meeting)?.organizer;
  if (organizer === undefined) return byMeeting();
  try {
    return await asked(path`/users/${organizer}/onlineMeetings/${meeting}/recordings/${recording}`);
  } catch (error) {
    if (told !== undefined || !isRefused(error, "gone", "rejected")) throw error;
    return byMeeting();
  }
}

async function meetingOf(
  organizer: string,
  meeting: string,
  graph: Graph,
  signal: AbortSignal,
): Promise<{ readonly chat: string; readonly subject: string | undefined }> {
  const fromId = readMeetingId(meeting)?.chat;
  try {
    const { subject, chatInfo } = await graph.get<OnlineMeeting>({
      path: path`/users/${organizer}/onlineMeetings/${meeting}`,
      doing: "a meeting's chat",
      needs: MEETINGS_READ,
      signal,
    });
    const chat = chatInfo?.threadId ?? fromId;
    if (chat === undefined || !CHAT.test(chat)) {
      throw new PlatformError("gone", "A meeting with a recording has no chat to answer in.");
    }
    return { chat, subject: subject?.trim() || undefined };
  } catch (error) {
    // Without the permission to read meetings the id still says which chat it is.
    if (fromId === undefined || !isRefused(error, "forbidden", "gone", "rejected")) throw error;
    return { chat: fromId, subject: undefined };
  }
}

export function timeOf(text: string | null | undefined): number | undefined {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) || ms <= 0 ? undefined : ms;
}
