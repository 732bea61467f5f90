// Slack as the bot sees it: the emulator for files, threads and messages, and in front of it what the emulator lacks:
// Socket Mode, signed deliveries with retries, commands, shortcuts, dialogs, response links, rate limits.
import { createHmac, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type WebSocket, WebSocketServer } from "ws";
import { BOT, PERSON_TOKEN, startSlackEmulator } from "./slack-emulator.ts";

type Json = Record<string, unknown>;

export interface SlackCall {
  readonly path: string;
  readonly token: string;
  readonly body: Json;
  readonly status: number;
}

interface Fault {
  readonly pattern: RegExp;
  left: number;
  /** "drop": it never arrives; "lose": it is done, and the answer never arrives. */
  readonly answer:
    | { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string }
    | "drop"
    | "lose";
}

export const SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5";
export const APP_TOKEN = "xapp-earshot";
const MOST_TRIES = 6;

export interface SlackDoubleOptions {
  readonly channels?: readonly string[];
  /** Where events go over HTTP; left out: Socket Mode. */
  readonly eventsUrl?: () => string;
  readonly retryAfterMs?: number;
}

export async function startSlackDouble(options: SlackDoubleOptions = {}) {
  const { channels = ["standup"], eventsUrl, retryAfterMs = 40 } = options;
  const calls: SlackCall[] = [];
  const faults: Fault[] = [];
  const holds = new Set<{ readonly pattern: RegExp; readonly opened: Promise<void>; readonly reach: () => void }>();
  const responses: Json[] = [];
  const views: Json[] = [];
  const delivered: Json[] = [];
  const sockets = new Set<WebSocket>();
  const waiting = new Map<string, (answer: Json | undefined) => void>();
  const opened: (() => void)[] = [];
  let pending = 0;
  let isClosed = false;
  /** Deliveries of an earlier one are given up. */
  let generation = 0;
  let connections = 0;

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  const socketServer = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    socketServer.handleUpgrade(request, socket, head, (connection) => {
      connections++;
      connection.setMaxListeners(0);
      sockets.add(connection);
      connection.on("close", () => sockets.delete(connection));
      connection.on("message", (text) => {
        const { envelope_id: id, payload } = JSON.parse(String(text)) as Json;
        waiting.get(String(id))?.({ payload });
      });
      connection.send(JSON.stringify({ type: "hello", num_connections: 1 }));
      for (const tell of opened.splice(0)) tell();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const emulator = await startSlackEmulator(`${base}/emulated-event`, channels);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const path = request.url ?? "";
    if (path === "/emulated-event") {
      response.end("ok");
      const event = JSON.parse(bytes.toString()) as Json;
      delivered.push(event);
      void deliver("events_api", event);
      return;
    }
    for (const { pattern, opened, reach } of holds) {
      if (!pattern.test(path)) continue;
      reach();
      await opened;
      // Whoever asked did not wait for it.
      if (request.socket.destroyed) return;
    }
    const token = String(request.headers.authorization ?? "").replace(/^Bearer /, "");
    const body = readBody(bytes, request.headers["content-type"] ?? "");
    const told = (status: number) => calls.push({ path, token, body, status });
    const fault =
      token === PERSON_TOKEN ? undefined : faults.find(({ pattern, left }) => left > 0 && pattern.test(path));
    if (fault !== undefined) fault.left--;
    if (fault !== undefined && fault.answer !== "lose") {
      if (fault.answer === "drop") {
        told(0);
        request.socket.destroy();
        return;
      }
      const { status = 200, headers = {}, body: text = "" } = fault.answer;
      told(status);
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(text);
      return;
    }
    const own = ownAnswer(path, token, body);
    if (own !== undefined) {
      told(200);
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(own));
      return;
    }
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => !["host", "connection", "content-length"].includes(name)),
    ) as Record<string, string>;
    const passed = await fetch(emulator.url + path, {
      method: request.method ?? "GET",
      headers,
      ...(bytes.length > 0 ? { body: new Uint8Array(bytes) } : {}),
    });
    const type = passed.headers.get("content-type") ?? "";
    const content = Buffer.from(await passed.arrayBuffer());
    told(passed.status);
    if (fault !== undefined) {
      request.socket.destroy();
      return;
    }
    response.writeHead(passed.status, { "content-type": type });
    // Files and uploads are to go through this side too.
    response.end(type.includes("json") ? content.toString().replaceAll(emulator.url, base) : content);
  }

  function ownAnswer(path: string, token: string, body: Json): Json | undefined {
    if (path === "/api/apps.connections.open") {
      return token === APP_TOKEN
        ? { ok: true, url: `${base.replace("http", "ws")}/socket` }
        : { ok: false, error: "invalid_auth" };
    }
    if (path === "/api/views.open" || path === "/api/views.publish") {
      const view = typeof body["view"] === "string" ? (JSON.parse(body["view"]) as Json) : (body["view"] as Json);
      views.push(view);
      return { ok: true, view: { id: `V${views.length}`, ...view } };
    }
    if (path === "/api/users.conversations") {
      const all = emulator.collection("channels").all();
      const joined = all.filter(({ members }) => Array.isArray(members) && members.includes(BOT));
      return { ok: true, channels: joined.map(({ channel_id: id }) => ({ id })) };
    }
    if (path.startsWith("/response/")) {
      responses.push({ channel: path.split("/")[2], ...body });
      return { ok: true };
    }
    return undefined;
  }

  /** Until it is acknowledged, with the tries that Slack makes, though sooner. Gives what it was acknowledged with. */
  async function deliver(type: string, payload: Json): Promise<unknown> {
    pending++;
    try {
      const begun = generation;
      for (let tries = 0; tries < MOST_TRIES && !isClosed && begun === generation; tries++) {
        if (tries > 0) await sleep(retryAfterMs * tries);
        const answered = await (eventsUrl === undefined
          ? overSocket(type, payload, tries)
          : overHttp(eventsUrl(), type, payload, tries));
        if (answered !== undefined) return answered["payload"];
        // What people do is not delivered again.
        if (type !== "events_api") return undefined;
      }
      return undefined;
    } finally {
      pending--;
    }
  }

  async function overSocket(type: string, payload: Json, tries: number): Promise<Json | undefined> {
    const id = randomUUID();
    const begun = generation;
    while (sockets.size === 0 && !isClosed && begun === generation) {
      await Promise.race([new Promise<void>((resolve) => opened.push(resolve)), sleep(200)]);
    }
    const socket = [...sockets].at(-1);
    if (socket === undefined || begun !== generation) return undefined;
    const answered = new Promise<Json | undefined>((resolve) => {
      waiting.set(id, resolve);
      socket.once("close", () => resolve(undefined));
    });
    const retry = tries === 0 ? {} : { retry_attempt: tries, retry_reason: "timeout" };
    socket.send(
      JSON.stringify({ envelope_id: id, type, payload, accepts_response_payload: type !== "events_api", ...retry }),
    );
    const got = await Promise.race([answered, sleep(3000, undefined)]);
    waiting.delete(id);
    return got;
  }

  async function overHttp(url: string, type: string, payload: Json, tries: number): Promise<Json | undefined> {
    const isForm = type !== "events_api";
    const fields: Record<string, string> =
      type === "slash_commands" ? (payload as Record<string, string>) : { payload: JSON.stringify(payload) };
    const text = isForm ? new URLSearchParams(fields).toString() : JSON.stringify(payload);
    const response = await fetch(url, {
      method: "POST",
      body: text,
      headers: {
        "content-type": isForm ? "application/x-www-form-urlencoded" : "application/json",
        ...signed(text),
        ...(tries === 0 ? {} : { "x-slack-retry-num": String(tries), "x-slack-retry-reason": "http_error" }),
      },
    }).catch(() => undefined);
    if (response === undefined || !response.ok) return undefined;
    const said = await response.text();
    return { payload: said === "" ? undefined : JSON.parse(said) };
  }

  /** As the person, straight to the emulator. */
  async function person(method: string, body: Json): Promise<Json> {
    const response = await fetch(`${emulator.url}/api/${method}`, {
      method: "POST",
      headers: { authorization: `Bearer ${PERSON_TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const said = (await response.json()) as Json;
    if (said["ok"] !== true) throw new Error(`${method}: ${String(said["error"])}`);
    return said;
  }

  const channel = emulator.channelId(channels[0] ?? "");
  const who = (where: string) => ({
    team: { id: emulator.team, domain: "zentrix" },
    channel: { id: where, name: "standup" },
    user: { id: emulator.person, name: "mira" },
    trigger_id: randomUUID(),
    response_url: `${base}/response/${where}`,
  });

  return {
    base,
    apiUrl: `${base}/api/`,
    emulator,
    channel,
    calls,
    responses,
    views,
    delivered,
    person,
    deliver,
    connections: () => connections,

    /** Uploads as a person does; gives the message's timestamp. */
    async upload(name: string, bytes: Uint8Array, to: { readonly channel?: string; readonly thread?: string } = {}) {
      const where = to.channel ?? channel;
      const place = await person("files.getUploadURLExternal", { filename: name, length: bytes.length });
      await fetch(String(place["upload_url"]), { method: "POST", body: new Uint8Array(bytes) });
      const shared = await person("files.completeUploadExternal", {
        files: [{ id: place["file_id"], title: name }],
        channel_id: where,
        ...(to.thread === undefined ? {} : { thread_ts: to.thread }),
      });
      const [file] = shared["files"] as { id: string }[];
      const messages = emulator.collection("messages").all() as { ts: string; files?: { file_id: string }[] }[];
      const message = messages.find(({ files = [] }) => files.some((each) => each.file_id === file?.id));
      return { ts: message?.ts ?? "", file: file?.id ?? "" };
    },

    async say(text: string, more: Json = {}): Promise<string> {
      return String((await person("chat.postMessage", { channel, text, ...more }))["ts"]);
    },

    /** An event that the emulator does not send of itself. */
    event(event: Json, more: Json = {}) {
      return deliver("events_api", {
        type: "event_callback",
        team_id: emulator.team,
        event_id: `Ev${randomUUID()}`,
        event_time: Math.floor(Date.now() / 1000),
        event,
        ...more,
      });
    },

    command(command: string, text: string, where = channel) {
      const { trigger_id, response_url } = who(where);
      return deliver("slash_commands", {
        ...{ command, text, trigger_id, response_url, token: "t", api_app_id: "A1" },
        ...{ team_id: emulator.team, channel_id: where, channel_name: "standup", user_id: emulator.person },
      });
    },

    shortcut(callback: string, message: Json, where = channel) {
      const { ts } = message;
      return deliver("interactive", {
        type: "message_action",
        callback_id: callback,
        message_ts: ts,
        message,
        ...who(where),
      });
    },

    press(message: Json, actionId: string, value: string, where = channel, more: Json = {}) {
      const { ts, thread_ts: thread } = message;
      return deliver("interactive", {
        type: "block_actions",
        ...who(where),
        container: { type: "message", message_ts: ts, channel_id: where, ...(thread ? { thread_ts: thread } : {}) },
        message,
        actions: [{ type: "button", action_id: actionId, block_id: "b", value, action_ts: "1.1" }],
        ...more,
      });
    },

    submit(view: Json, values: Record<string, Json>) {
      const state = Object.fromEntries(Object.entries(values).map(([id, value]) => [id, { [id]: value }]));
      return deliver("interactive", {
        type: "view_submission",
        ...who(channel),
        view: { id: `V${views.length}`, ...view, state: { values: state } },
      });
    },

    act(action: Json) {
      return deliver("interactive", {
        type: "block_actions",
        ...who(channel),
        channel: undefined,
        view: { id: "V0", type: "home" },
        actions: [{ block_id: "b", action_ts: "1.1", ...action }],
      });
    },

    /** Requests wait there, as at a platform that has fallen silent. */
    hold(pattern: RegExp) {
      let [reach, open] = [() => {}, () => {}];
      const reached = new Promise<void>((resolve) => {
        reach = resolve;
      });
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      const held = { pattern, opened, reach };
      holds.add(held);
      return {
        reached,
        release() {
          holds.delete(held);
          open();
        },
      };
    },

    fail(pattern: RegExp, times: number, answer: Fault["answer"]) {
      faults.push({ pattern, left: times, answer });
    },
    refuse(pattern: RegExp, error: string, more: Json = {}, times = 1) {
      faults.push({ pattern, left: times, answer: { body: JSON.stringify({ ok: false, error, ...more }) } });
    },
    rateLimit(pattern: RegExp, times: number, seconds: number) {
      const body = JSON.stringify({ ok: false, error: "ratelimited" });
      faults.push({ pattern, left: times, answer: { status: 429, headers: { "retry-after": String(seconds) }, body } });
    },

    /** Gives up what is not delivered yet. */
    forget() {
      generation++;
      for (const tell of opened.splice(0)) tell();
    },

    /** As Slack does every few hours, or as a network does. */
    disconnect(how: "asked" | "broken") {
      for (const socket of sockets) {
        if (how === "broken") socket.terminate();
        else socket.send(JSON.stringify({ type: "disconnect", reason: "refresh_requested" }));
      }
    },

    messages(where = channel): Json[] {
      const all = emulator.collection("messages").all();
      return all
        .filter((message) => message["channel_id"] === where)
        .toSorted((a, b) => String(a["ts"]).localeCompare(String(b["ts"])));
    },

    /** Everything that was to be delivered has been, or was given up. */
    async settled(): Promise<void> {
      for (let quiet = 0; quiet < 3; ) {
        await sleep(15);
        quiet = pending === 0 ? quiet + 1 : 0;
      }
    },

    async close() {
      isClosed = true;
      for (const socket of sockets) socket.terminate();
      for (const tell of opened.splice(0)) tell();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await emulator.close();
    },
  };
}

export type SlackDouble = Awaited<ReturnType<typeof startSlackDouble>>;

export function signed(text: string, seconds = Math.floor(Date.now() / 1000)): Record<string, string> {
  const hash = createHmac("sha256", SIGNING_SECRET).update(`v0:${seconds}:${text}`).digest("hex");
  return { "x-slack-request-timestamp": String(seconds), "x-slack-signature": `v0=${hash}` };
}

function readBody(bytes: Buffer, type: string): Json {
  const text = bytes.toString();
  if (type.includes("json")) return JSON.parse(text || "{}") as Json;
  return type.includes("urlencoded") ? Object.fromEntries(new URLSearchParams(text)) : {};
}

/** What a person reads in blocks. */
export function textOf(blocks: unknown): string {
  if (Array.isArray(blocks)) return blocks.map(textOf).join("\n");
  if (typeof blocks !== "object" || blocks === null) return "";
  const { text, elements, type } = blocks as Json;
  if (type === "rich_text_section") return (elements as Json[]).map((element) => String(element["text"])).join("");
  if (typeof text === "string") return text;
  return [textOf(text), textOf(elements)].filter((part) => part !== "").join("\n");
}
