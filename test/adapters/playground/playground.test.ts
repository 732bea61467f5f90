// The playground over real HTTP and a real database, by the contract of every platform, and what is its own.
import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ChatMessage } from "../../../src/adapters/playground/chat-log.ts";
import {
  ANSWER,
  type PlatformUnderTest,
  platformContract,
  recordingListener,
  type Visible,
} from "../../contracts/platform.ts";
import { type RunningPlayground, startPlayground } from "../../support/playground.ts";

const json = (body: unknown) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

async function messagesAt(url: string): Promise<readonly ChatMessage[]> {
  const response = await fetch(`${url}/api/state`);
  return ((await response.json()) as { messages: ChatMessage[] }).messages.filter(({ body }) => body !== null);
}

/** As the page shows it: the contents of a file are asked for when it is wanted. */
async function visible(url: string, { id, body, thread }: ChatMessage): Promise<Visible> {
  const files: Record<string, string> = {};
  const texts: string[] = [];
  if (body?.kind === "text") texts.push(body.text);
  if (body?.kind === "reply") {
    const { reply } = body;
    const sent = reply.kind === "file" ? [reply.file] : reply.kind === "words" ? (reply.files ?? []) : [];
    for (const { name, content } of sent) {
      expect(content).toBe("");
      files[name] = await (await fetch(`${url}/api/messages/${id}/files/${encodeURIComponent(name)}`)).text();
    }
    if (reply.kind !== "file") texts.push(reply.text);
    if (reply.kind === "answer") texts.push(reply.head, ...reply.notes);
    if ("actions" in reply) texts.push(...reply.actions.map(({ label }) => label));
  }
  return { id, text: texts.join("\n"), files, ...(thread === undefined ? {} : { answers: thread }) };
}

function form(bytes: Uint8Array<ArrayBuffer>, name = "voice.ogg"): { method: string; body: FormData } {
  const body = new FormData();
  body.append("file", new Blob([bytes], { type: "audio/ogg" }), name);
  return { method: "POST", body };
}

platformContract("playground", async (): Promise<PlatformUnderTest> => {
  const { platform, url, close } = await startPlayground();
  const ok = async (response: Response) => {
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return response.json() as Promise<{ id: string }>;
  };
  return {
    platform,
    postVoiceMessage: async (bytes) =>
      (await ok(await fetch(`${url}/api/channels/standup/recordings?voice=true`, form(Uint8Array.from(bytes))))).id,
    deleteMessage: async (id) => void (await ok(await fetch(`${url}/api/messages/${id}`, { method: "DELETE" }))),
    command: async (text) => void (await ok(await fetch(`${url}/api/channels/standup/messages`, json({ text })))),
    press: async (message, action, jobId) =>
      void (await ok(await fetch(`${url}/api/press`, json({ message, action, jobId })))),
    visible: async () => Promise.all((await messagesAt(url)).map((message) => visible(url, message))),
    close,
  };
});

describe("the playground", () => {
  let running: RunningPlayground;
  beforeEach(async () => {
    running = await startPlayground({ bytes: 1_048_576 });
  });
  afterEach(() => running.close());

  it("says that it is still starting, and refuses what it cannot take, in a sentence", async () => {
    const { url, platform } = running;
    const early = await fetch(`${url}/api/channels/standup/recordings`, form(new Uint8Array(10)));
    expect([early.status, await early.json()]).toEqual([503, { message: expect.stringContaining("still starting") }]);
    await platform.listen(recordingListener().listener, new AbortController().signal);
    const large = await fetch(`${url}/api/channels/standup/recordings`, form(new Uint8Array(2_000_000)));
    expect([large.status, await large.json()]).toEqual([
      400,
      { message: "The file is too large: at most 1 MB are taken." },
    ]);
    expect((await fetch(`${url}/api/channels/nowhere/messages`, json({ text: "x" }))).status).toBe(400);
    expect((await fetch(`${url}/api/channels/standup/messages`, json({}))).status).toBe(400);
    expect((await fetch(`${url}/api/channels/standup/samples`, json({ name: "../../secret" }))).status).toBe(400);
    expect((await fetch(`${url}/api/press`, json({ action: "srt", jobId: "x", message: "gone" }))).status).toBe(400);
    expect((await fetch(`${url}/media/..%2f..%2fearshot.db`)).status).toBeGreaterThanOrEqual(400);
  });

  it("takes a recording that is far larger than what else is sent", async () => {
    await running.close();
    running = await startPlayground({ bytes: 20_000_000 });
    const { url, platform } = running;
    const { listener, heard } = recordingListener();
    await platform.listen(listener, new AbortController().signal);
    const response = await fetch(`${url}/api/channels/standup/recordings`, form(new Uint8Array(15_000_000)));
    expect(response.status).toBe(200);
    expect(heard.recordings).toMatchObject([{ bytes: 15_000_000, kind: "audio" }]);
  });

  it("forwards a recording as one of its own, and links lead to it", async () => {
    const { url, platform } = running;
    const { listener, heard } = recordingListener();
    await platform.listen(listener, new AbortController().signal);
    await fetch(`${url}/api/channels/general/samples`, json({ name: "standup.flac" }));
    const [sent] = await messagesAt(url);
    await fetch(`${url}/api/messages/${sent?.id}/forward`, json({ to: "direct" }));
    expect(
      heard.recordings.map(({ place, key }) => [place.channel, place.isDirect, key === heard.recordings[0]?.key]),
    ).toEqual([
      ["general", false, true],
      ["direct", true, false],
    ]);
    await fetch(
      `${url}/api/channels/general/messages`,
      json({ text: `/transcribe ${url}/#message-${sent?.id} german` }),
    );
    const [invocation] = heard.invocations;
    expect(await invocation?.resolveLink?.(`${url}/#message-${sent?.id}`)).toEqual([heard.recordings[0]]);
    expect(await invocation?.resolveLink?.("https://example.org/")).toBeUndefined();
  });

  it("says which commands there are", async () => {
    const { url, platform } = running;
    await platform.listen(recordingListener().listener, new AbortController().signal);
    await fetch(`${url}/api/channels/general/messages`, json({ text: "/transcrbe" }));
    expect((await messagesAt(url)).at(-1)?.body).toMatchObject({
      reply: { text: expect.stringContaining("There is no command /transcrbe") },
    });
  });

  it("tells a page what changes, from where it left off", async () => {
    const { url, platform } = running;
    await platform.listen(recordingListener().listener, new AbortController().signal);
    const place = {
      platform: "playground",
      workspace: "playground",
      channel: "standup",
      isDirect: false,
      user: "you",
      reach: "thread",
    } as const;
    const id = await platform.reply(place, { kind: "status", text: "one", actions: [] }, { key: "a:status" });
    const stop = new AbortController();
    const response = await fetch(`${url}/api/changes?since=0`, { signal: stop.signal });
    let text = "";
    const reading = (async () => {
      for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
    })().catch(() => {});
    await platform.reply(place, ANSWER, { key: "a:status", editId: id });
    await expect.poll(() => text).toContain("We use Qavylow.");
    stop.abort();
    await reading;
    const events = text.split("\n\n").filter((event) => event.startsWith("id:"));
    expect(events.map((event) => /^id: (\d+)/.exec(event)?.[1])).toEqual(["1", "2"]);
    // Far more than are read at once.
    for (let index = 0; index < 600; index++)
      await platform.reply(place, { kind: "words", text: `${index}` }, { key: `b:${index}` });
    const long = await fetch(`${url}/api/changes?since=2`, { signal: AbortSignal.timeout(5000) });
    let all = "";
    for await (const chunk of long.body ?? []) {
      all += Buffer.from(chunk).toString();
      if (all.includes(": connected")) break;
    }
    expect(all.split("\n\n").filter((event) => event.startsWith("id:"))).toHaveLength(600);
    const missed = await fetch(`${url}/api/changes?since=1`, { signal: AbortSignal.timeout(1000) });
    const first = await missed.body?.getReader().read();
    expect(Buffer.from(first?.value ?? []).toString()).toMatch(/^id: 2\n/);
  });

  it("plays what people sent and runs none of it", async () => {
    const { url, platform } = running;
    await platform.listen(recordingListener().listener, new AbortController().signal);
    await fetch(`${url}/api/channels/standup/recordings`, form(Buffer.from("<script>alert(1)</script>"), "x.html"));
    const [sent] = await messagesAt(url);
    const media = sent?.body?.kind === "recording" ? sent.body.media : "";
    const response = await fetch(`${url}/media/${media}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-security-policy")).toMatch(/default-src 'none'.*sandbox/);
    expect((await fetch(`${url}/api/messages/${sent?.id}/files/x.srt`)).status).toBe(400);
  });

  it("answers no page of another name or origin", async () => {
    const { url } = running;
    const { port } = new URL(url);
    // fetch does not let anybody set the Host header.
    const foreign = await new Promise<number | undefined>((resolve, reject) => {
      request({ port, path: "/api/state", headers: { host: "rebound.example" } }, (response) =>
        resolve(response.resume().statusCode),
      )
        .on("error", reject)
        .end();
    });
    expect(foreign).toBe(421);
    const origin = await fetch(`${url}/api/channels/general/messages`, {
      ...json({ text: "x" }),
      headers: { "content-type": "application/json", origin: "https://evil.example" },
    });
    expect(origin.status).toBe(403);
  });

  it("serves the page under a strict policy, health, metrics and status", async () => {
    const { url } = running;
    const page = await fetch(`${url}/`);
    expect(page.headers.get("content-security-policy")).toMatch(/default-src 'self'.*frame-ancestors 'none'/);
    expect(await page.text()).toContain("Earshot playground");
    expect(await (await fetch(`${url}/healthz`)).json()).toMatchObject({ status: "ok" });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('earshot_queue_jobs{state="queued"} 0');
    expect(await (await fetch(`${url}/status`)).text()).toContain("demo on cpu");
  });
});
