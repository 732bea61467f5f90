// Microsoft Graph for the Teams adapter: files of messages, uploads, and meeting recordings by themselves.
import type { FastifyPluginAsync } from "fastify";
import type { Observe, PlatformNotes } from "../../../core/ports.ts";
import type { OutputFile } from "../../../core/reply.ts";
import { checkGraph } from "./check.ts";
import { createGraphClient } from "./client.ts";
import { type CloudName, type GraphHosts, hostsOf } from "./clouds.ts";
import { createFolders } from "./folders.ts";
import { downloadMedia } from "./media.ts";
import { createLedger } from "./meetings/ledger.ts";
import { createMeetingWatch } from "./meetings/watch.ts";
import { createMessages } from "./messages.ts";
import { ownersOf } from "./owners.ts";
import { recentMessages } from "./recent.ts";
import { createRights } from "./rights.ts";
import { createTokens } from "./tokens.ts";
import { createUploads } from "./uploads.ts";

export interface GraphOptions {
  /** The directory (tenant) id, the app's id, and its client secret. */
  readonly tenant: string;
  readonly appId: string;
  readonly appPassword: string;
  /** "global" unless the tenant lives in a national cloud. */
  readonly cloud?: CloudName;
  /** Hosts of a local counterpart, in tests. */
  readonly hosts?: Partial<GraphHosts>;
  /** Subscriptions, cursors and recordings that are not handed on yet; keys begin with "graph:". */
  readonly notes: PlatformNotes;
  /** Where Microsoft reaches this gateway, such as https://earshot.example.com. Without it no notification comes. */
  readonly publicUrl?: string;
  /** Which meetings' recordings are heard of. */
  readonly meetings: MeetingSource;
  /** Largest recording that is fetched. */
  readonly maxBytes: number;
  readonly observe?: Observe;
  /** Sentences for the operator, each said once: a permission that is missing, a subscription that cannot be made. */
  readonly warn?: (sentence: string) => void;
  readonly now: () => number;
  /** How often it looks whether something about meetings is due. */
  readonly lookEveryMs?: number;
}

/** "tenant": every meeting (OnlineMeetingRecording.Read.All). "installed": those whose chat has this app (RSC). */
export type MeetingSource =
  | { readonly kind: "off" }
  | { readonly kind: "tenant" }
  /** `catalogApp`: the app's id in the organisation's catalog, which is not the bot's id. */
  | { readonly kind: "installed"; readonly catalogApp: string };

/** A message as Graph finds it. */
export type MessageAt =
  | {
      readonly kind: "channel";
      /** The team's group id: channelData.team.aadGroupId. */
      readonly team: string;
      readonly channel: string;
      /** The message that began the thread, and the reply where it is one: both are numbers of 13 digits. */
      readonly root: string;
      readonly reply?: string;
    }
  | { readonly kind: "chat"; readonly chat: string; readonly message: string };

/** An audio or video file of a message. What is no media was left out. */
export interface MessageFile {
  readonly name: string;
  readonly kind: "audio" | "video";
  readonly bytes?: number;
  readonly mimeType?: string;
  readonly durationSeconds?: number;
  /** The same for every delivery; goes into `Recording.key` and, whole, into `Recording.source`. */
  readonly source: DriveSource;
}

/** What `download` needs. A `type` alias so that it fits `Recording.source`. */
export type DriveSource = { readonly from: "drive"; readonly drive: string; readonly item: string };
export type MeetingRecordingSource = {
  readonly from: "meeting";
  /** The organizer's user id. */
  readonly organizer: string;
  readonly meeting: string;
  readonly recording: string;
};

/** A meeting's recording that became available. */
export interface MeetingRecording {
  /** Graph's id of the recording: the same for every notification about it. */
  readonly id: string;
  /** Where to answer: "19:meeting_…@thread.v2", which is the bot's conversation id there. */
  readonly chat: string;
  readonly organizer: string;
  /** As the meeting is called; undefined where Earshot may not read it. */
  readonly subject: string | undefined;
  readonly startedAtMs: number;
  /** undefined where Graph does not tell the end. */
  readonly durationSeconds: number | undefined;
  /** A file name made of the subject and the day, such as "Weekly 2026-11-25.mp4". */
  readonly name: string;
  readonly source: MeetingRecordingSource;
}

/**
 * Resolves when the recording is durable, or when nobody wants it; "not_here": Earshot cannot answer in that chat.
 * Anything thrown makes the recording come again later. The same recording may come twice: the queue's key tells.
 */
export type HearMeeting = (recording: MeetingRecording) => Promise<"taken" | "not_here">;

/** Where transcripts are put so that everybody in the conversation can open them. */
export type FilesPlace =
  /** The channel's own folder in SharePoint. */
  | { readonly kind: "channel"; readonly team: string; readonly channel: string }
  /**
   * Chats have no folder of their own. The file goes into the OneDrive of `owner`, who posted the recording or
   * organized the meeting, beside the files that people send in chats, and the chat's members may read it.
   */
  | { readonly kind: "chat"; readonly chat: string; readonly owner: string };

/** Where Earshot looks for what it posted itself: a thread of a channel, or a chat. */
export type ThreadAt =
  | { readonly kind: "channel"; readonly team: string; readonly channel: string; readonly root: string }
  | { readonly kind: "chat"; readonly chat: string };

export type RecentAt =
  | { readonly kind: "channel"; readonly team: string; readonly channel: string }
  | { readonly kind: "chat"; readonly chat: string };

/** A message of a person that has files which may be recordings. */
export interface RecentMessage {
  readonly message: string;
  /** The message that began its thread, where it is a reply in a channel. */
  readonly root?: string;
  /** The sender's user id. */
  readonly sender: string;
  readonly atMs: number;
}

export interface OwnMessage {
  readonly id: string;
  /** Contents of its adaptive cards, as JSON text. */
  readonly cards: readonly string[];
}

export interface UploadedFile {
  /** As it is called there, which may differ where the name was taken. */
  readonly name: string;
  /** For the card: people open it there. */
  readonly webUrl: string;
  readonly drive: string;
  readonly item: string;
}

export interface GraphFinding {
  readonly finding: string;
  readonly remedy?: string;
}

export interface TeamsGraph {
  /** The media files of a message, forwarded ones too. @throws PlatformError forbidden (naming the permission), gone, … */
  files(message: MessageAt): Promise<readonly MessageFile[]>;
  /**
   * A file that somebody sent to the bot in a personal chat, by the `uniqueId` in the event. undefined: no media.
   * @param user who sent it: the file lies in this person's OneDrive
   */
  userFile(user: string, item: string): Promise<MessageFile | undefined>;
  /** This app's own messages there, newest first: among the newest 50, or back to `sinceMs`. @throws PlatformError forbidden, … */
  ownMessages(at: ThreadAt, sinceMs?: number): Promise<readonly OwnMessage[]>;
  /** Messages with files that people posted there since then, oldest first. @throws PlatformError forbidden, gone, … */
  recent(at: RecentAt, sinceMs: number, signal?: AbortSignal): Promise<readonly RecentMessage[]>;
  /** User ids of a team's owners; none where Earshot may not see its members. */
  owners(team: string): Promise<readonly string[]>;
  /** @param source a DriveSource or a MeetingRecordingSource, as it stood in the job. @throws as `Platform.download` */
  download(
    recording: { readonly name: string; readonly source: Readonly<Record<string, string>> },
    toPath: string,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * The same file at the same place twice is there once. @throws PlatformError forbidden where no permission allows it,
   * or there is no place for files: show the text in the chat instead
   */
  upload(place: FilesPlace, file: OutputFile, signal?: AbortSignal): Promise<UploadedFile>;
  /** POST /api/teams/notifications: register it with the server's signedPlugins. Answers 503 until `listen`. */
  readonly plugin: FastifyPluginAsync;
  /**
   * Hears of meeting recordings from now on, and of those that came while nobody listened. Resolves at once: what cannot
   * be subscribed to is said by `warn` and tried again. Ends with the signal; the subscription stays for the next start.
   */
  listen(hear: HearMeeting, signal: AbortSignal): Promise<void>;
  /** A meeting chat that the bot is in: its organizer's recordings are looked for after a time away. */
  meetingSeen(meeting: { readonly chat: string; readonly organizer: string }): Promise<void>;
  /** For `earshot doctor`. */
  check(): Promise<readonly GraphFinding[]>;
}

export function createGraph(options: GraphOptions): TeamsGraph {
  const { tenant, appId, notes, publicUrl, meetings, maxBytes, now } = options;
  const { observe = () => {}, warn = () => {} } = options;
  const hosts = hostsOf(options.cloud, options.hosts);
  const tokens = createTokens({
    tenant,
    appId,
    appPassword: options.appPassword,
    hosts,
    scope: `${hosts.graph}/.default`,
  });
  const graph = createGraphClient({ hosts, tokens, now });
  const folders = createFolders(graph, now);
  const messages = createMessages({ graph, hosts, rights: createRights(graph, folders), appId });
  const uploads = createUploads({ graph, hosts, folders, tenant });
  const watch = createMeetingWatch({
    graph,
    ledger: createLedger(notes),
    source: meetings,
    publicUrl,
    tenant,
    observe,
    warn,
    now,
    random: Math.random,
    ...(options.lookEveryMs === undefined ? {} : { everyMs: options.lookEveryMs }),
  });

  return {
    files: messages.files,
    userFile: messages.userFile,
    ownMessages: messages.ownMessages,
    recent: (at, sinceMs, signal) => recentMessages(at, sinceMs, { graph, hosts }, signal),
    owners: (team) => ownersOf(team, graph),
    download: (recording, toPath, signal) => downloadMedia(recording, toPath, signal, { graph, hosts, maxBytes }),
    upload: uploads.upload,
    plugin: watch.plugin,
    listen: async (hear, signal) => watch.listen(hear, signal),
    meetingSeen: watch.meetingSeen,
    check: () => checkGraph({ tokens, meetings, publicUrl }),
  };
}
