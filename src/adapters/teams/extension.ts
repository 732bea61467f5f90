// The message extension: "Transcribe" in the menu of any message, in a conversation that the bot is in.
import type { Activity, InvokeResponse } from "botbuilder";
import { PlatformError } from "../../core/errors.ts";
import type { Listener, Observe } from "../../core/ports.ts";
import type { Place, Recording } from "../../core/recording.ts";
import type { Reply } from "../../core/reply.ts";
import { type Json, list, record, text } from "./activity.ts";
import { draw } from "./cards.ts";
import type { Conversations } from "./conversations.ts";
import { mediaKind } from "./graph/media-kind.ts";
import type { Lookups } from "./lookups.ts";
import { hasVoiceNote, personalFile } from "./parse.ts";
import { placeOf } from "./place.ts";
import * as sentences from "./sentences.ts";

export interface ExtensionParts {
  readonly conversations: Conversations;
  readonly lookups: Lookups;
  readonly listener: Listener;
  readonly tenant: string;
  readonly observe: Observe;
}

const COMMAND = "transcribe";

/** undefined: not for this extension. */
export async function extensionUsed(activity: Activity, parts: ExtensionParts): Promise<InvokeResponse | undefined> {
  const value = record(activity.value);
  if (value["commandId"] !== COMMAND) return undefined;
  const payload = record(value["messagePayload"]);
  let reply: Reply;
  try {
    reply = await takenFrom(payload, activity, parts);
  } catch (error) {
    const isClosed = error instanceof PlatformError && error.code === "forbidden";
    const isGone = error instanceof PlatformError && error.code === "gone";
    if (!isGone) parts.observe({ kind: "unexpected", where: "the message extension of Teams", error });
    reply = isClosed ? sentences.filesAreClosed : isGone ? sentences.noRecordingThere : sentences.brokeHere;
  }
  return { status: 200, body: { task: { type: "continue", value: dialog(reply) } } };
}

async function takenFrom(payload: Json, activity: Activity, parts: ExtensionParts): Promise<Reply> {
  const { conversations, lookups, listener, tenant } = parts;
  const message = text(payload["id"]);
  const { thread: inThread, ...here } = placeOf(activity, tenant, message);
  const thread = text(payload["replyToId"]) ?? inThread;
  const place: Place = { ...here, ...(thread === undefined || thread === message ? {} : { thread }) };
  if (message === undefined) return sentences.noRecordingThere;
  if ((await conversations.of(place.channel)) === undefined) return sentences.notHere;
  const attachments = list(payload["attachments"]);
  const found = await recordingsAt(attachments, place, activity, lookups);
  if (found.length === 0) return hasVoiceNote(attachments) ? sentences.voiceNote : sentences.noRecordingThere;
  return listener.command({
    command: COMMAND,
    text: "",
    place: found[0]?.place ?? place,
    actor: await lookups.actor(place),
    recordings: found,
  });
}

/** Called on Earshot's own answer in a channel, the recording that it answers is meant. */
async function recordingsAt(
  attachments: readonly Json[],
  place: Place,
  { from }: Activity,
  lookups: Lookups,
): Promise<readonly Recording[]> {
  if (place.isDirect) {
    return attachments.flatMap(({ contentType, id, name }) => {
      const [file, title] = [text(id), text(name)];
      const kind = contentType === "reference" && title !== undefined ? mediaKind(title) : undefined;
      if (file === undefined || title === undefined || kind === undefined) return [];
      return [personalFile({ file, name: title, kind, sender: from.aadObjectId }, place)];
    });
  }
  const own = await lookups.recordings(place);
  const { thread, ...root } = place;
  return own.length > 0 || thread === undefined ? own : lookups.recordings({ ...root, message: thread });
}

function dialog(reply: Reply): object {
  const [card] = draw(reply, "dialog").message?.attachments ?? [];
  return { title: "Earshot", height: "small", width: "small", card };
}
