// Meetings of the Graph double: recordings, subscriptions with their validation, notifications sent again until taken.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, type Asked, type Json, type Route, refused, TENANT } from "./graph-double.ts";
import type { Drives, StoredItem } from "./graph-double-drives.ts";

export interface Subscribed {
  readonly id: string;
  readonly resource: string;
  readonly notificationUrl: string;
  readonly lifecycleNotificationUrl: string | undefined;
  readonly clientState: string;
  expiresAtMs: number;
}

export interface AddedRecording {
  readonly id: string;
  readonly meeting: string;
  readonly organizer: string;
  readonly chat: string;
  readonly subject: string | null;
  readonly content: Buffer;
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
}

const RECORDING = ["OnlineMeetingRecording.Read.All", "OnlineMeetingRecording.Read.Chat"];
const LONGEST_MS = 3 * 24 * 3_600_000;
const WITHOUT_LIFECYCLE_MS = 3_600_000;
const PAGE = 2;

export interface MeetingsParts {
  readonly now: () => number;
  readonly filesOrigin: () => string;
  readonly drives: Drives;
}

export function createMeetings({ now, drives }: MeetingsParts) {
  const recordings = new Map<string, AddedRecording>();
  const subscriptions = new Map<string, Subscribed>();
  const deliveries: { readonly body: Json; readonly status: number }[] = [];
  const state = {
    /** Content answers with a link to the file's own server instead of the bytes. */
    redirectsContent: false,
    /** How often what was not taken is sent again, and how many times at most. */
    redeliverEveryMs: 20,
    mostDeliveries: 200,
  };
  let isClosed = false;

  const recordingJson = (each: AddedRecording): Json => ({
    id: each.id,
    meetingId: each.meeting,
    createdDateTime: new Date(each.startedAtMs).toISOString(),
    endDateTime: each.endedAtMs === undefined ? null : new Date(each.endedAtMs).toISOString(),
    meetingOrganizer: { application: null, user: { id: each.organizer, tenantId: TENANT, displayName: null } },
  });

  const live = () => [...subscriptions.values()].filter(({ expiresAtMs }) => expiresAtMs > now());

  async function subscribe({ json }: Asked): Promise<Answer> {
    const told = json();
    const { notificationUrl, lifecycleNotificationUrl, clientState, resource, expirationDateTime } = told;
    const expiresAtMs = Date.parse(String(expirationDateTime));
    if (typeof notificationUrl !== "string" || typeof clientState !== "string" || typeof resource !== "string") {
      return refused(400, "InvalidRequest");
    }
    const lifeMs = expiresAtMs - now();
    if (!(lifeMs > 0) || lifeMs > LONGEST_MS || clientState.length > 128) return refused(400, "InvalidRequest");
    if (lifeMs > WITHOUT_LIFECYCLE_MS && lifecycleNotificationUrl === undefined) return refused(400, "InvalidRequest");
    if (live().some((each) => each.resource === resource)) return refused(409, "ExtensionError");
    for (const url of [notificationUrl, lifecycleNotificationUrl]) {
      if (typeof url === "string" && !(await validates(url))) return refused(400, "ValidationError");
    }
    const id = randomUUID();
    const lifecycle = typeof lifecycleNotificationUrl === "string" ? lifecycleNotificationUrl : undefined;
    subscriptions.set(id, {
      id,
      resource,
      notificationUrl,
      lifecycleNotificationUrl: lifecycle,
      clientState,
      expiresAtMs,
    });
    return {
      status: 201,
      body: { id, resource, notificationUrl, expirationDateTime: new Date(expiresAtMs).toISOString() },
    };
  }

  async function validates(url: string): Promise<boolean> {
    // With what a query has to escape.
    const token = `Validation: Testing client application reachability Request-Id: ${randomUUID()} +/=&"<b>`;
    try {
      const asked = new URL(url);
      asked.searchParams.set("validationToken", token);
      const response = await fetch(asked, {
        method: "POST",
        headers: { "content-type": "text/plain; charset=utf-8" },
        signal: AbortSignal.timeout(10_000),
      });
      const type = response.headers.get("content-type") ?? "";
      return response.status === 200 && type.startsWith("text/plain") && (await response.text()) === token;
    } catch {
      return false;
    }
  }

  function renew({ ids: [id = ""], json }: Asked): Answer {
    const found = subscriptions.get(id);
    if (found === undefined || found.expiresAtMs <= now()) return refused(404, "ResourceNotFound");
    const expiresAtMs = Date.parse(String(json()["expirationDateTime"]));
    if (!(expiresAtMs > now()) || expiresAtMs - now() > LONGEST_MS) return refused(400, "InvalidRequest");
    found.expiresAtMs = expiresAtMs;
    return { body: { id, expirationDateTime: new Date(expiresAtMs).toISOString() } };
  }

  /** As Graph does: again and again until it is taken. */
  async function deliver(url: string, body: Json): Promise<number> {
    for (let tries = 0; tries < state.mostDeliveries && !isClosed; tries++) {
      const status = await post(url, body);
      deliveries.push({ body, status });
      if (status >= 200 && status < 300) return status;
      // What is refused for good is not sent again.
      if (status >= 400 && status < 500) return status;
      await sleep(state.redeliverEveryMs, undefined, { ref: false });
    }
    return 0;
  }

  async function post(url: string, body: Json): Promise<number> {
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(3000),
      });
      await response.arrayBuffer();
      return response.status;
    } catch {
      return 0;
    }
  }

  const notice = (recording: AddedRecording, to: Subscribed): Json => {
    const resource = `communications/onlineMeetings('${recording.meeting}')/recordings('${recording.id}')`;
    return {
      subscriptionId: to.id,
      changeType: "created",
      tenantId: TENANT,
      clientState: to.clientState,
      subscriptionExpirationDateTime: new Date(to.expiresAtMs).toISOString(),
      resource,
      resourceData: { id: recording.id, "@odata.type": "#Microsoft.Graph.callRecording", "@odata.id": resource },
    };
  };

  const RECORDINGS = /\/onlineMeetings\/([^/]+)\/recordings\/([^/]+)/.source;
  const found = (meeting: string, id: string) => {
    const recording = recordings.get(id);
    return recording?.meeting === meeting ? recording : undefined;
  };

  const routes: Route[] = [
    {
      method: "GET",
      pattern: new RegExp(`^/(?:users/[^/]+|communications)${RECORDINGS}$`),
      any: RECORDING,
      answer({ ids: [meeting = "", id = ""] }) {
        const recording = found(meeting, id);
        return recording === undefined ? refused(404, "NotFound") : { body: recordingJson(recording) };
      },
    },
    {
      method: "GET",
      pattern: new RegExp(`^/users/[^/]+${RECORDINGS}/content$`),
      any: RECORDING,
      answer(asked) {
        const recording = found(asked.ids[0] ?? "", asked.ids[1] ?? "");
        if (recording === undefined) return refused(404, "NotFound");
        if (!state.redirectsContent) return drives.ranged(recording.content, `"${recording.id}"`, asked);
        const item: StoredItem = drives.store({
          drive: "b!recordings",
          name: "recording.mp4",
          content: recording.content,
          createdBy: recording.organizer,
        });
        return { status: 302, headers: { location: drives.linkTo(item) } };
      },
    },
    {
      method: "GET",
      pattern: /^\/users\/([^/]+)\/onlineMeetings\/getAllRecordings\((.*)\)$/,
      any: ["OnlineMeetingRecording.Read.All"],
      answer({ ids: [user = "", parameters = ""], url }) {
        if (!parameters.includes(`meetingOrganizerUserId='${user}'`)) return refused(400, "BadRequest");
        const fromMs = Date.parse(/startDateTime=([^,]+)/.exec(parameters)?.[1] ?? "1970-01-01");
        const all = [...recordings.values()].filter(
          ({ organizer, startedAtMs }) => organizer === user && startedAtMs >= fromMs,
        );
        const skip = Number(url.searchParams.get("skipToken") ?? 0);
        const next = new URL(url);
        next.searchParams.set("skipToken", String(skip + PAGE));
        return {
          body: {
            value: all.slice(skip, skip + PAGE).map(recordingJson),
            ...(skip + PAGE < all.length ? { "@odata.nextLink": next.href } : {}),
          },
        };
      },
    },
    {
      method: "GET",
      pattern: /^\/users\/[^/]+\/onlineMeetings\/([^/]+)\/recordings$/,
      any: RECORDING,
      answer: ({ ids: [meeting = ""] }) => ({
        body: { value: [...recordings.values()].filter((each) => each.meeting === meeting).map(recordingJson) },
      }),
    },
    {
      method: "GET",
      pattern: /^\/users\/[^/]+\/onlineMeetings\/([^/]+)$/,
      any: ["OnlineMeetings.Read.All"],
      answer({ ids: [meeting = ""] }) {
        const recording = [...recordings.values()].find((each) => each.meeting === meeting);
        if (recording === undefined) return refused(404, "NotFound");
        return { body: { id: meeting, subject: recording.subject, chatInfo: { threadId: recording.chat } } };
      },
    },
    { method: "POST", pattern: /^\/subscriptions$/, any: RECORDING, answer: subscribe },
    {
      method: "GET",
      pattern: /^\/subscriptions$/,
      answer: () => ({ body: { value: live().map(({ clientState: _, ...each }) => each) } }),
    },
    { method: "PATCH", pattern: /^\/subscriptions\/([^/]+)$/, any: RECORDING, answer: renew },
    {
      method: "DELETE",
      pattern: /^\/subscriptions\/([^/]+)$/,
      answer: ({ ids: [id = ""] }) => (subscriptions.delete(id) ? { status: 204 } : refused(404, "ResourceNotFound")),
    },
  ];

  return {
    routes,
    close() {
      isClosed = true;
    },
    world: {
      meetings: state,
      recordings,
      subscriptions,
      deliveries,
      live,
      /** A recording that is there from now on; nobody is told. */
      addRecording(
        told: Partial<AddedRecording> & { readonly organizer: string; readonly chat: string },
      ): AddedRecording {
        const { organizer, chat } = told;
        const recording: AddedRecording = {
          id: Buffer.from(`V2##${randomUUID()}`).toString("base64"),
          meeting: Buffer.from(`1*${organizer}*0**${chat}`).toString("base64"),
          subject: "Weekly",
          content: Buffer.from("a meeting"),
          startedAtMs: now(),
          endedAtMs: now() + 60_000,
          ...told,
        };
        recordings.set(recording.id, recording);
        return recording;
      },
      notice,
      /** Tells every live subscription, and gives the statuses of the last deliveries. */
      notify: (recording: AddedRecording): Promise<number[]> =>
        Promise.all(live().map((to) => deliver(to.notificationUrl, { value: [notice(recording, to)] }))),
      lifecycle: (lifecycleEvent: string): Promise<number[]> =>
        Promise.all(
          live().map((to) =>
            deliver(to.lifecycleNotificationUrl ?? "", {
              value: [{ subscriptionId: to.id, clientState: to.clientState, tenantId: TENANT, lifecycleEvent }],
            }),
          ),
        ),
      post,
    },
  };
}
