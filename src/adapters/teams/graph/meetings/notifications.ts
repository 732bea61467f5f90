// The body of a change notification -> what it says. Pure, and sure of nothing: anybody can post to its address.
// Ref: Microsoft Graph, "changeNotificationCollection", "Reduce missing subscriptions and change notifications"
import { isUserId } from "./meeting-id.ts";

export const NOTIFICATIONS_PATH = "/api/teams/notifications";

/** Which recording it is about, as far as a notification tells. */
export interface RecordingRef {
  readonly meeting: string;
  readonly recording: string;
  /** Told by some forms only. */
  readonly organizer?: string;
}

export const LIFECYCLE_EVENTS = ["reauthorizationRequired", "subscriptionRemoved", "missed"] as const;
export type LifecycleEvent = (typeof LIFECYCLE_EVENTS)[number];

export type Notification = {
  readonly subscription: string;
  readonly clientState: string;
  readonly tenant: string | undefined;
} & (
  | ({ readonly kind: "recording" } & RecordingRef)
  | { readonly kind: "lifecycle"; readonly event: LifecycleEvent }
  /** About something that nobody here subscribes to. */
  | { readonly kind: "other" }
);

/** Ids go into paths and keys: what Graph's look like, and no longer. */
const ID = /^[\w+/=.:@*~-]{1,1000}$/;

/** undefined: no notification at all. What is wrong in one of several leaves that one out. */
export function readNotifications(body: unknown): readonly Notification[] | undefined {
  const value = isObject(body) ? body["value"] : undefined;
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((each: unknown) => readOne(each) ?? []);
}

function readOne(told: unknown): Notification | undefined {
  if (!isObject(told)) return undefined;
  const { subscriptionId, clientState, lifecycleEvent, changeType, resource, tenantId } = told;
  if (typeof subscriptionId !== "string" || typeof clientState !== "string") return undefined;
  const tenant = typeof tenantId === "string" ? tenantId : undefined;
  const common = { subscription: subscriptionId, clientState, tenant };
  if (lifecycleEvent !== undefined) {
    const event = LIFECYCLE_EVENTS.find((name) => name === lifecycleEvent);
    return event === undefined ? { ...common, kind: "other" } : { ...common, kind: "lifecycle", event };
  }
  const ref = changeType === "created" && typeof resource === "string" ? readResource(resource) : undefined;
  return ref === undefined ? { ...common, kind: "other" } : { ...common, kind: "recording", ...ref };
}

/**
 * "communications/onlineMeetings('M')/recordings('R')", "users('U')/onlineMeetings('M')/recordings('R')" and the same
 * with slashes.
 */
export function readResource(resource: string): RecordingRef | undefined {
  if (resource.length > 4000) return undefined;
  const quoted = /^\/?(?:communications|users\('([^']+)'\))\/onlineMeetings\('([^']+)'\)\/recordings\('([^']+)'\)$/i;
  const slashed = /^\/?(?:communications|users\/([^/']+))\/onlineMeetings\/([^/']+)\/recordings\/([^/']+)$/i;
  const [, organizer, meeting = "", recording = ""] = quoted.exec(resource) ?? slashed.exec(resource) ?? [];
  if (!ID.test(meeting) || !ID.test(recording)) return undefined;
  if (organizer !== undefined && !isUserId(organizer)) return undefined;
  return { meeting, recording, ...(organizer === undefined ? {} : { organizer }) };
}

/** What Microsoft sends to see whether an address is ours, and wants back as it is. */
export function isValidationToken(token: unknown): token is string {
  return typeof token === "string" && /^[\x20-\x7e]{1,2048}$/.test(token);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
