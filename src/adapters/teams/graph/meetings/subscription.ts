// The subscription to recordings: made, renewed long before its end, made anew when it was lost.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { PlatformError } from "../../../../core/errors.ts";
import type { Graph } from "../client.ts";
import { isRefused } from "../errors.ts";
import type { MeetingSource } from "../index.ts";
import { path } from "../path.ts";
import { SUBSCRIBE_INSTALLED, SUBSCRIBE_TENANT } from "../permissions.ts";
import type { Ledger, SubscriptionNote } from "./ledger.ts";
import { NOTIFICATIONS_PATH, type Notification } from "./notifications.ts";
import { timeOf } from "./recordings.ts";

export interface SubscriptionParts {
  readonly graph: Graph;
  readonly ledger: Ledger;
  readonly source: MeetingSource;
  readonly publicUrl: string;
  readonly tenant: string;
  /** Says a sentence once; `undefined` takes it back, so that it is said again when it comes true again. */
  readonly complain: (sentence: string | undefined) => void;
  readonly now: () => number;
  readonly random: () => number;
}

export interface Subscription {
  /** Does what is due. "made": there was none for a while, so that something may have been missed. */
  tend(signal: AbortSignal): Promise<"made" | "as it was">;
  /** From Microsoft, as far as its secret says. */
  isOurs(notification: Pick<Notification, "subscription" | "clientState" | "tenant">): Promise<boolean>;
  /** Notifications are to be expected. */
  stands(): boolean;
  /** Renewed at the next `tend`, whatever the clock says. */
  renewSoon(): void;
  /** Microsoft ended it: made anew at the next `tend`, where it is the current one. */
  lost(subscription: string): void;
}

/** Ref: Microsoft Graph, "Subscription lifetime": recordings at most three days, a little less to be taken. */
const LIFETIME_MS = 4230 * 60_000;
const RENEW_BEFORE_MS = LIFETIME_MS / 2;
/** Ref: Microsoft Graph, "Processing the change notification": it is sent again for up to 4 hours. */
const REDELIVERED_MS = 5 * 3_600_000;
const FIRST_BACKOFF_MS = 5000;
const MOST_BACKOFF_MS = 15 * 60_000;

export function createSubscription(parts: SubscriptionParts): Subscription {
  const { graph, ledger, source, tenant, complain, now, random } = parts;
  const url = parts.publicUrl.replace(/\/+$/, "") + NOTIFICATIONS_PATH;
  const { resource, isBeta, needs } = resourceOf(source);
  let failures = 0;
  let nextTryAtMs = 0;
  let isRenewalAsked = false;
  let isStanding = false;
  let lostId: string | undefined;

  const asked = (doing: string, signal: AbortSignal) => ({ doing, needs, isBeta, signal });
  const endOf = () => new Date(now() + LIFETIME_MS).toISOString();

  async function make(signal: AbortSignal): Promise<void> {
    await removeLeftovers(signal);
    const clientState = randomBytes(32).toString("base64url");
    const note: SubscriptionNote = { id: "", clientState, resource, url, expiresAtMs: now() + LIFETIME_MS };
    // Written down before it is asked for: a notification may come before the answer does, or before a crash.
    await ledger.subscribed(note);
    const { id, expirationDateTime } = await graph.post<Told>({
      ...asked("to subscribe to meeting recordings", signal),
      path: path`/subscriptions`,
      body: {
        changeType: "created",
        resource,
        notificationUrl: url,
        lifecycleNotificationUrl: url,
        expirationDateTime: endOf(),
        clientState,
      },
    });
    if (id === undefined) throw new PlatformError("unavailable", "Microsoft made a subscription without an id.");
    await ledger.subscribed({ ...note, id, expiresAtMs: timeOf(expirationDateTime) ?? note.expiresAtMs });
  }

  /** Ours from a start whose answer or database was lost: a second one beside it is refused, or tells everything twice. */
  async function removeLeftovers(signal: AbortSignal): Promise<void> {
    const mine = graph.list<Told>({ ...asked("its subscriptions", signal), path: path`/subscriptions` });
    for await (const { id, notificationUrl } of mine) {
      if (id !== undefined && notificationUrl === url) await remove(id, signal);
    }
  }

  async function remove(id: string, signal: AbortSignal): Promise<void> {
    try {
      await graph.delete({ ...asked("to end a subscription", signal), path: path`/subscriptions/${id}` });
    } catch (error) {
      if (!isRefused(error, "gone")) throw error;
    }
  }

  /** False: it is no more. */
  async function renew(note: SubscriptionNote, signal: AbortSignal): Promise<boolean> {
    try {
      const { expirationDateTime } = await graph.patch<Told>({
        ...asked("to renew the subscription to meeting recordings", signal),
        path: path`/subscriptions/${note.id}`,
        body: { expirationDateTime: endOf() },
      });
      await ledger.subscribed({ ...note, expiresAtMs: timeOf(expirationDateTime) ?? now() + LIFETIME_MS });
      return true;
    } catch (error) {
      if (isRefused(error, "gone")) return false;
      throw error;
    }
  }

  async function upkeep(signal: AbortSignal): Promise<"made" | "as it was"> {
    const { current } = await ledger.subscriptions();
    const isOther = current !== undefined && (current.resource !== resource || current.url !== url);
    if (isOther && current.id !== "" && current.expiresAtMs > now()) await remove(current.id, signal);
    const isLost = current !== undefined && current.id === lostId;
    lostId = undefined;
    if (current !== undefined && !isOther && !isLost && current.id !== "" && current.expiresAtMs > now()) {
      if (!isRenewalAsked && current.expiresAtMs - now() > RENEW_BEFORE_MS) return "as it was";
      if (await renew(current, signal)) {
        isRenewalAsked = false;
        return "as it was";
      }
    }
    await ledger.unsubscribed();
    await make(signal);
    isRenewalAsked = false;
    return "made";
  }

  return {
    async tend(signal) {
      if (now() < nextTryAtMs) return "as it was";
      try {
        const outcome = await upkeep(signal);
        failures = 0;
        isStanding = true;
        complain(undefined);
        return outcome;
      } catch (error) {
        isStanding = false;
        if (!(error instanceof PlatformError)) throw error;
        const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** failures++, MOST_BACKOFF_MS);
        nextTryAtMs = now() + Math.max(error.retryAfterMs ?? 0, backoffMs * (0.75 + random() / 2));
        // Short trouble is nobody's business.
        if (!isRefused(error, "unavailable", "rate_limited") || failures > 3) complain(sentenceFor(error, url));
        return "as it was";
      }
    },

    async isOurs({ subscription, clientState, tenant: told }) {
      if (told !== undefined && told.toLowerCase() !== tenant.toLowerCase()) return false;
      const { current, earlier } = await ledger.subscriptions();
      let isFound = false;
      for (const note of [current, earlier]) {
        if (note === undefined || note.expiresAtMs + REDELIVERED_MS < now()) continue;
        const isSame = isEqual(note.clientState, clientState);
        if (isSame && (note.id === "" || note.id === subscription)) isFound = true;
      }
      return isFound;
    },

    stands: () => isStanding,
    renewSoon() {
      isRenewalAsked = true;
      nextTryAtMs = 0;
    },
    lost(subscription) {
      lostId = subscription;
      nextTryAtMs = 0;
    },
  };
}

/** Ref: Microsoft Graph, "subscription resource type" */
interface Told {
  readonly id?: string;
  readonly expirationDateTime?: string;
  readonly notificationUrl?: string;
}

function resourceOf(source: MeetingSource) {
  switch (source.kind) {
    case "installed":
      return {
        resource:
          `appCatalogs/teamsApps/${source.catalogApp}/installedToOnlineMeetings/getAllRecordings` +
          "?useResourceSpecificConsentBasedAuthorization=true",
        isBeta: true,
        needs: SUBSCRIBE_INSTALLED,
      };
    case "tenant":
    case "off":
      return {
        resource: "communications/onlineMeetings/getAllRecordings",
        isBeta: false,
        needs: SUBSCRIBE_TENANT,
      };
    default:
      return source satisfies never;
  }
}

function sentenceFor(error: PlatformError, url: string): string {
  const rest = "Meeting recordings are not heard of until then; everything else goes on.";
  if (error.code === "rejected") {
    return `${error.message} Microsoft must reach ${url} over https: correct TEAMS_PUBLIC_URL, or the proxy in front of Earshot. ${rest}`;
  }
  return `${error.message} ${rest}`;
}

/** In a time that tells nothing of where they differ, nor of their lengths. */
function isEqual(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
