// Files in a personal chat: Teams asks the person first, and only then says where the bytes go. The question outlives
// restarts: what is kept of a transcript's file is which one it is, and never what was said.
import { randomUUID } from "node:crypto";
import { type Activity, ActivityTypes, type InvokeResponse } from "botbuilder";
import { PlatformError } from "../../core/errors.ts";
import { ACTION_NAMES, type ActionName, type Listener, type Observe, type PlatformNotes } from "../../core/ports.ts";
import type { Place } from "../../core/recording.ts";
import type { OutputFile, Reply } from "../../core/reply.ts";
import { record, text } from "./activity.ts";
import { placeOf, userOf } from "./place.ts";
import * as sentences from "./sentences.ts";
import { putBytes } from "./uploads.ts";

const CONSENT = "application/vnd.microsoft.teams.card.file.consent";
const FILE = "application/vnd.microsoft.teams.card.file.info";
const KEPT_MS = 30 * 86_400_000;

/** Which file somebody was asked about. */
interface Offer {
  readonly channel: string;
  readonly name: string;
  /** A transcript's file, made when it is wanted. */
  readonly job?: string;
  readonly action?: ActionName;
  /** Any other, such as a glossary. */
  readonly file?: OutputFile;
}

export interface ConsentsParts {
  readonly notes: PlatformNotes;
  readonly tenant: string;
  /** Where the organization's files lie. */
  readonly origins: readonly string[];
  readonly observe: Observe;
  readonly now: () => number;
  readonly say: (place: Place, reply: Reply, key: string) => Promise<unknown>;
  readonly send: (place: Place, message: Partial<Activity>) => Promise<unknown>;
  readonly removeCard: (conversation: string, message: string) => Promise<unknown>;
}

export interface Consents {
  /** The question whether a file may be sent. @param jobId of a transcript's file */
  question(channel: string, file: OutputFile, jobId: string | undefined): Promise<Partial<Activity>>;
  /** What the person answered. */
  answered(activity: Activity, listener: Listener): Promise<InvokeResponse>;
  /** Questions that nobody will answer any more. */
  tidy(): Promise<void>;
}

export function createConsents(parts: ConsentsParts): Consents {
  const { notes, now } = parts;
  const underWay = new Set<string>();

  async function fileOf(offer: Offer, activity: Activity, listener: Listener): Promise<OutputFile | Reply> {
    if (offer.file !== undefined) return offer.file;
    const { job: jobId = "", action = "txt" } = offer;
    const place = placeOf(activity, parts.tenant);
    const actor = { user: userOf(activity), isAdmin: false, roles: [] };
    const reply = await listener.press({ action, jobId, place, actor });
    return reply?.kind === "file" ? { ...reply.file, name: offer.name } : (reply ?? sentences.consentIsOver);
  }

  async function accepted(offer: Offer, activity: Activity, place: Place, listener: Listener): Promise<void> {
    const upload = record(record(activity.value)["uploadInfo"]);
    const [address, url] = [text(upload["uploadUrl"]) ?? "", text(upload["contentUrl"]) ?? ""];
    const file = await fileOf(offer, activity, listener);
    if ("kind" in file) {
      await parts.say(place, file, `consent:${activity.id}`);
      return;
    }
    await putBytes(address, Buffer.from(file.content, "utf8"), parts.origins);
    await parts.send(place, {
      type: ActivityTypes.Message,
      attachments: [
        {
          contentType: FILE,
          contentUrl: url,
          name: text(upload["name"]) ?? file.name,
          content: { uniqueId: upload["uniqueId"], fileType: upload["fileType"] },
        },
      ],
    });
  }

  return {
    async question(channel, file, job) {
      const id = randomUUID();
      const action = ACTION_NAMES.find((name) => file.name.endsWith(`.${name}`));
      const isTranscript = job !== undefined && action !== undefined;
      const offer: Offer = { channel, name: file.name, ...(isTranscript ? { job, action } : { file }) };
      await notes.put(`consent:${id}`, offer);
      const content = {
        description: sentences.fileDescription(file.name),
        sizeInBytes: Buffer.byteLength(file.content, "utf8"),
        acceptContext: { earshot: id },
        declineContext: { earshot: id },
      };
      return { type: ActivityTypes.Message, attachments: [{ contentType: CONSENT, name: file.name, content }] };
    },

    async answered(activity, listener) {
      const { context, action } = record(activity.value);
      const id = text(record(context)["earshot"]) ?? "";
      const key = `consent:${id}`;
      // The same press once more, while the first one is worked on.
      if (underWay.has(id)) return { status: 200 };
      underWay.add(id);
      const { message: _message, ...place } = placeOf(activity, parts.tenant);
      try {
        const offer = readOffer(await notes.get(key));
        if (offer === undefined || offer.channel !== place.channel) {
          await parts.say(place, sentences.consentIsOver, `consent:${activity.id}`);
          return { status: 200 };
        }
        if (action === "accept") await accepted(offer, activity, place, listener);
        else await parts.say(place, sentences.consentDeclined, `consent:${activity.id}`);
        await notes.remove(key);
        if (activity.replyToId !== undefined) {
          // The question has its answer; that it stays where Teams keeps it is no harm.
          await parts.removeCard(activity.conversation.id, activity.replyToId).catch(() => {});
        }
      } catch (error) {
        if (!(error instanceof PlatformError)) parts.observe({ kind: "unexpected", where: "a file on Teams", error });
        await parts.say(place, sentences.fileNotTaken, `consent:${activity.id}`).catch(() => {});
      } finally {
        underWay.delete(id);
      }
      return { status: 200 };
    },

    async tidy() {
      for (const { key, atMs } of await notes.list("consent:")) {
        if (atMs < now() - KEPT_MS) await notes.remove(key);
      }
    },
  };
}

function readOffer(value: unknown): Offer | undefined {
  const { channel, name } = record(value);
  return typeof channel === "string" && typeof name === "string" ? (value as Offer) : undefined;
}
