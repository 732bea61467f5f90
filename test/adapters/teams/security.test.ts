// Who may tell the bot something: the table of bad tokens, bodies and senders, each answered with 400, 401 or 403, while
// the process goes on.
import { request } from "node:http";
import { beforeAll, describe, expect, it } from "vitest";
import { PERSONAL, TENANT } from "../../support/teams-double.ts";
import { startTeamsRig } from "../../support/teams-rig.ts";

type Rig = Awaited<ReturnType<typeof startTeamsRig>>;
type Double = Rig["double"];
type How = Parameters<Double["token"]>[1];
type Claims = Record<string, unknown>;

const seconds = () => Math.floor(Date.now() / 1000);
const OTHER = "99999999-9999-4999-8999-999999999999";
const STS = `https://sts.windows.net/${TENANT}/`;
const V2 = `https://login.microsoftonline.com/${TENANT}/v2.0`;

/** Each from a good token by one change. */
const BAD_TOKENS: readonly [what: string, claims: Claims | (() => Claims), how?: How][] = [
  ["signed with a key that nobody published", {}, { key: "unknown" }],
  ["signed with another key under the published one's id", {}, { key: "stolen name" }],
  ["signed with the key of another channel", {}, { key: "other channel" }],
  ["with a payload that was changed after it was signed", {}, { forged: { extra: "claim" } }],
  ["of algorithm none", {}, { key: "none", header: { alg: "none" } }],
  ["of algorithm none with the key's id and a signature", {}, { header: { alg: "none" } }],
  ["of HS256 with the public key as the secret", {}, { key: "public key as a secret", header: { alg: "HS256" } }],
  ["that names no key", {}, { header: { kid: undefined } }],
  ["that names a key by a number", {}, { header: { kid: 1 } }],
  ["with a critical header that nobody knows", {}, { header: { crit: ["x"], x: 1 } }],
  ["that has expired", () => ({ exp: seconds() - 600, nbf: seconds() - 4000 })],
  ["that never expires", { exp: undefined }],
  ["that expires at no time", { exp: "tomorrow" }],
  ["that is not valid yet", () => ({ nbf: seconds() + 900 })],
  ["for another bot", { aud: OTHER }],
  ["for nobody", { aud: undefined }],
  ["for this bot and another", {}],
  ["of no issuer", { iss: undefined }],
  ["of another issuer", { iss: "https://api.botframework.example" }],
  ["as if of the emulator", { iss: STS, ver: "1.0", tid: TENANT }],
  ["as if of the emulator, version 2", { iss: V2, ver: "2.0", tid: TENANT }],
  ["as if of another bot that has this one as its skill", { iss: V2, ver: "2.0", azp: OTHER, tid: TENANT }],
  ["of another tenant", { tid: OTHER }],
  ["for another service address", { serviceurl: "https://evil.example/" }],
  ["for no service address", { serviceurl: undefined }],
];

describe("/api/messages", () => {
  let rig: Rig;
  let double: Double;
  const say = () => double.activityIn(PERSONAL, { text: "jargon list" });

  async function status(body: unknown, token?: string): Promise<number> {
    const response = await double.post(body, token);
    await response.text();
    return response.status;
  }

  /** Whatever was sent before: the next honest one is heard. */
  async function expectAlive(): Promise<void> {
    const before = rig.told.invocations.length;
    expect(await status(say(), double.token())).toBe(200);
    expect(rig.told.invocations).toHaveLength(before + 1);
  }

  beforeAll(async () => {
    // One rig for all: none of them may harm the next.
    rig = await startTeamsRig({ isShared: true });
    double = rig.double;
    return () => rig.close();
  });

  it("takes a good token, up to five minutes off", async () => {
    await expectAlive();
    expect(await status(say(), double.token({ exp: seconds() - 200, nbf: seconds() - 4000 }))).toBe(200);
    expect(await status(say(), double.token({ tid: TENANT }))).toBe(200);
  });

  it.each(BAD_TOKENS)("answers 401 to a token %s", async (what, claims, how) => {
    const told = typeof claims === "function" ? claims() : claims;
    const more = what === "for this bot and another" ? { aud: [double.app.id, OTHER] } : told;
    const before = rig.told.invocations.length;
    expect(await status(say(), double.token(more, how))).toBe(401);
    expect(rig.told.invocations).toHaveLength(before);
    await expectAlive();
  });

  it.each([
    ["nothing", ""],
    ["no token", "Bearer"],
    ["half a token", "Bearer abc"],
    ["three dots", "Bearer ..."],
    ["no JSON", "Bearer YWJj.YWJj.YWJj"],
    ["a token that is null", `Bearer ${Buffer.from("null").toString("base64url")}.bnVsbA.YQ`],
    ["a long one", `Bearer ${"a".repeat(7000)}.b.c`],
    ["another scheme", "Basic dXNlcjpwYXNz"],
    ["a scheme and two tokens", "Bearer a.b.c d.e.f"],
  ])("answers 401 to an authorization of %s", async (_, authorization) => {
    expect(await raw(JSON.stringify(say()), { authorization })).toBe(401);
    await expectAlive();
  });

  it("answers 401 without looking at the body where nobody signs", async () => {
    expect(await raw("{", {})).toBe(401);
  });

  it.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["null", "null"],
    ["a list", "[]"],
    ["a number", "1"],
    ["an empty object", "{}"],
    ["a type that is none", JSON.stringify({ type: 1 })],
  ])("answers 400 to a body of %s", async (_, body) => {
    expect(await status(body, double.token())).toBe(400);
    await expectAlive();
  });

  it.each(["type", "channelId", "serviceUrl", "conversation", "from", "recipient"])(
    "answers 400 to an activity without %s",
    async (name) => {
      expect(await status({ ...say(), [name]: undefined }, double.token())).toBe(400);
      expect(await status({ ...say(), [name]: 7 }, double.token())).toBe(400);
      await expectAlive();
    },
  );

  it.each(["emulator", "directline", "AseChannel", "facebook"])("answers 400 to the channel %s", async (channelId) => {
    expect(await status({ ...say(), channelId }, double.token())).toBe(400);
  });

  it("hears of no other service address than the token's, and of none outside the list", async () => {
    const evil = "https://evil.example/teams/";
    expect(await status({ ...say(), serviceUrl: evil }, double.token())).toBe(401);
    expect(await status({ ...say(), serviceUrl: evil }, double.token({ serviceurl: evil }))).toBe(400);
    const near = `${double.base}@evil.example/`;
    expect(await status({ ...say(), serviceUrl: near }, double.token({ serviceurl: near }))).toBe(400);
    expect(double.calls.every(({ path }) => path.startsWith("/v3/"))).toBe(true);
  });

  it("serves the configured tenant alone, and nobody whose tenant is not told", async () => {
    const tenants = (own: string | undefined, conversation: string | undefined) => ({
      ...say(),
      channelData: own === undefined ? {} : { tenant: { id: own } },
      conversation: { id: PERSONAL, conversationType: "personal", ...(conversation ? { tenantId: conversation } : {}) },
    });
    expect(await status(tenants(TENANT, undefined), double.token())).toBe(200);
    expect(await status(tenants(undefined, TENANT), double.token())).toBe(200);
    expect(await status(tenants(TENANT.toUpperCase(), undefined), double.token())).toBe(200);
    for (const [own, conversation] of [
      [OTHER, OTHER],
      [TENANT, OTHER],
      [OTHER, TENANT],
      [undefined, undefined],
    ] as const) {
      expect(await status(tenants(own, conversation), double.token())).toBe(403);
    }
    await expectAlive();
  });

  it("survives what nobody expects in an activity", async () => {
    const odd: Record<string, unknown>[] = [
      { attachments: "none" },
      { attachments: [null, 1, { contentType: 5, content: "x" }] },
      { attachments: [{ contentType: "application/vnd.microsoft.teams.file.download.info", content: null }] },
      { entities: { length: 5 } },
      { text: { toString: null } },
      { value: "x", channelData: { tenant: { id: TENANT }, team: "x" } },
      { type: "invoke", name: 7, value: null },
      { type: "invoke", name: "fileConsent/invoke", value: { action: "accept", context: [] } },
      { type: "invoke", name: "composeExtension/fetchTask", value: { commandId: "transcribe", messagePayload: [] } },
      { type: "conversationUpdate", membersAdded: [null] },
      { type: "messageDelete", id: undefined },
      { type: "neverHeardOf" },
      { timestamp: "no time", localTimestamp: 3 },
    ];
    for (const more of odd) {
      const told = await status(double.activityIn(PERSONAL, more), double.token());
      expect([200, 400, 501], JSON.stringify(more)).toContain(told);
    }
    await expectAlive();
    // Nothing of it was worth a word in the log.
    expect(rig.observed.filter(({ kind }) => kind === "unexpected")).toEqual([]);
  });

  it("tells the sender nothing but the kind of the mistake", async () => {
    const response = await double.post(say(), double.token({}, { key: "unknown" }));
    expect(await response.text()).toBe("The token is missing, wrong or too old.");
    expect(rig.observed).toEqual([]);
  });

  it("answers 503 while Microsoft's keys cannot be fetched, and to everybody before it listens", async () => {
    const early = await startTeamsRig({ listens: false });
    const said = early.double.activityIn(PERSONAL, { text: "help" });
    early.double.openId.isDown = true;
    expect((await early.double.post(said)).status).toBe(503);
    early.double.openId.isDown = false;
    expect((await early.double.post(said)).status).toBe(503);
    expect((await early.double.post(said, early.double.token({}, { key: "unknown" }))).status).toBe(401);
    await early.platform.listen(early.listener, early.stop.signal);
    expect((await early.double.post(said)).status).toBe(200);
    early.stop.abort();
    expect((await early.double.post(said)).status).toBe(503);
  });

  it("does not fetch the keys anew for every token with an unknown one", async () => {
    const before = double.openId.asked;
    for (let times = 0; times < 20; times++) await status(say(), double.token({}, { header: { kid: `x${times}` } }));
    expect(double.openId.asked - before).toBeLessThanOrEqual(1);
  });

  it("takes unsigned activities only where it is made for Microsoft's playground, and answers them nowhere else", async () => {
    const open = await startTeamsRig({ app: undefined });
    const said = (serviceUrl: string) => ({ ...open.double.activityIn(PERSONAL, { text: "help" }), serviceUrl });
    const unsigned = async (body: unknown) =>
      (await fetch(`${open.url}/api/messages`, { method: "POST", body: JSON.stringify(body) })).status;
    expect(await unsigned(said("https://evil.example/"))).toBe(400);
    expect(await unsigned(said("http://localhost:56150@evil.example/"))).toBe(400);
    expect(open.told.invocations).toEqual([]);
    expect(await unsigned(said(open.double.serviceUrl))).not.toBe(401);
    expect(open.told.invocations).toHaveLength(1);
    // Nothing is signed on the way out either: there is no secret that could be.
    expect(open.double.calls.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  /** With headers that fetch would not send. */
  function raw(body: string, headers: Record<string, string>): Promise<number> {
    return new Promise((resolve, reject) => {
      const asked = request(`${rig.url}/api/messages`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
      });
      asked.on("response", (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asked.on("error", reject);
      asked.end(body);
    });
  }
});
