// What a meeting's id says: Graph's ids of meetings are base64 of the organizer and the chat.
// Seen in every id of Microsoft's own documentation, and promised nowhere: used only where Graph tells nothing itself.

export interface MeetingIdParts {
  readonly organizer: string;
  /** "19:meeting_…@thread.v2" */
  readonly chat: string;
}

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Ids of Teams chats. */
export const CHAT = /^19:[\w.-]{1,200}@[\w.]{1,40}$/;

export function readMeetingId(id: string): MeetingIdParts | undefined {
  const [, organizer = "", chat = ""] =
    /^1\*([^*]+)\*0\*\*(.+)$/.exec(Buffer.from(id, "base64").toString("latin1")) ?? [];
  return GUID.test(organizer) && CHAT.test(chat) ? { organizer, chat } : undefined;
}

export function meetingIdOf({ organizer, chat }: MeetingIdParts): string {
  return Buffer.from(`1*${organizer}*0**${chat}`, "latin1").toString("base64");
}

export function isUserId(id: string): boolean {
  return GUID.test(id);
}
