// Microsoft Teams as a platform of Earshot.
import { type Activity, ActivityTypes, type InvokeResponse } from "botbuilder";
import type { FastifyPluginAsync } from "fastify";
import { PlatformError } from "../../core/errors.ts";
import type { Listener, Observe, Platform, PlatformNotes } from "../../core/ports.ts";
import type { Place, Recording } from "../../core/recording.ts";
import { text } from "./activity.ts";
import { createCalls } from "./calls.ts";
import { catchUp } from "./catch-up.ts";
import { type BotHosts, botHosts } from "./cloud.ts";
import { createConnector } from "./connector.ts";
import { type Consents, createConsents } from "./consents.ts";
import { createConversations } from "./conversations.ts";
import { createErrands, type Errands } from "./errands.ts";
import { extensionUsed } from "./extension.ts";
import type { CloudName } from "./graph/clouds.ts";
import { createGraph, type MeetingRecording, type MeetingSource } from "./graph/index.ts";
import { createTokens } from "./graph/tokens.ts";
import { createEndpoint } from "./http.ts";
import { createIncoming, HEARD, type Incoming } from "./incoming.ts";
import { createLookups } from "./lookups.ts";
import { createMembership } from "./membership.ts";
import { createPosts, type Posts } from "./posts.ts";
import { createSentFiles } from "./sent-files.ts";

export interface TeamsOptions {
  /** undefined: unsigned, for Microsoft's Agents Playground on this machine alone. */
  readonly app:
    | {
        /** Application (client) id of the bot's registration. */
        readonly id: string;
        /** The client secret's value. */
        readonly password: string;
        /** Directory id of the one organization that is served. */
        readonly tenant: string;
      }
    | undefined;
  readonly cloud?: CloudName;
  /** Where Microsoft reaches this gateway, for notifications of meeting recordings. */
  readonly publicUrl?: string;
  readonly meetings: MeetingSource;
  readonly notes: PlatformNotes;
  /** Largest recording that is fetched. */
  readonly maxBytes: number;
  /** Hosts of a local counterpart, in tests. */
  readonly hosts?: Partial<BotHosts>;
  /** The least time between two calls in a conversation. */
  readonly callEveryMs?: number;
  /** How often it looks whether something about meetings is due. */
  readonly lookEveryMs?: number;
  readonly observe?: Observe;
  /** Sentences for the operator. */
  readonly warn?: (sentence: string) => void;
  readonly now: () => number;
}

export interface Teams {
  readonly platform: Platform;
  /** Take Microsoft's requests. */
  readonly plugins: readonly FastifyPluginAsync[];
}

/** Ref: Teams, "Optimize your bot with rate limiting": seven calls a second in a conversation. */
const CALL_EVERY_MS = 150;
/** A start looks back for less. */
const HEARD_KEPT_MS = 86_400_000;
const TIDY_EVERY_MS = 86_400_000;
const PLAYGROUND: Partial<BotHosts> = {
  connectors: ["http://localhost:56150", "http://127.0.0.1:56150"],
  serviceUrl: "http://localhost:56150/_connector",
  // Such as `python3 -m http.server 8000`, for the files of activities that are made up there.
  files: ["http://127.0.0.1:8000"],
};

export function createTeams(options: TeamsOptions): Teams {
  const { app, notes, now, maxBytes, observe = () => {} } = options;
  const hosts = botHosts(options.cloud, { ...(app === undefined ? PLAYGROUND : {}), ...options.hosts });
  const tenant = app?.tenant ?? "playground";
  const appId = app?.id ?? "";
  const secrets = app && { tenant, appId, appPassword: app.password };
  const tokens = secrets && createTokens({ ...secrets, hosts, scope: `${hosts.issuer}/.default` });
  const connector = createConnector({ app: tokens && { id: appId, tenant, tokens }, hosts, now });
  const graph =
    secrets &&
    createGraph({
      ...secrets,
      ...(options.cloud === undefined ? {} : { cloud: options.cloud }),
      ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
      ...(options.warn === undefined ? {} : { warn: options.warn }),
      ...(options.lookEveryMs === undefined ? {} : { lookEveryMs: options.lookEveryMs }),
      hosts: { login: hosts.login, graph: hosts.graph, files: hosts.files },
      meetings: options.meetings,
      notes,
      maxBytes,
      observe,
      now,
    });
  const conversations = createConversations({ connector, notes, hosts, tenant, appId });
  const calls = createCalls({ callEveryMs: options.callEveryMs ?? CALL_EVERY_MS, now });
  const posts: Posts = createPosts({
    connector,
    calls,
    conversations,
    consents: () => consents,
    graph,
    notes,
    observe,
    now,
  });
  const consents: Consents = createConsents({
    notes,
    tenant,
    origins: hosts.files,
    observe,
    now,
    say: (place, reply, key) => posts.reply(place, reply, { key }),
    send: posts.send,
    removeCard: posts.remove,
  });
  const endpoint = createEndpoint({ connector, tenant: app?.tenant, origins: hosts.connectors, observe });
  const sentFiles = createSentFiles({ notes, graph, origins: hosts.files, maxBytes, now });
  const lookups = createLookups({ conversations, graph, tenant, now });
  const membership = createMembership({ connector, conversations, posts, graph, tenant, observe });

  /** At once and only once: nothing waits for it. */
  function typing({ message: _message, ...place }: Place): void {
    posts.send(place, { type: ActivityTypes.Typing }).catch(() => {});
  }

  async function handle(
    activity: Activity,
    incoming: Incoming,
    listener: Listener,
  ): Promise<InvokeResponse | undefined> {
    switch (activity.type) {
      case "message":
      case "messageUpdate":
        await membership.seen(activity);
        await incoming.message(activity);
        return undefined;
      case "messageDelete":
        await incoming.deleted(activity);
        return undefined;
      case "conversationUpdate":
      case "installationUpdate":
        await membership.changed(activity);
        return undefined;
      case "invoke":
        return invoked(activity, listener);
      default:
        return undefined;
    }
  }

  async function invoked(activity: Activity, listener: Listener): Promise<InvokeResponse> {
    const name = text(activity.name) ?? "";
    if (name === "fileConsent/invoke") {
      await membership.seen(activity);
      return consents.answered(activity, listener);
    }
    if (name === "composeExtension/fetchTask" || name === "composeExtension/submitAction") {
      const used = await extensionUsed(activity, { conversations, lookups, listener, tenant, observe });
      if (used !== undefined) return used;
    }
    return { status: 501 };
  }

  async function heard(meeting: MeetingRecording, incoming: Incoming): Promise<"taken" | "not_here"> {
    const channel = meeting.chat;
    if ((await conversations.of(channel)) === undefined) return "not_here";
    await incoming.take(recordingOfMeeting(meeting, tenant), { wantsFiles: true });
    return "taken";
  }

  async function tidy(): Promise<void> {
    await posts.tidy();
    await consents.tidy();
    await sentFiles.tidy();
    for (const { key, atMs } of await notes.list(HEARD)) {
      if (atMs < now() - HEARD_KEPT_MS) await notes.remove(key);
    }
  }

  async function listen(listener: Listener, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    // A wrong secret is said at the start, and not with the first answer.
    await tokens?.bearer();
    let errands: Errands | undefined;
    const incoming = createIncoming({
      lookups,
      posts,
      errands: () => {
        if (errands === undefined) throw new Error("Errands are taken before there are any.");
        return errands;
      },
      listener,
      sentFiles,
      notes,
      tenant,
      typing,
      observe,
    });
    errands = createErrands({ notes, run: incoming.lookedUp, observe, signal, now });
    endpoint.open((activity) => handle(activity, incoming, listener), signal);
    await graph?.listen((meeting) => heard(meeting, incoming), signal);
    const failed = (where: string) => (error: unknown) => {
      if (!signal.aborted) observe({ kind: "unexpected", where, error });
    };
    errands.resume().catch(failed("what was left on Teams"));
    if (graph !== undefined) {
      const { missed } = incoming;
      catchUp({ conversations, graph, tenant, nowMs: now(), missed, signal }).catch(failed("what was missed on Teams"));
    }
    const tidyNow = () => void tidy().catch(failed("old notes of Teams"));
    tidyNow();
    const timer = setInterval(tidyNow, TIDY_EVERY_MS).unref();
    signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  return {
    plugins: [endpoint.plugin, ...(graph === undefined ? [] : [graph.plugin])],
    platform: {
      name: "teams",
      // Edits count as much as messages do.
      editEveryMs: 3000,
      listen,
      reply: posts.reply,

      async download(recording, toPath, signal) {
        signal.throwIfAborted();
        if (recording.source["from"] === "personal") return sentFiles.download(recording, toPath, signal);
        if (graph === undefined) throw new PlatformError("forbidden", "Earshot has no permissions in the directory.");
        return graph.download(recording, toPath, signal);
      },
    },
  };
}

/** What a meeting's people said counts as spoken, whatever picture is with it. */
function recordingOfMeeting(
  { id, chat, organizer, name, durationSeconds, source }: MeetingRecording,
  tenant: string,
): Recording {
  return {
    key: `teams:${tenant}:meeting:${id}`,
    place: {
      platform: "teams",
      workspace: tenant,
      channel: chat,
      isDirect: false,
      user: organizer,
      reach: "thread",
    },
    kind: "voice message",
    name,
    ...(durationSeconds === undefined ? {} : { durationSeconds }),
    mimeType: "video/mp4",
    source,
  };
}
