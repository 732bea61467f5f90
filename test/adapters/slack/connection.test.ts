// What is acknowledged and when, what comes again, and what a connection survives.
import { describe, expect, it } from "vitest";
import { createSlack } from "../../../src/adapters/slack/index.ts";
import { SIGNING_SECRET, signed, startSlackDouble } from "../../support/slack-double.ts";
import { BOT_TOKEN } from "../../support/slack-emulator.ts";
import { eventually, startSlackRig } from "../../support/slack-rig.ts";

const SOUND = Buffer.from("not really sound");
const OPTIONS = { botToken: "xoxb-earshot", maxBytes: 1_000_000, now: Date.now };
const noListener = { recording: async () => ({ kind: "ignored" as const }) };

describe.each([["Socket Mode", false] as const, ["HTTP", true] as const])("over %s", (_name, isHttp) => {
  it("an event is acknowledged only when it is durable, and comes again when that failed", async () => {
    let tries = 0;
    const { double, observed } = await startSlackRig({
      isHttp,
      listener: {
        async recording() {
          tries++;
          if (tries < 3) throw new Error("The disk is full.");
          return { kind: "added", jobId: "1f3a9c" };
        },
      },
    });
    await double.upload("audio_message.m4a", SOUND);
    await double.settled();
    await eventually(() => expect(tries).toBe(3));
    await double.settled();
    expect(tries).toBe(3);
    expect(observed.map((event) => event.kind === "unexpected" && event.where)).toContain("an event of Slack's");
  });

  it("the same event is worked on once, also while it is still being worked on", async () => {
    let begun = 0;
    let finish = () => {};
    const { double } = await startSlackRig({
      isHttp,
      listener: {
        async recording() {
          begun++;
          await new Promise<void>((resolve) => {
            finish = resolve;
          });
          return { kind: "added", jobId: "1f3a9c" };
        },
      },
    });
    const { ts, file } = await double.upload("audio_message.m4a", SOUND);
    await eventually(() => expect(begun).toBe(1));
    const event = double.delivered.find(({ event }) => (event as { type: string }).type === "message");
    const again = double.deliver("events_api", event ?? {});
    const other = double.event({
      type: "message",
      subtype: "file_share",
      channel: double.channel,
      user: double.emulator.person,
      ts,
      files: [{ id: file, name: "audio_message.m4a", mimetype: "video/mp4" }],
    });
    finish();
    await again;
    await other;
    expect(begun).toBe(1);
  });
});

describe("over HTTP", () => {
  const post = (url: string, text: string, headers: Record<string, string>) =>
    fetch(url, { method: "POST", body: text, headers: { "content-type": "application/json", ...headers } });

  it("only what Slack signed, and lately, is taken", async () => {
    const { eventsUrl, told } = await startSlackRig({ isHttp: true });
    const text = JSON.stringify({ type: "url_verification", challenge: "abc" });
    const verified = await post(eventsUrl(), text, signed(text));
    expect(await verified.json()).toEqual({ challenge: "abc" });
    const now = Math.floor(Date.now() / 1000);
    for (const headers of [
      {},
      signed(text, now - 301),
      { ...signed(text), "x-slack-signature": "v0=00" },
      { ...signed(text), "x-slack-signature": "v1=00" },
      { ...signed(text), "x-slack-request-timestamp": "soon" },
      signed(`${text} `),
    ]) {
      expect((await post(eventsUrl(), text, headers)).status).toBe(401);
    }
    expect((await post(eventsUrl(), "{", signed("{"))).status).toBe(400);
    const check = "ssl_check=1&token=x";
    const checked = await post(eventsUrl(), check, {
      ...signed(check),
      "content-type": "application/x-www-form-urlencoded",
    });
    expect(checked.status).toBe(200);
    expect(told.recordings).toEqual([]);
  });

  it("nothing is taken before and after Earshot listens, so that it comes again", async () => {
    const { eventsUrl, stop, platform, listener } = await startSlackRig({ isHttp: true, listens: false });
    const text = JSON.stringify({ type: "event_callback", event_id: "Ev1", event: { type: "message", channel: "C1" } });
    expect((await post(eventsUrl(), text, signed(text))).status).toBe(503);
    await platform.listen(listener, stop.signal);
    expect((await post(eventsUrl(), text, signed(text))).status).toBe(200);
    stop.abort();
    await eventually(async () => expect((await post(eventsUrl(), text, signed(text))).status).toBe(503));
  });
});

describe("a connection", () => {
  it.each(["asked", "broken"] as const)("that ends, %s, is made again, and nothing is lost", async (how) => {
    const { double, told } = await startSlackRig();
    double.disconnect(how);
    await double.upload("audio_message.m4a", SOUND);
    await eventually(() => expect(told.recordings).toHaveLength(1));
    expect(double.connections()).toBe(2);
    double.fail(/apps\.connections\.open/, 2, { status: 500 });
    double.disconnect(how);
    await double.upload("audio_message.m4a", SOUND);
    await eventually(() => expect(told.recordings).toHaveLength(2));
    expect(double.connections()).toBe(3);
  });

  it("that was away for a while finds what was posted meanwhile, and answers nothing twice", async () => {
    const { double, platform, told, listener, stop, observed } = await startSlackRig({ listens: false });
    const missed = await double.upload("audio_message.m4a", SOUND);
    const answered = await double.upload("answered.m4a", SOUND);
    const seen = { channel: double.channel, timestamp: answered.ts, name: "ear" };
    await fetch(`${double.apiUrl}reactions.add`, {
      method: "POST",
      headers: { authorization: `Bearer ${BOT_TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify(seen),
    });
    await double.say("no recording");
    // Slack has given up on them.
    double.forget();
    await platform.listen(listener, stop.signal);
    await eventually(() => expect(told.recordings.map(({ place }) => place.message)).toEqual([missed.ts]));
    await double.settled();
    expect(told.recordings).toHaveLength(1);
    expect(observed).toEqual([]);
  });

  it("that fails at first is made by a later try", async () => {
    const { double, platform, told, listener, stop } = await startSlackRig({ listens: false });
    double.fail(/auth\.test/, 1, "drop");
    await expect(platform.listen(listener, stop.signal)).rejects.toMatchObject({ code: "unavailable" });
    double.fail(/apps\.connections\.open/, 1, "drop");
    await expect(platform.listen(listener, stop.signal)).rejects.toMatchObject({ code: "unavailable" });
    await platform.listen(listener, stop.signal);
    await double.upload("audio_message.m4a", SOUND);
    await eventually(() => expect(told.recordings).toHaveLength(1));
    expect(double.connections()).toBe(1);
  });

  it("ends with the signal, and is not made again", async () => {
    const { double, stop } = await startSlackRig();
    stop.abort();
    await eventually(async () => {
      double.disconnect("broken");
      expect(double.connections()).toBe(1);
    });
  });
});

describe("at the start", () => {
  const listen = async (more: object, prepare?: (double: Awaited<ReturnType<typeof startSlackDouble>>) => void) => {
    const double = await startSlackDouble();
    prepare?.(double);
    const { platform } = createSlack({ ...OPTIONS, apiUrl: double.apiUrl, fileOrigins: [double.base], ...more });
    const error: unknown = await platform
      .listen(noListener as never, new AbortController().signal)
      .catch((reason: unknown) => reason);
    await double.close();
    return error;
  };

  it("a wrong bot token is named", async () => {
    const error = await listen({ appToken: "xapp-earshot" }, (double) => double.refuse(/auth\.test/, "invalid_auth"));
    expect(error).toMatchObject({
      name: "PlatformError",
      code: "unauthorized",
      message: expect.stringContaining("SLACK_BOT_TOKEN"),
    });
  });

  it("a wrong app token is named", async () => {
    expect(await listen({ appToken: "xapp-wrong" })).toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining("SLACK_APP_TOKEN"),
    });
  });

  it("a way to hear of events must be given", async () => {
    expect(await listen({})).toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining("SLACK_SIGNING_SECRET"),
    });
  });

  it("scopes without which nothing works are named", async () => {
    const answer = { ok: true, user_id: "U0BOT", bot_id: "B0BOT", team_id: "T0" };
    const error = await listen({ signingSecret: SIGNING_SECRET }, (double) =>
      double.fail(/auth\.test/, 1, {
        headers: { "x-oauth-scopes": "chat:write,commands" },
        body: JSON.stringify(answer),
      }),
    );
    expect(error).toMatchObject({ name: "ConfigError", message: expect.stringContaining("files:read, files:write") });
  });

  it("a person's token is not taken for the bot's", async () => {
    const error = await listen({ signingSecret: SIGNING_SECRET }, (double) =>
      double.fail(/auth\.test/, 1, { body: JSON.stringify({ ok: true, user_id: "U1" }) }),
    );
    expect(error).toMatchObject({ name: "ConfigError", message: expect.stringContaining("xoxb-") });
  });

  it("Slack away is said to be away", async () => {
    const error = await listen({ signingSecret: SIGNING_SECRET }, (double) => double.fail(/auth\.test/, 1, "drop"));
    expect(error).toMatchObject({ name: "PlatformError", code: "unavailable" });
  });
});
