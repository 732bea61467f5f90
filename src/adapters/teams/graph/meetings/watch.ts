// Meeting recordings by themselves: the subscription is tended, notifications are taken, and what was missed is found.
import { setTimeout as wait } from "node:timers/promises";
import type { FastifyPluginAsync } from "fastify";
import type { Observe } from "../../../../core/ports.ts";
import type { Graph } from "../client.ts";
import type { HearMeeting, MeetingSource } from "../index.ts";
import { catchUp, watchMeeting } from "./catch-up.ts";
import { createInbox } from "./inbox.ts";
import type { Ledger } from "./ledger.ts";
import type { Notification } from "./notifications.ts";
import { createNotificationRoute } from "./routes.ts";
import { createSubscription } from "./subscription.ts";

export interface WatchParts {
  readonly graph: Graph;
  readonly ledger: Ledger;
  readonly source: MeetingSource;
  readonly publicUrl: string | undefined;
  readonly tenant: string;
  readonly observe: Observe;
  readonly warn: (sentence: string) => void;
  readonly now: () => number;
  readonly random: () => number;
  /** How often it looks whether something is due. */
  readonly everyMs?: number;
}

export interface MeetingWatch {
  readonly plugin: FastifyPluginAsync;
  listen(hear: HearMeeting, signal: AbortSignal): void;
  meetingSeen(meeting: { readonly chat: string; readonly organizer: string }): Promise<void>;
}

const EVERY_MS = 30_000;
/** Also without any sign that something was missed; more often where no notification can come. */
const LOOK_EVERY_MS = 6 * 3_600_000;
const LOOK_OFTEN_MS = 15 * 60_000;
/** When a look was not complete. */
const LOOK_AGAIN_MS = 5 * 60_000;

export function createMeetingWatch(parts: WatchParts): MeetingWatch {
  const { ledger, source, publicUrl, observe, now, everyMs = EVERY_MS } = parts;
  const complaints = createComplaints(parts.warn);
  const warn = complaints.once;
  const subscription = createSubscription({ ...parts, publicUrl: publicUrl ?? "", complain: complaints.about });
  const inbox = createInbox({ ...parts, warn });
  let wake = () => {};
  let nextLookAtMs = 0;
  /** Something was missed; also when that is said in the middle of a look. */
  let isLookAsked = true;
  let isOpen = false;
  let isServing = false;

  async function take(notifications: readonly Notification[]): Promise<void> {
    for (const each of notifications) {
      switch (each.kind) {
        case "recording":
          await ledger.wait(each, now());
          break;
        case "lifecycle":
          if (each.event === "reauthorizationRequired") subscription.renewSoon();
          else if (each.event === "subscriptionRemoved") subscription.lost(each.subscription);
          else isLookAsked = true;
          break;
        case "other":
          break;
        default:
          each satisfies never;
      }
    }
    if (notifications.length > 0) wake();
  }

  async function turn(hear: HearMeeting, signal: AbortSignal): Promise<void> {
    // Microsoft asks back while a subscription is made: not before the server can answer.
    if (isServing && publicUrl !== undefined && (await subscription.tend(signal)) === "made") isLookAsked = true;
    if (isLookAsked || now() >= nextLookAtMs) {
      isLookAsked = false;
      const isComplete = await catchUp({ ...parts, warn }, signal);
      const pauseMs = subscription.stands() ? LOOK_EVERY_MS : LOOK_OFTEN_MS;
      nextLookAtMs = now() + (isComplete ? pauseMs : LOOK_AGAIN_MS);
    }
    for (const taken of await inbox.work(hear, signal)) await watchMeeting(taken, ledger, now());
  }

  async function run(hear: HearMeeting, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      try {
        await turn(hear, signal);
      } catch (error) {
        if (!signal.aborted) observe({ kind: "unexpected", where: "meeting recordings", error });
      }
      const timer = new AbortController();
      const ended = AbortSignal.any([signal, timer.signal]);
      await Promise.race([woken, wait(everyMs, undefined, { ref: false, signal: ended }).catch(() => {})]);
      timer.abort();
    }
  }

  return {
    plugin: createNotificationRoute({
      isOpen: () => isOpen,
      isOurs: subscription.isOurs,
      take,
      listening() {
        isServing = true;
        wake();
      },
    }),

    listen(hear, signal) {
      if (source.kind === "off") return;
      if (publicUrl === undefined) {
        warn(
          "TEAMS_PUBLIC_URL is not set: Microsoft cannot tell Earshot of meeting recordings, so it looks for them every quarter of an hour. Set it to the https address at which Earshot can be reached.",
        );
      }
      isOpen = true;
      signal.addEventListener(
        "abort",
        () => {
          isOpen = false;
        },
        { once: true },
      );
      void run(hear, signal);
    },

    meetingSeen: (meeting) => watchMeeting(meeting, ledger, now()),
  };
}

/** Sentences for the operator, each said once until it is mended. */
function createComplaints(warn: (sentence: string) => void) {
  const said = new Set<string>();
  let standing: string | undefined;
  const once = (sentence: string) => {
    if (said.has(sentence)) return;
    if (said.size > 100) said.clear();
    said.add(sentence);
    warn(sentence);
  };
  return {
    once,
    about(sentence: string | undefined) {
      if (standing !== undefined && standing !== sentence) said.delete(standing);
      standing = sentence;
      if (sentence !== undefined) once(sentence);
    },
  };
}
