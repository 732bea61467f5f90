// The client and its tokens against the Graph double: real msal, what Graph refuses, and how patient it is.
import { describe, expect, it } from "vitest";
import { createGraphClient } from "../../../../src/adapters/teams/graph/client.ts";
import { CLOUDS, hostsOf } from "../../../../src/adapters/teams/graph/clouds.ts";
import { retryAfterOf } from "../../../../src/adapters/teams/graph/errors.ts";
import { path } from "../../../../src/adapters/teams/graph/path.ts";
import { createTokens } from "../../../../src/adapters/teams/graph/tokens.ts";
import { PlatformError } from "../../../../src/core/errors.ts";
import { APP, APP_SECRET, refused, TENANT } from "../../../support/graph-double.ts";
import { startGraphRig } from "../../../support/graph-rig.ts";

const DOING = { doing: "a test", needs: "Test.Read.All" };

async function startClient(secret = APP_SECRET, tenant = TENANT, appId = APP) {
  const rig = await startGraphRig();
  const { double } = rig;
  const slept: number[] = [];
  const hosts = double.hosts;
  const tokens = createTokens({ tenant, appId, appPassword: secret, hosts, scope: `${hosts.graph}/.default` });
  const graph = createGraphClient({
    hosts,
    tokens,
    now: rig.now,
    sleep: async (ms) => {
      slept.push(ms);
      rig.pass(ms);
    },
  });
  const chat = path`/chats/${"19:a@thread.v2"}/messages/${"1"}`;
  double.addChatMessage("19:a@thread.v2", "1", { id: "1" });
  return { ...rig, graph, tokens, slept, get: () => graph.get<{ id: string }>({ ...DOING, path: chat }) };
}

describe("the client", () => {
  it("signs in once for many calls at once, and keeps the token", async () => {
    const { get, double } = await startClient();
    await Promise.all(Array.from({ length: 20 }, get));
    await get();
    expect(double.signIns()).toBe(1);
    expect(double.callsOf(/^GET \/chats/)).toHaveLength(21);
  });

  it("signs in anew when a token is refused, and gives up when the new one is too", async () => {
    const { get, double } = await startClient();
    await get();
    double.revokeTokens();
    expect(await get()).toEqual({ id: "1" });
    expect(double.signIns()).toBe(2);
    double.fail(/^GET \/chats/, refused(401, "InvalidAuthenticationToken"), 9);
    await expect(get()).rejects.toMatchObject({ code: "unauthorized" });
    expect(double.signIns()).toBe(3);
  });

  it.each([
    ["a wrong secret", "nonsense", TENANT, APP, /AADSTS7000215.*TEAMS_APP_PASSWORD/],
    ["an unknown app", APP_SECRET, TENANT, "00000000-0000-0000-0000-000000000000", /AADSTS700016.*TEAMS_APP_ID/],
    ["an unknown tenant", APP_SECRET, "11111111-1111-1111-1111-111111111111", APP, /TEAMS_TENANT_ID/],
  ])("says what to mend with %s, and never the secret", async (_, secret, tenant, appId, sentence) => {
    const { get } = await startClient(secret, tenant, appId);
    const error = await get().catch((raw: unknown) => raw);
    expect(error).toMatchObject({ name: "PlatformError", code: "unauthorized" });
    expect((error as PlatformError).message).toMatch(sentence);
    expect(everythingIn(error)).not.toContain(secret);
    expect(everythingIn(error)).not.toContain(APP_SECRET);
  });

  it.each([
    [503, "unavailable"],
    [429, "rate_limited"],
  ])("tries again later when the sign-in answers %i", async (status, code) => {
    const { get, double } = await startClient();
    double.fail(/oauth2/, refused(status, "busy", { "retry-after": "77" }), 9);
    await expect(get()).rejects.toMatchObject({ code, retryAfterMs: 77_000 });
  });

  it.each([
    [400, "BadRequest", "rejected"],
    [401, "Unauthorized", "forbidden"],
    [402, "PaymentRequired", "forbidden"],
    [403, "Forbidden", "forbidden"],
    [404, "NotFound", "gone"],
    [409, "nameAlreadyExists", "rejected"],
    [410, "gone", "gone"],
    [418, "", "rejected"],
    [500, "generalException", "unavailable"],
    [507, "insufficientStorage", "rejected"],
  ])("says what %i means", async (status, word, code) => {
    const { get, double } = await startClient();
    double.fail(/^GET \/chats/, refused(status, word), 9);
    const error = (await get().catch((raw: unknown) => raw)) as PlatformError;
    expect(error).toMatchObject({ name: "PlatformError", code });
    expect(error.message.includes("Test.Read.All")).toBe(code === "forbidden");
    // Graph's own message quotes names and addresses: they stay out of logs.
    expect(everythingIn(error)).not.toMatch(/secret-name|tempauth|Bearer/);
  });

  it("takes a code that is no word for none", async () => {
    const { get, double } = await startClient();
    double.fail(/^GET \/chats/, { status: 404, body: { error: { code: "x\n level: fatal" } } });
    await expect(get()).rejects.toThrow("Microsoft refused a test: 404.");
  });

  it("waits as Graph asks, for short waits, and holds the other calls to that part back too", async () => {
    const { get, double, slept } = await startClient();
    double.throttle(/^GET \/chats/, 2, "3");
    expect(await get()).toEqual({ id: "1" });
    expect(slept).toHaveLength(2);
    for (const ms of slept) expect(ms).toBeGreaterThan(2500);
  });

  it("leaves long waits to the queue, and asks nothing meanwhile", async () => {
    const { get, double, slept, pass, graph } = await startClient();
    double.throttle(/^GET \/chats/, 1, "120");
    await expect(get()).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 120_000 });
    await expect(get()).rejects.toMatchObject({ code: "rate_limited" });
    expect(double.callsOf(/^GET \/chats/)).toHaveLength(1);
    // Another part of Microsoft 365 counts by itself.
    await expect(graph.get({ ...DOING, path: path`/drives/${"d"}/items/${"i"}` })).rejects.toMatchObject({
      code: "gone",
    });
    pass(121_000);
    expect(await get()).toEqual({ id: "1" });
    expect(slept).toEqual([]);
  });

  it("gets through a storm of 429s, and gives up on one that does not end", async () => {
    const { get, double } = await startClient();
    double.throttle(/^GET \/chats/, 3);
    expect(await get()).toEqual({ id: "1" });
    double.throttle(/^GET \/chats/, 1000);
    await expect(Promise.all(Array.from({ length: 10 }, get))).rejects.toMatchObject({ code: "rate_limited" });
  });

  it("asks again when the connection broke, but posts nothing twice", async () => {
    const { get, graph, double } = await startClient();
    double.fail(/^GET \/chats/, "drop", 2);
    expect(await get()).toEqual({ id: "1" });
    double.fail(/^POST \/subscriptions/, "lose");
    await expect(graph.post({ ...DOING, path: path`/subscriptions`, body: {} })).rejects.toMatchObject({
      code: "unavailable",
    });
    expect(double.callsOf(/^POST \/subscriptions/)).toHaveLength(1);
  });

  it("takes an answer that is no JSON for no answer", async () => {
    const { get, double } = await startClient();
    double.fail(/^GET \/chats/, { body: Buffer.from("<html>") }, 9);
    await expect(get()).rejects.toMatchObject({ code: "unavailable" });
  });

  it("reads page after page, and follows no link outside of Graph", async () => {
    const { graph, double } = await startClient();
    double.setMembers(
      "19:a@thread.v2",
      ["a", "b", "c", "d", "e"].map((userId) => ({ userId })),
    );
    const all = async () => {
      const found: string[] = [];
      const members = graph.list<{ userId: string }>({ ...DOING, path: path`/chats/${"19:a@thread.v2"}/members` });
      for await (const { userId } of members) found.push(userId);
      return found;
    };
    expect(await all()).toEqual(["a", "b", "c", "d", "e"]);
    const before = double.calls.length;
    for (const link of [
      `${double.filesOrigin}/v1.0/chats`,
      "https://graph.microsoft.com.evil.example/v1.0",
      "nonsense",
    ]) {
      double.fail(/members/, { body: { value: [{ userId: "x" }], "@odata.nextLink": link } });
      await expect(all()).rejects.toMatchObject({ code: "rejected" });
    }
    expect(double.calls.length).toBe(before + 3);
  });

  it("stops reading pages that never end", async () => {
    const { graph, double } = await startClient();
    const endless = { body: { value: [], "@odata.nextLink": `${double.graphOrigin}/v1.0/chats/x/members` } };
    double.fail(/members/, endless, 1e6);
    const members = graph.list({ ...DOING, path: path`/chats/${"x"}/members` });
    await expect(members.next()).rejects.toMatchObject({ code: "rejected" });
  });

  it("stops with the signal", async () => {
    const { graph, double } = await startClient();
    double.throttle(/^GET \/chats/, 9);
    const stop = new AbortController();
    stop.abort(new Error("over"));
    await expect(graph.get({ ...DOING, path: path`/chats/${"x"}/members`, signal: stop.signal })).rejects.toThrow(
      "over",
    );
  });
});

describe("paths", () => {
  it("keep each id in its segment", () => {
    expect(path`/teams/${"a/../b"}/channels/${"19:x@thread.tacv2"}`).toBe(
      "/teams/a%2F..%2Fb/channels/19%3Ax%40thread.tacv2",
    );
    expect(path`/f(id='${"a',b='c"}')`).toBe("/f(id='a%27%2Cb%3D%27c')");
    for (const id of ["", ".", ".."]) expect(() => path`/teams/${id}/channels`).toThrow(PlatformError);
  });
});

describe("the clouds", () => {
  it("each have hosts of their own, over https", () => {
    for (const { login, graph, files } of Object.values(CLOUDS)) {
      for (const origin of [login, graph, ...files]) expect(origin).toMatch(/^https:\/\/[a-z0-9.*-]+$/);
    }
    expect(new Set(Object.values(CLOUDS).map(({ graph }) => graph)).size).toBe(4);
    expect(hostsOf().graph).toBe("https://graph.microsoft.com");
    expect(hostsOf("china", { files: [] })).toEqual({ ...CLOUDS.china, files: [] });
  });
});

describe("Retry-After", () => {
  const told = (value: string | undefined, status = 429) =>
    retryAfterOf(
      new Response(null, { status, headers: value === undefined ? {} : { "retry-after": value } }),
      1_000_000,
    );
  it("is read in seconds and as a date, and bounded", () => {
    expect(told("3")).toBe(3000);
    expect(told(new Date(1_005_000).toUTCString())).toBe(5000);
    expect(told(new Date(0).toUTCString())).toBe(0);
    expect(told("99999999")).toBe(3_600_000);
    expect(told("soon")).toBe(1000);
    expect(told(undefined)).toBe(1000);
    expect(told(undefined, 503)).toBeUndefined();
  });
});

function everythingIn(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.message} ${error.stack} ${JSON.stringify(error)} ${error.cause === undefined ? "" : everythingIn(error.cause)}`;
}
