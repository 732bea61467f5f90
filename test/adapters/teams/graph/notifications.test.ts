// What a notification says, and what the address answers to everybody who posts to it.
import fc from "fast-check";
import fastify from "fastify";
import { describe, expect, it, onTestFinished } from "vitest";
import { meetingIdOf, readMeetingId } from "../../../../src/adapters/teams/graph/meetings/meeting-id.ts";
import {
  isValidationToken,
  NOTIFICATIONS_PATH,
  type Notification,
  readNotifications,
  readResource,
} from "../../../../src/adapters/teams/graph/meetings/notifications.ts";
import { createNotificationRoute } from "../../../../src/adapters/teams/graph/meetings/routes.ts";

const MEETING = "MSo5NzZmNGIzMS1mZDAxLTRlMGItOTE3OC0yOWNjNDBjMTQ0MzgqMCoqMTk6bWVldGluZ19hQHRocmVhZC52Mg==";
const ANNA = "976f4b31-fd01-4e0b-9178-29cc40c14438";
const told = (more: object = {}) => ({
  subscriptionId: "7a62d59e-a789-4dd7-9c85-cf7d6567890d",
  changeType: "created",
  clientState: "state",
  tenantId: "tenant",
  resource: `communications/onlineMeetings('${MEETING}')/recordings('VjIj+/=')`,
  resourceData: { id: "VjIj+/=" },
  ...more,
});

describe("a notification", () => {
  it("tells of recordings and of the subscription's life", () => {
    expect(
      readNotifications({
        value: [
          told(),
          told({ lifecycleEvent: "missed" }),
          told({ changeType: "deleted" }),
          told({ lifecycleEvent: "x" }),
        ],
      }),
    ).toMatchObject([
      { kind: "recording", meeting: MEETING, recording: "VjIj+/=", clientState: "state", tenant: "tenant" },
      { kind: "lifecycle", event: "missed" },
      { kind: "other" },
      { kind: "other" },
    ]);
  });

  it.each([
    [`communications/onlineMeetings('M')/recordings('R')`, { meeting: "M", recording: "R" }],
    [`/Users('${ANNA}')/onlineMeetings('M')/recordings('R')`, { organizer: ANNA, meeting: "M", recording: "R" }],
    [`users/${ANNA}/onlineMeetings/M/recordings/R`, { organizer: ANNA, meeting: "M", recording: "R" }],
    [`users('me')/onlineMeetings('M')/recordings('R')`, undefined],
    [`communications/onlineMeetings('M')/transcripts('R')`, undefined],
    [`communications/onlineMeetings('M')/recordings('R')/content`, undefined],
    [`communications/onlineMeetings('../../users')/recordings('R')`, { meeting: "../../users", recording: "R" }],
    [`communications/onlineMeetings('M\n')/recordings('R')`, undefined],
    [`communications/onlineMeetings('${"M".repeat(5000)}')/recordings('R')`, undefined],
  ])("of %j is read", (resource, ref) => {
    expect(readResource(resource)).toEqual(ref);
  });

  it("that is none is none, and what is wrong in one leaves the others", () => {
    for (const body of [undefined, null, 7, "x", [], {}, { value: {} }, { value: "x" }]) {
      expect(readNotifications(body)).toBeUndefined();
    }
    expect(readNotifications({ value: [null, 7, {}, { subscriptionId: 7, clientState: "x" }, told()] })).toHaveLength(
      1,
    );
  });

  it("cannot be made to break the reader, nor to smuggle in an id that is none", () => {
    const anything = fc.anything({ withBigInt: false, withNullPrototype: true });
    const alike = fc.record(
      {
        subscriptionId: fc.oneof(fc.string(), anything),
        clientState: fc.oneof(fc.string(), anything),
        changeType: fc.oneof(fc.constant("created"), anything),
        lifecycleEvent: fc.oneof(fc.constant("missed"), anything),
        tenantId: anything,
        resource: fc.oneof(
          anything,
          fc
            .tuple(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }))
            .map(([meeting, recording]) => `communications/onlineMeetings('${meeting}')/recordings('${recording}')`),
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(anything, fc.record({ value: fc.array(fc.oneof(anything, alike)) })), (body) => {
        for (const each of readNotifications(body) ?? []) {
          expect(typeof each.subscription).toBe("string");
          expect(typeof each.clientState).toBe("string");
          if (each.kind === "recording") {
            expect(each.meeting).toMatch(/^[\w+/=.:@*~-]{1,1000}$/);
            expect(each.recording).toMatch(/^[\w+/=.:@*~-]{1,1000}$/);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("gives back every id that Graph may give", () => {
    const id = fc.base64String({ minLength: 4, maxLength: 400 });
    fc.assert(
      fc.property(id, id, fc.option(fc.uuid(), { nil: undefined }), (meeting, recording, organizer) => {
        const by = organizer === undefined ? "communications" : `users('${organizer}')`;
        const ref = { meeting, recording, ...(organizer === undefined ? {} : { organizer }) };
        expect(readResource(`${by}/onlineMeetings('${meeting}')/recordings('${recording}')`)).toEqual(ref);
      }),
    );
  });
});

describe("a meeting's id", () => {
  it("says who organized it and which chat it has, where it is of that form", () => {
    expect(readMeetingId(MEETING)).toEqual({ organizer: ANNA, chat: "19:meeting_a@thread.v2" });
    expect(meetingIdOf({ organizer: ANNA, chat: "19:meeting_a@thread.v2" })).toBe(MEETING);
    for (const id of [
      "",
      "x",
      "7e31db25-bc6e-4fd8-96c7-e01264e9b6fc",
      Buffer.from("1*x*0**19:y@z").toString("base64"),
    ]) {
      expect(readMeetingId(id)).toBeUndefined();
    }
  });
});

describe("the address for notifications", () => {
  async function startRoute(ours: (each: Notification) => boolean = () => true, isOpen = true) {
    const taken: Notification[] = [];
    let fails = 0;
    const app = fastify();
    await app.register(
      createNotificationRoute({
        isOpen: () => isOpen,
        isOurs: async (each) => ours(each),
        take: async (notifications) => {
          if (fails-- > 0) throw new Error("disk full");
          taken.push(...notifications);
        },
        listening: () => {},
      }),
    );
    onTestFinished(() => app.close());
    const post = (payload: string | Buffer, headers: Record<string, string> = { "content-type": "application/json" }) =>
      app.inject({ method: "POST", url: NOTIFICATIONS_PATH, payload, headers });
    return {
      taken,
      post,
      app,
      failNext: () => {
        fails = 1;
      },
    };
  }
  const body = (...value: object[]) => JSON.stringify({ value });

  it("answers Microsoft's question whether it is ours, as plain text", async () => {
    const { app } = await startRoute(undefined, false);
    const token = `Validation: Testing client application reachability Request-Id: 1 +/=&"<script>`;
    const url = `${NOTIFICATIONS_PATH}?validationToken=${encodeURIComponent(token)}`;
    for (const headers of [
      { "content-type": "text/plain; charset=utf-8" },
      { "content-type": "application/json" },
      {},
    ]) {
      const answer = await app.inject({ method: "POST", url, headers });
      expect(answer.statusCode).toBe(200);
      expect(answer.headers["content-type"]).toBe("text/plain; charset=utf-8");
      expect(answer.body).toBe(token);
    }
  });

  it.each([
    ["nothing", ""],
    ["two of them", "a&validationToken=b"],
    ["a line break", "a%0d%0aset-cookie:%20x"],
    ["something that is no ASCII", "gr%C3%BC%C3%9Fe"],
    ["no end", "a".repeat(3000)],
  ])("echoes no token with %s", async (_, token) => {
    const { app } = await startRoute();
    const answer = await app.inject({ method: "POST", url: `${NOTIFICATIONS_PATH}?validationToken=${token}` });
    expect(answer.statusCode).toBe(400);
    expect(answer.body).not.toContain(token === "" ? "undefined" : token);
  });

  it("takes notifications once they are written down, and has them sent again when they cannot be", async () => {
    const { post, taken, failNext } = await startRoute();
    failNext();
    expect((await post(body(told()))).statusCode).toBe(500);
    expect((await post(body(told(), told({ lifecycleEvent: "missed" })))).statusCode).toBe(202);
    expect(taken.map(({ kind }) => kind)).toEqual(["recording", "lifecycle"]);
  });

  it("answers forged ones as it answers others, and takes none of them", async () => {
    const { post, taken } = await startRoute(({ clientState }) => clientState === "state");
    const answer = await post(body(told({ clientState: "guessed" }), told(), told({ clientState: "" })));
    expect([answer.statusCode, answer.body]).toEqual([202, ""]);
    expect(taken).toHaveLength(1);
    const none = await post(body(told({ clientState: "guessed" })));
    expect([none.statusCode, none.body]).toEqual([202, ""]);
  });

  it.each([
    ["no body", ""],
    ["no JSON", "{"],
    ["no notification", "[]"],
    ["a list of nothing", '{"value":7}'],
    ["a polluted prototype", '{"__proto__":{"value":[]}}'],
  ])("refuses %s", async (_, payload) => {
    const { post, taken } = await startRoute();
    expect((await post(payload)).statusCode).toBe(400);
    expect(taken).toEqual([]);
  });

  it("takes no more than a quarter of a megabyte", async () => {
    const { post } = await startRoute();
    expect((await post(Buffer.alloc(300_000, 32))).statusCode).toBe(413);
  });

  it("has it sent again while nobody listens", async () => {
    const { post } = await startRoute(undefined, false);
    expect((await post(body(told()))).statusCode).toBe(503);
  });

  it("cannot be broken by any body", async () => {
    const { post } = await startRoute(() => false);
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.json(), fc.string({ unit: "binary" })), async (payload) => {
        expect([202, 400]).toContain((await post(payload)).statusCode);
      }),
      { numRuns: 200 },
    );
  });
});

describe("a validation token", () => {
  it("is printable and short", () => {
    expect(isValidationToken("Validation: x")).toBe(true);
    for (const token of [undefined, 7, ["a"], "", "a\nb", "é", "x".repeat(2049)]) {
      expect(isValidationToken(token)).toBe(false);
    }
  });
});
