// Meeting recordings by themselves, through the Graph double: subscribed, told of, missed, forged, lost, and found again.
import { describe, expect, it } from "vitest";
import { PlatformError } from "../../../../src/core/errors.ts";
import { refused } from "../../../support/graph-double.ts";
import { eventually, startGraphRig } from "../../../support/graph-rig.ts";

const ANNA = "976f4b31-fd01-4e0b-9178-29cc40c14438";
const BEN = "8b081ef6-4792-4def-b2c9-c363a1bf41d5";
const CHAT = "19:meeting_weekly@thread.v2";
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse("2026-11-25T08:00:00Z");

async function startMeetings(options: Parameters<typeof startGraphRig>[0] = {}) {
  const rig = await startGraphRig({ startMs: START, isOnDisk: true, ...options });
  const { double } = rig;
  const subscribed = () => eventually(() => expect(double.live()).toHaveLength(1));
  const heardIds = () => rig.heard.map(({ id }) => id);
  const settled = () =>
    eventually(async () => {
      expect(await rig.notes.list("graph:waiting:")).toEqual([]);
      const { id } = (await rig.notes.get("graph:subscription")) as { id: string };
      expect(id).not.toBe("");
    });
  return { ...rig, subscribed, heardIds, settled };
}

describe("meeting recordings", () => {
  it("are told of, described and handed on, with the chat to answer in", async () => {
    const { double, startGateway, subscribed, heard } = await startMeetings();
    const { notificationUrl } = await startGateway();
    await subscribed();
    expect(double.live()[0]).toMatchObject({
      resource: "communications/onlineMeetings/getAllRecordings",
      notificationUrl,
      lifecycleNotificationUrl: notificationUrl,
    });
    expect(double.live()[0]?.clientState.length).toBeGreaterThanOrEqual(40);
    const recording = double.addRecording({
      organizer: ANNA,
      chat: CHAT,
      startedAtMs: START,
      endedAtMs: START + 90_000,
    });
    expect(await double.notify(recording)).toEqual([202]);
    await eventually(() => expect(heard).toHaveLength(1));
    expect(heard[0]).toEqual({
      id: recording.id,
      chat: CHAT,
      organizer: ANNA,
      subject: "Weekly",
      startedAtMs: START,
      durationSeconds: 90,
      name: "Weekly 2026-11-25.mp4",
      source: { from: "meeting", organizer: ANNA, meeting: recording.meeting, recording: recording.id },
    });
  });

  it("are handed on once, however often and in whatever order they are told of", async () => {
    const { double, startGateway, subscribed, heardIds, settled } = await startMeetings();
    await startGateway();
    await subscribed();
    const some = Array.from({ length: 5 }, (_, index) =>
      double.addRecording({ organizer: ANNA, chat: CHAT, startedAtMs: START + index * 1000 }),
    );
    await Promise.all([...some.toReversed(), ...some, ...some].map((each) => double.notify(each)));
    await eventually(() => expect(heardIds()).toHaveLength(5));
    await settled();
    await Promise.all(some.map((each) => double.notify(each)));
    await settled();
    expect(heardIds().toSorted()).toEqual(some.map(({ id }) => id).toSorted());
  });

  it("are handed on once when the gateway broke off between hearing and writing down", async () => {
    const { double, startGateway, subscribed, heardIds, notes, settled } = await startMeetings();
    let breaks = 2;
    await startGateway({
      hear: async () => {
        if (breaks-- > 0) throw new PlatformError("unavailable", "The database is busy.", { retryAfterMs: 0 });
        return "taken";
      },
    });
    await subscribed();
    const recording = double.addRecording({ organizer: ANNA, chat: CHAT });
    await double.notify(recording);
    await eventually(async () => {
      const [waiting] = await notes.list("graph:waiting:");
      expect(waiting?.value).toMatchObject({ failures: 1 });
    });
    expect(heardIds()).toEqual([]);
    // Its next try is due in a quarter of a minute: at once when that has passed.
    await notes.put(`graph:waiting:${recording.id}`, await due(notes, recording.id));
    await eventually(async () => {
      const [waiting] = await notes.list("graph:waiting:");
      expect(waiting?.value).toMatchObject({ failures: 2 });
    });
    await notes.put(`graph:waiting:${recording.id}`, await due(notes, recording.id));
    await eventually(() => expect(heardIds()).toEqual([recording.id]));
    await settled();
  });

  it("that came while the gateway was down for a moment are sent again by Microsoft", async () => {
    const { double, startGateway, subscribed, heardIds, settled } = await startMeetings();
    const first = await startGateway();
    await subscribed();
    await settled();
    await first.stop();
    const recording = double.addRecording({ organizer: ANNA, chat: CHAT });
    const told = double.notify(recording);
    await eventually(() => expect(double.deliveries.length).toBeGreaterThan(2));
    await startGateway();
    expect(await told).toEqual([202]);
    await eventually(() => expect(heardIds()).toEqual([recording.id]));
    // The subscription that stands is kept.
    expect(double.callsOf(/^POST \/subscriptions/)).toHaveLength(1);
  });

  it("that came while it was down for days are looked for, also those of which Microsoft gave up telling", async () => {
    const { double, startGateway, subscribed, heardIds, settled, pass, now, warned } = await startMeetings();
    const first = await startGateway();
    await subscribed();
    const before = double.addRecording({ organizer: ANNA, chat: CHAT });
    await double.notify(before);
    await eventually(() => expect(heardIds()).toEqual([before.id]));
    await settled();
    await first.stop();
    // Three pages of them, over five days: the subscription ends meanwhile.
    const missed = [];
    for (let day = 0; day < 5; day++) {
      pass(DAY);
      missed.push(double.addRecording({ organizer: ANNA, chat: CHAT, startedAtMs: now() }));
    }
    double.addRecording({ organizer: BEN, chat: "19:meeting_other@thread.v2", startedAtMs: now() });
    pass(DAY);
    await startGateway();
    await eventually(() => expect(heardIds()).toHaveLength(6));
    await settled();
    expect(heardIds().slice(1).toSorted()).toEqual(missed.map(({ id }) => id).toSorted());
    expect(double.live()).toHaveLength(1);
    expect(warned).toEqual([]);
  });

  it("are looked for from a meeting's first sight on, and nothing from before it", async () => {
    const { double, startGateway, subscribed, heardIds, pass, now, settled } = await startMeetings();
    const old = double.addRecording({ organizer: BEN, chat: CHAT, startedAtMs: START - 5 * DAY });
    const first = await startGateway();
    await subscribed();
    await first.graph.meetingSeen({ chat: CHAT, organizer: BEN });
    await first.graph.meetingSeen({ chat: CHAT, organizer: "not-a-user" });
    await settled();
    await first.stop();
    pass(10 * HOUR);
    const missed = double.addRecording({ organizer: BEN, chat: CHAT, startedAtMs: now() });
    await startGateway();
    await eventually(() => expect(heardIds()).toEqual([missed.id]));
    await settled();
    expect(heardIds()).not.toContain(old.id);
  });

  it("are looked for one organizer after another when Graph is busy with one of them", async () => {
    const { double, startGateway, subscribed, heardIds, pass, now, settled } = await startMeetings();
    const first = await startGateway();
    await subscribed();
    for (const organizer of [ANNA, BEN])
      await first.graph.meetingSeen({ chat: `19:meeting_${organizer}@thread.v2`, organizer });
    await settled();
    await first.stop();
    pass(HOUR);
    const annas = double.addRecording({ organizer: ANNA, chat: CHAT, startedAtMs: now() });
    const bens = double.addRecording({ organizer: BEN, chat: CHAT, startedAtMs: now() });
    const busy = refused(503, "busy", { "retry-after": "0" });
    const mend = double.fail(new RegExp(`getAllRecordings.*${BEN}`), busy, 1000);
    await startGateway();
    await eventually(() => expect(heardIds()).toEqual([annas.id]));
    // Looked at again after five minutes.
    mend();
    pass(6 * 60_000);
    await eventually(() => expect(heardIds()).toEqual([annas.id, bens.id]));
  });

  it("of a chat that Earshot is not in are left alone", async () => {
    const { double, startGateway, subscribed, settled, heard, notes } = await startMeetings();
    await startGateway({ hear: async () => "not_here" });
    await subscribed();
    await double.notify(double.addRecording({ organizer: ANNA, chat: CHAT }));
    await settled();
    expect(heard).toEqual([]);
    expect(await notes.list("graph:organizer:")).toEqual([]);
  });

  it("are described without the permission to read meetings, from what their ids say", async () => {
    const { double, startGateway, subscribed, heard } = await startMeetings();
    double.granted.delete("OnlineMeetings.Read.All");
    await startGateway();
    await subscribed();
    const recording = double.addRecording({ organizer: ANNA, chat: CHAT, endedAtMs: undefined });
    await double.notify(recording);
    await eventually(() => expect(heard).toHaveLength(1));
    expect(heard[0]).toMatchObject({ chat: CHAT, subject: undefined, durationSeconds: undefined });
    expect(heard[0]?.name).toMatch(/^Meeting 2026-11-25\.mp4$/);
  });

  it("of meetings whose ids say nothing are asked for as the notification names them", async () => {
    const { double, startGateway, subscribed, heard } = await startMeetings();
    await startGateway();
    await subscribed();
    const recording = double.addRecording({ organizer: ANNA, chat: CHAT, meeting: "opaque-meeting" });
    await double.notify(recording);
    await eventually(() => expect(heard[0]).toMatchObject({ organizer: ANNA, chat: CHAT, subject: "Weekly" }));
  });

  it("that are gone by then are left out", async () => {
    const { double, startGateway, subscribed, settled, heard } = await startMeetings();
    await startGateway();
    await subscribed();
    const recording = double.addRecording({ organizer: ANNA, chat: CHAT });
    double.recordings.delete(recording.id);
    await double.notify(recording);
    await settled();
    expect(heard).toEqual([]);
  });

  it("wait for a permission that is granted later", async () => {
    const { double, startGateway, subscribed, heard, warned, pass, notes } = await startMeetings();
    await startGateway();
    await subscribed();
    double.fail(/recordings\/[^/]+$/, refused(403, "Forbidden"), 1);
    await double.notify(double.addRecording({ organizer: ANNA, chat: CHAT }));
    await eventually(() => expect(warned).toHaveLength(1));
    expect(warned[0]).toMatch(/OnlineMeetingRecording\.Read\.All.*application access policy/);
    expect(await notes.list("graph:waiting:")).toHaveLength(1);
    pass(60_000);
    await eventually(() => expect(heard).toHaveLength(1));
  });

  it("are given up after two days without one", async () => {
    const { double, startGateway, subscribed, heard, warned, pass, settled } = await startMeetings();
    await startGateway();
    await subscribed();
    double.fail(/recordings\/[^/]+$/, refused(403, "Forbidden"), 1000);
    await double.notify(double.addRecording({ organizer: ANNA, chat: CHAT }));
    await eventually(() => expect(warned).toHaveLength(1));
    pass(2 * DAY + HOUR);
    await settled();
    expect(heard).toEqual([]);
    expect(warned.at(-1)).toMatch(/was left out/);
  });
});

describe("notifications", () => {
  it("with another secret, of another subscription or another tenant are taken for nothing", async () => {
    const { double, startGateway, subscribed, settled, heard, notes } = await startMeetings();
    const { notificationUrl } = await startGateway();
    await subscribed();
    await settled();
    const recording = double.addRecording({ organizer: ANNA, chat: CHAT });
    const true_ = double.notice(recording, double.live()[0]!);
    const forged = [
      { ...true_, clientState: "guessed" },
      { ...true_, clientState: "" },
      { ...true_, clientState: `${true_["clientState"]} ` },
      { ...true_, subscriptionId: "7a62d59e-a789-4dd7-9c85-cf7d6567890d" },
      { ...true_, subscriptionId: "" },
      { ...true_, tenantId: "11111111-1111-1111-1111-111111111111" },
      { ...true_, clientState: null },
    ];
    for (const each of forged) expect(await double.post(notificationUrl, { value: [each] })).toBe(202);
    expect(
      await double.post(notificationUrl, { value: [{ ...forged[0], lifecycleEvent: "subscriptionRemoved" }] }),
    ).toBe(202);
    expect(await notes.list("graph:waiting:")).toEqual([]);
    expect(double.live()).toHaveLength(1);
    expect(await double.post(notificationUrl, { value: [true_] })).toBe(202);
    await eventually(() => expect(heard).toHaveLength(1));
  });

  it("that were recorded and are played again change nothing", async () => {
    const { double, startGateway, subscribed, settled, heard, pass } = await startMeetings();
    const { notificationUrl } = await startGateway();
    await subscribed();
    await settled();
    const recording = double.addRecording({ organizer: ANNA, chat: CHAT });
    const notice = double.notice(recording, double.live()[0]!);
    for (let times = 0; times < 3; times++) await double.post(notificationUrl, { value: [notice, notice] });
    await eventually(() => expect(heard).toHaveLength(1));
    pass(30 * DAY);
    await double.post(notificationUrl, { value: [notice] });
    await settled();
    expect(heard).toHaveLength(1);
  });

  it("that come before the answer to the subscription does are taken", async () => {
    const { double, startGateway, heard, notes } = await startMeetings();
    double.fail(/^POST \/subscriptions/, "lose");
    await startGateway();
    await eventually(() => expect(double.live()).toHaveLength(1));
    const { clientState } = double.live()[0]!;
    const note = (await notes.get("graph:subscription")) as { clientState: string };
    expect(note.clientState).toBe(clientState);
    await double.notify(double.addRecording({ organizer: ANNA, chat: CHAT }));
    await eventually(() => expect(heard).toHaveLength(1));
  });
});

describe("the subscription", () => {
  it("is renewed long before its end", async () => {
    const { double, startGateway, subscribed, settled, pass, now, heard } = await startMeetings();
    await startGateway();
    await subscribed();
    await settled();
    const id = double.live()[0]?.id;
    for (let day = 0; day < 8; day++) {
      pass(DAY);
      await eventually(() => expect(double.live()[0]!.expiresAtMs - now()).toBeGreaterThan(1.4 * DAY));
    }
    expect(double.live()[0]?.id).toBe(id);
    expect(double.callsOf(/^POST \/subscriptions/)).toHaveLength(1);
    await double.notify(double.addRecording({ organizer: ANNA, chat: CHAT, startedAtMs: now() }));
    await eventually(() => expect(heard).toHaveLength(1));
  });

  it("is made anew when its end went by, and what was missed is looked for", async () => {
    const { double, startGateway, subscribed, settled, pass, now, heardIds } = await startMeetings();
    const { graph } = await startGateway();
    await subscribed();
    await graph.meetingSeen({ chat: CHAT, organizer: ANNA });
    await settled();
    const id = double.live()[0]?.id;
    // The machine slept.
    pass(4 * DAY);
    const missed = double.addRecording({ organizer: ANNA, chat: CHAT, startedAtMs: now() - HOUR });
    await subscribed();
    expect(double.live()[0]?.id).not.toBe(id);
    await eventually(() => expect(heardIds()).toEqual([missed.id]));
  });

  it("is made anew when Microsoft has lost it at the renewal", async () => {
    const { double, startGateway, subscribed, settled, pass } = await startMeetings();
    await startGateway();
    await subscribed();
    await settled();
    double.subscriptions.clear();
    pass(1.6 * DAY);
    await subscribed();
  });

  it("is renewed when Microsoft asks for it, made anew when it was removed, and caught up when something was missed", async () => {
    const { double, startGateway, subscribed, settled, pass, now, heardIds } = await startMeetings();
    const { graph } = await startGateway();
    await subscribed();
    await graph.meetingSeen({ chat: CHAT, organizer: ANNA });
    await settled();
    expect(await double.lifecycle("reauthorizationRequired")).toEqual([202]);
    await eventually(() => expect(double.callsOf(/^PATCH/)).toHaveLength(1));

    pass(HOUR);
    const first = double.addRecording({ organizer: ANNA, chat: CHAT, startedAtMs: now() });
    expect(await double.lifecycle("missed")).toEqual([202]);
    await eventually(() => expect(heardIds()).toEqual([first.id]));

    const before = double.live()[0]!;
    const { id } = before;
    const second = double.addRecording({ organizer: ANNA, chat: CHAT, startedAtMs: now() });
    expect(await double.lifecycle("subscriptionRemoved")).toEqual([202]);
    await eventually(() => expect(double.live()[0]?.id).not.toBe(id));
    await eventually(() => expect(heardIds()).toEqual([first.id, second.id]));
    await settled();
    expect(double.live()).toHaveLength(1);

    // That the one before it is gone is nothing new.
    const current = double.live()[0]?.id;
    const late = { subscriptionId: id, clientState: before.clientState, lifecycleEvent: "subscriptionRemoved" };
    expect(await double.post(before.notificationUrl, { value: [late] })).toBe(202);
    const third = double.addRecording({ organizer: ANNA, chat: CHAT, startedAtMs: now() });
    await double.notify(third);
    await eventually(() => expect(heardIds()).toContain(third.id));
    expect(double.live()[0]?.id).toBe(current);
  });

  it("leaves none behind when the answer that made it was lost, or the database was", async () => {
    const { double, startGateway, subscribed, notes, pass, settled } = await startMeetings();
    double.fail(/^POST \/subscriptions/, "lose");
    const first = await startGateway();
    await eventually(() => {
      pass(1000);
      expect(double.callsOf(/^POST \/subscriptions/)).toHaveLength(2);
    });
    await subscribed();
    await settled();
    await first.stop();
    await notes.remove("graph:subscription");
    await startGateway();
    await settled();
    expect(double.live()).toHaveLength(1);
  });

  it("is another one when the public address is another", async () => {
    const { double, startGateway, subscribed, settled } = await startMeetings();
    const first = await startGateway();
    await subscribed();
    await settled();
    await first.stop();
    const second = await startGateway({ publicUrl: first.publicUrl.replace("127.0.0.1", "localhost") });
    await eventually(() => expect(double.live()[0]?.notificationUrl).toMatch(/localhost/));
    expect(double.live()).toHaveLength(1);
    await second.stop();
  });

  it("is said to be missing a permission, once, and made when it was granted; everything else goes on", async () => {
    const { double, startGateway, warned, pass } = await startMeetings();
    double.granted.delete("OnlineMeetingRecording.Read.All");
    double.granted.delete("OnlineMeetingRecording.Read.Chat");
    const { graph } = await startGateway();
    await eventually(() => expect(warned).toHaveLength(1));
    expect(warned[0]).toMatch(/OnlineMeetingRecording\.Read\.All.*everything else goes on/s);
    const tries = () => double.callsOf(/^POST \/subscriptions/).length;
    await eventually(() => {
      pass(60_000);
      expect(tries()).toBeGreaterThan(3);
    });
    expect(warned).toHaveLength(1);
    double.addChatMessage("19:a@thread.v2", "1", {});
    expect(await graph.files({ kind: "chat", chat: "19:a@thread.v2", message: "1" })).toEqual([]);
    double.granted.add("OnlineMeetingRecording.Read.All");
    await eventually(() => {
      pass(60_000);
      expect(double.live()).toHaveLength(1);
    });
  });

  it("says at once when the client secret has run out, and asks for no recording meanwhile", async () => {
    const { startGateway, warned, double } = await startMeetings();
    const { graph } = await startGateway({ appPassword: "run out" });
    await graph.meetingSeen({ chat: CHAT, organizer: ANNA });
    await eventually(() => expect(warned.some((sentence) => /TEAMS_APP_PASSWORD/.test(sentence))).toBe(true));
    expect(double.callsOf(/v1.0|recordings|subscriptions/)).toEqual([]);
  });

  it("cannot be made where Microsoft does not reach the gateway, and the sentence says so", async () => {
    const { double, startGateway, warned, pass } = await startMeetings();
    await startGateway({ publicUrl: "http://127.0.0.1:9" });
    await eventually(() => expect(warned).toHaveLength(1));
    expect(warned[0]).toMatch(/http:\/\/127\.0\.0\.1:9\/api\/teams\/notifications.*TEAMS_PUBLIC_URL/);
    expect(double.live()).toEqual([]);
    pass(HOUR);
  });

  it("is not made without a public address, and recordings are looked for every quarter of an hour", async () => {
    const { double, startGateway, warned, pass, now, heardIds } = await startMeetings();
    const { graph } = await startGateway({ publicUrl: undefined as never });
    expect(warned[0]).toMatch(/TEAMS_PUBLIC_URL is not set/);
    await graph.meetingSeen({ chat: CHAT, organizer: ANNA });
    const recording = double.addRecording({ organizer: ANNA, chat: CHAT, startedAtMs: now() });
    pass(16 * 60_000);
    await eventually(() => expect(heardIds()).toEqual([recording.id]));
    expect(double.callsOf(/subscriptions/)).toEqual([]);
  });

  it("is not made where meetings are switched off", async () => {
    const { double, startGateway, warned, notes } = await startMeetings();
    await startGateway({ meetings: { kind: "off" } });
    expect(warned).toEqual([]);
    expect(await notes.list("graph:")).toEqual([]);
    expect(double.calls).toEqual([]);
  });

  it("waits longer and longer while Microsoft is out of order", async () => {
    const { double, startGateway, warned, pass } = await startMeetings();
    double.fail(/^GET \/subscriptions/, refused(503, "busy", { "retry-after": "60" }), 3);
    await startGateway();
    await eventually(() => expect(double.callsOf(/^GET \/subscriptions/)).toHaveLength(1));
    await eventually(() => {
      pass(5000);
      expect(double.callsOf(/^GET \/subscriptions/)).toHaveLength(3);
    });
    // Short trouble is nobody's business.
    expect(warned).toEqual([]);
    await eventually(() => {
      pass(5000);
      expect(double.live()).toHaveLength(1);
    });
  });

  it("gets through a storm of 429s", async () => {
    const { double, startGateway, subscribed, heardIds, pass, warned } = await startMeetings();
    await startGateway();
    await subscribed();
    double.throttle(/recordings\/|onlineMeetings\//, 12);
    const some = Array.from({ length: 4 }, () => double.addRecording({ organizer: ANNA, chat: CHAT }));
    await Promise.all(some.map((each) => double.notify(each)));
    await eventually(() => {
      pass(1000);
      expect(heardIds()).toHaveLength(4);
    });
    expect(new Set(heardIds()).size).toBe(4);
    expect(warned).toEqual([]);
  });
});

describe("meetings that have the app installed", () => {
  const installed = { kind: "installed", catalogApp: "386bbcdb-1e1c-4f3f-b7d0-ad7b9ea6cf7c" } as const;

  it("are subscribed to by the app, and looked at one by one after a time away", async () => {
    const { double, startGateway, subscribed, settled, pass, now, heardIds } = await startMeetings();
    double.granted.delete("OnlineMeetingRecording.Read.All");
    double.granted.delete("OnlineMeetings.Read.All");
    const first = await startGateway({ meetings: installed });
    await subscribed();
    expect(double.live()[0]?.resource).toBe(
      "appCatalogs/teamsApps/386bbcdb-1e1c-4f3f-b7d0-ad7b9ea6cf7c/installedToOnlineMeetings/getAllRecordings" +
        "?useResourceSpecificConsentBasedAuthorization=true",
    );
    await first.graph.meetingSeen({ chat: CHAT, organizer: ANNA });
    await settled();
    await first.stop();
    pass(10 * HOUR);
    const missed = double.addRecording({ organizer: ANNA, chat: CHAT, startedAtMs: now() });
    double.addRecording({ organizer: ANNA, chat: "19:meeting_without@thread.v2", startedAtMs: now() });
    await startGateway({ meetings: installed });
    await eventually(() => expect(heardIds()).toEqual([missed.id]));
    await settled();
    expect(heardIds()).toHaveLength(1);
  });
});

describe("the check", () => {
  it("says what is granted, what is missing, and what that means", async () => {
    const { double, graphWith } = await startMeetings();
    const tenant = { kind: "tenant" } as const;
    expect(await graphWith({ meetings: tenant, publicUrl: "https://x.example" }).check()).toEqual([
      { finding: "Microsoft Graph takes the app's secret" },
    ]);
    double.granted.delete("Files.ReadWrite.All");
    double.granted.delete("OnlineMeetingRecording.Read.All");
    const findings = await graphWith({ meetings: tenant }).check();
    expect(findings.map(({ finding }) => finding)).toEqual([
      "Microsoft Graph takes the app's secret",
      expect.stringContaining("without Files.ReadWrite.All"),
      expect.stringContaining("without OnlineMeetingRecording.Read.All"),
      expect.stringContaining("TEAMS_PUBLIC_URL"),
    ]);
    for (const { remedy } of findings.slice(1)) expect(remedy).toBeTruthy();
    const [wrong] = await graphWith({ appPassword: "nonsense" }).check();
    expect(wrong).toMatchObject({ finding: expect.stringContaining("TEAMS_APP_PASSWORD"), remedy: expect.any(String) });
  });
});

/** The note of a recording that waits, due at once. */
async function due(notes: { get(key: string): Promise<unknown> }, id: string): Promise<object> {
  return { ...((await notes.get(`graph:waiting:${id}`)) as object), nextAtMs: 0 };
}
