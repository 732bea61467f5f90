// Teams as the adapter sees it: an OpenID server with its own keys, the Bot Connector with its limits, and people who
// post, press and agree. Files of conversations are the Graph double's.
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { APP, APP_SECRET, type GraphDoubleOptions, startGraphDouble, TENANT } from "./graph-double.ts";
import { checkMessage, filesIn, textIn } from "./teams-messages.ts";
import { type Claims, createTokenMaker } from "./teams-tokens.ts";

export { APP, APP_SECRET, TENANT };
export type Json = Record<string, unknown>;

export const BOT = `28:${APP}`;
export const PERSON = "11111111-2222-4333-8444-555555555555";
export const GROUP = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
export const PERSONAL = "a:1personal";
export const CHANNEL = "19:general@thread.tacv2";
export const TEAM = "19:team@thread.tacv2";
export const CHAT = "19:chat@thread.v2";
export const MEETING = "19:meeting_abc@thread.v2";

/** A message in a conversation, of a person or of the bot. */
export interface Posted {
  readonly id: string;
  /** With the thread, in a channel. */
  readonly conversation: string;
  readonly isBot: boolean;
  /** As it was sent, or edited last. */
  activity: Json;
  readonly answers: string | undefined;
  isDeleted: boolean;
  edits: number;
  readonly atMs: number;
}

export interface ConnectorCall {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly authorization: string | undefined;
}

export interface Reply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

export interface TeamsDoubleOptions {
  readonly now?: () => number;
  readonly graph?: GraphDoubleOptions;
}

export async function startTeamsDouble(options: TeamsDoubleOptions = {}) {
  const now = options.now ?? Date.now;
  const graph = await startGraphDouble(options.graph);
  const posted: Posted[] = [];
  const calls: ConnectorCall[] = [];
  /** The bot is in these. */
  const roster = new Set([PERSONAL, CHANNEL, CHAT]);
  const links = new Map<string, { bytes: Uint8Array; isGone: boolean }>();
  const uploads = new Map<string, Buffer>();
  const faults: { pattern: RegExp; left: number; answer: (() => Reply | "drop" | "lose") | Reply | "drop" | "lose" }[] =
    [];
  let endpoint = "";
  let clock = 1_700_000_000_000;
  const stamp = () => String(++clock);
  /** What the OpenID server answers with, and how often it was asked. */
  const openId = { isDown: false, asked: 0 };

  const refuse = (status: number, code: string, headers = {}): Reply => ({
    status,
    headers,
    body: { error: { code, message: "Refused for somebody@contoso.example with a secret." } },
  });

  function connector(method: string, path: string, body: Json): Reply {
    const [, conversation, activity] =
      /^\/v3\/conversations\/([^/]+)\/activities(?:\/([^/]+))?$/
        .exec(path)
        ?.map((part) => part && decodeURIComponent(part)) ?? [];
    if (method === "POST" && path === "/v3/conversations") {
      const [member] = (body["members"] ?? []) as { id: string }[];
      if (member?.id !== PERSON) return refuse(403, "ForbiddenOperationException");
      return { status: 201, body: { id: PERSONAL } };
    }
    const [, team] = /^\/v3\/teams\/([^/]+)$/.exec(path) ?? [];
    if (team !== undefined) return { status: 200, body: { id: TEAM, name: "Team", aadGroupId: GROUP } };
    const [, meeting] = /^\/v1\/meetings\/([^/]+)$/.exec(path) ?? [];
    if (meeting !== undefined) {
      return {
        status: 200,
        body: { details: { id: meeting }, organizer: { id: "29:x", aadObjectId: PERSON, tenantId: TENANT } },
      };
    }
    if (conversation === undefined) return refuse(404, "NotFound");
    const base = conversation.replace(/;.*$/, "");
    if (!roster.has(base)) return refuse(403, "BotNotInConversationRoster");
    const isTyping = body["type"] === "typing";
    const fault = method === "DELETE" || isTyping ? undefined : checkMessage(body, base === PERSONAL);
    if (fault !== undefined) return refuse(fault.status, fault.code);
    const known = posted.find((each) => each.id === activity && !each.isDeleted);
    switch (method) {
      case "POST": {
        const id = stamp();
        if (isTyping) return { status: 201, body: { id } };
        if (activity !== undefined && known === undefined) return refuse(404, "ActivityNotFoundInConversation");
        const thread = base !== CHANNEL || conversation !== base ? conversation : `${base};messageid=${id}`;
        const post = {
          id,
          conversation: thread,
          isBot: true,
          activity: body,
          answers: activity,
          isDeleted: false,
          edits: 0,
          atMs: now(),
        };
        posted.push(post);
        tellGraph(post);
        return { status: 201, body: { id } };
      }
      case "PUT":
        if (known === undefined) return refuse(404, "ActivityNotFoundInConversation");
        known.activity = body;
        known.edits++;
        return { status: 200, body: { id: known.id } };
      case "DELETE":
        if (known === undefined) return refuse(404, "ActivityNotFoundInConversation");
        known.isDeleted = true;
        return { status: 200 };
      default:
        return refuse(405, "MethodNotAllowed");
    }
  }

  /** What the bot posts can be read through Graph. */
  function tellGraph({ conversation }: Posted): void {
    const [base = "", root] = conversation.split(";messageid=");
    const where = base === CHANNEL ? `${GROUP}|${base}|${root}` : base;
    const own = posted.filter((each) => each.isBot && each.conversation === conversation && each.id !== root);
    graph.setSent(
      where,
      own.map(({ id, activity, atMs }) => ({
        id,
        createdDateTime: new Date(atMs).toISOString(),
        from: { application: { id: APP } },
        attachments: ((activity["attachments"] ?? []) as Json[]).map(({ contentType, content }) => ({
          contentType,
          content: JSON.stringify(content),
        })),
      })),
    );
  }

  function files(method: string, url: URL, body: Buffer, headers: IncomingMessage["headers"]): Reply | Buffer {
    const name = url.pathname.split("/").at(-1) ?? "";
    if (method === "GET") {
      const link = links.get(name);
      if (link === undefined || url.searchParams.get("tempauth") !== "secret") return refuse(401, "unauthenticated");
      return link.isGone ? refuse(404, "itemNotFound") : Buffer.from(link.bytes);
    }
    if (headers["content-range"] !== `bytes 0-${body.length - 1}/${body.length}`) return refuse(400, "invalidRange");
    if (headers.authorization !== undefined) return refuse(400, "invalidRequest");
    uploads.set(name, body);
    return { status: 201, body: {} };
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? "/", base);
    const method = request.method ?? "";
    const send = ({ status, body: json, headers = {} }: Reply) =>
      response
        .writeHead(status, { "content-type": "application/json", ...headers })
        .end(json === undefined ? "" : JSON.stringify(json));
    if (url.pathname === "/openid") {
      openId.asked++;
      return void send(
        openId.isDown
          ? { status: 503 }
          : { status: 200, body: { issuer: graph.graphOrigin, jwks_uri: `${base}/keys` } },
      );
    }
    if (url.pathname === "/keys") return void send({ status: 200, body: { keys: maker.keys } });
    if (url.pathname.startsWith("/files/")) {
      const told = files(method, url, body, request.headers);
      if (!Buffer.isBuffer(told)) return void send(told);
      response.writeHead(200, { "content-type": "application/octet-stream", "content-length": told.length }).end(told);
      return;
    }
    const path = url.pathname.replace(/^\/teams/, "");
    const { authorization } = request.headers;
    const tell = (status: number) => calls.push({ method, path, status, authorization });
    const fault = faults.find(({ pattern, left }) => left > 0 && pattern.test(`${method} ${decodeURIComponent(path)}`));
    const planned =
      fault === undefined ? undefined : typeof fault.answer === "function" ? fault.answer() : fault.answer;
    if (fault !== undefined) fault.left--;
    if (planned === "drop") {
      tell(0);
      request.socket.destroy();
      return;
    }
    if (planned !== undefined && planned !== "lose") {
      tell(planned.status);
      return void send(planned);
    }
    const told = /^Bearer \S+\.\S+\.\S+$/.test(authorization ?? "")
      ? connector(method, path, body.length === 0 ? {} : (JSON.parse(body.toString()) as Json))
      : refuse(401, "Unauthorized");
    tell(told.status);
    // It is done, and the bot never learns of it.
    if (planned === "lose") request.socket.destroy();
    else send(told);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const serviceUrl = `${base}/teams/`;
  const seconds = () => Math.floor(now() / 1000);
  const maker = createTokenMaker(() => ({
    iss: graph.graphOrigin,
    aud: APP,
    serviceurl: serviceUrl,
    nbf: seconds() - 60,
    exp: seconds() + 3600,
  }));

  /** An activity as the Bot Connector sends it. */
  function activityIn(conversation: string, more: Json = {}): Json {
    const [base = ""] = conversation.split(";");
    const type = base === PERSONAL ? "personal" : base === CHANNEL ? "channel" : "groupChat";
    return {
      type: "message",
      id: stamp(),
      channelId: "msteams",
      serviceUrl,
      timestamp: new Date(now()).toISOString(),
      from: { id: "29:ada", name: "Ada", aadObjectId: PERSON },
      recipient: { id: BOT, name: "Earshot" },
      conversation: { id: conversation, conversationType: type, tenantId: TENANT, isGroup: type !== "personal" },
      channelData: {
        tenant: { id: TENANT },
        ...(type === "channel" ? { team: { id: TEAM }, channel: { id: CHANNEL } } : {}),
      },
      ...more,
    };
  }

  async function post(body: unknown, token: string | undefined = maker.token()): Promise<Response> {
    return fetch(endpoint, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  /** Delivers it, and fails where Teams would show the person that something is wrong. */
  async function deliver(activity: Json): Promise<Json> {
    const response = await post(activity);
    const text = await response.text();
    if (!response.ok) throw new Error(`The bot answered ${response.status}: ${text}`);
    return text === "" ? {} : (JSON.parse(text) as Json);
  }

  function personPosts(activity: Json): Posted {
    const { id: conversation } = activity["conversation"] as { id: string };
    const isRoot = conversation === CHANNEL;
    const thread = isRoot ? `${CHANNEL};messageid=${activity["id"]}` : conversation;
    const post = {
      id: String(activity["id"]),
      conversation: thread,
      isBot: false,
      activity,
      answers: undefined,
      isDeleted: false,
      edits: 0,
      atMs: now(),
    };
    posted.push(post);
    return post;
  }

  /** In a channel, a message's own conversation names its thread. */
  function inThread(activity: Json): Json {
    const conversation = activity["conversation"] as Json;
    if (conversation["id"] !== CHANNEL) return activity;
    return { ...activity, conversation: { ...conversation, id: `${CHANNEL};messageid=${activity["id"]}` } };
  }

  graph.addFolder(GROUP, CHANNEL);
  const uploadedAt = (url: string) => {
    const [drive, name] = new URL(url).pathname.split("/").slice(2).map(decodeURIComponent);
    return [...graph.items.values()].find((item) => item.drive === drive && item.name === name)?.content;
  };

  return {
    base,
    serviceUrl,
    graph,
    posted,
    calls,
    roster,
    uploads,
    openId,
    /** For `TeamsOptions.hosts`. */
    hosts: {
      ...graph.hosts,
      files: [...graph.hosts.files, base],
      issuer: graph.graphOrigin,
      openId: `${base}/openid`,
      connectors: [base],
      serviceUrl,
    },
    app: { id: APP, password: APP_SECRET, tenant: TENANT },
    useEndpoint(url: string) {
      endpoint = url;
    },
    activityIn,
    token: (claims?: Claims, how?: Parameters<typeof maker.token>[1]) => maker.token(claims, how),
    post,
    deliver,
    /** The next calls whose "METHOD /path" fits are answered so. "lose": it is done, and the answer never arrives. */
    fail(pattern: RegExp, answer: Reply | "drop" | "lose" | (() => Reply | "drop" | "lose"), times = 1) {
      faults.push({ pattern, left: times, answer });
    },

    /** Somebody sends a message; the rest of the activity is as it comes. */
    async say(conversation: string, text: string, more: Json = {}): Promise<string> {
      const activity = activityIn(conversation, { text, ...more });
      personPosts(activity);
      await deliver(inThread(activity));
      return String(activity["id"]);
    },

    /** Somebody sends a file to the bot itself. */
    fileActivity(name: string, bytes: Uint8Array, more: Json = {}): Json {
      const file = randomUUID();
      links.set(file, { bytes, isGone: false });
      const content = {
        downloadUrl: `${base}/files/${file}?tempauth=secret`,
        uniqueId: file,
        fileType: name.split(".").at(-1),
      };
      const contentType = "application/vnd.microsoft.teams.file.download.info";
      const attachments = [{ contentType, contentUrl: `${base}/sites/ada/${name}`, name, content }];
      const activity = activityIn(PERSONAL, { attachments, ...more });
      personPosts(activity);
      return activity;
    },
    linkOf(activity: Json) {
      const [attachment] = activity["attachments"] as { content: { uniqueId: string } }[];
      return links.get(attachment?.content.uniqueId ?? "");
    },

    /** A message with a file in a channel or a chat, which only Graph can read. */
    sharedActivity(conversation: string, name: string, bytes: Uint8Array, more: Json = {}): Json {
      const { attachment } = graph.addFile({ drive: "b!shared", name, content: Buffer.from(bytes), createdBy: PERSON });
      const html = `<div><attachment id="1"></attachment>${more["text"] ?? ""}</div>`;
      const activity = activityIn(conversation, {
        attachments: [{ contentType: "text/html", content: html }],
        ...more,
      });
      const id = String(activity["id"]);
      const message = {
        id,
        createdDateTime: activity["timestamp"],
        from: { user: { id: PERSON } },
        attachments: [attachment],
      };
      const [base = "", root = id] = conversation.split(";messageid=");
      if (base === CHANNEL)
        graph.addChannelMessage({ team: GROUP, channel: base, root, ...(root === id ? {} : { reply: id }) }, message);
      else graph.addChatMessage(base, id, message);
      personPosts(activity);
      return inThread(activity);
    },

    /** "Transcribe" in the menu of a message. */
    async menu(conversation: string, payload: Json): Promise<Json> {
      const value = { commandId: "transcribe", commandContext: "message", messagePayload: payload };
      return deliver(activityIn(conversation, { type: "invoke", name: "composeExtension/fetchTask", value }));
    },

    mention: (text: string) => ({
      text: `<at>Earshot</at> ${text}`,
      entities: [{ type: "mention", text: "<at>Earshot</at>", mentioned: { id: BOT, name: "Earshot" } }],
    }),

    /** Somebody presses a button of a card: the one with that title. */
    async press(message: Posted, data: Json): Promise<void> {
      await deliver(activityIn(message.conversation, { value: data, replyToId: message.id }));
    },

    /** Somebody answers the question whether a file may be sent. */
    async consent(message: Posted, action: "accept" | "decline", more: Json = {}): Promise<Json> {
      const [card] = message.activity["attachments"] as { name: string; content: Json }[];
      const upload = randomUUID();
      const value = {
        type: "fileUpload",
        action,
        context: card?.content[action === "accept" ? "acceptContext" : "declineContext"],
        ...(action === "accept"
          ? {
              uploadInfo: {
                contentUrl: `${base}/sites/ada/${upload}`,
                name: card?.name,
                uploadUrl: `${base}/files/${upload}`,
                uniqueId: upload,
                fileType: card?.name.split(".").at(-1),
              },
            }
          : {}),
        ...more,
      };
      return deliver(
        activityIn(message.conversation, { type: "invoke", name: "fileConsent/invoke", value, replyToId: message.id }),
      );
    },

    async remove(message: Posted): Promise<void> {
      message.isDeleted = true;
      for (const attachment of (message.activity["attachments"] ?? []) as { content?: { uniqueId?: string } }[]) {
        const link = links.get(attachment.content?.uniqueId ?? "");
        if (link !== undefined) link.isGone = true;
      }
      if (message.isBot) return;
      const channelData = { tenant: { id: TENANT }, eventType: "softDeleteMessage" };
      await deliver({ ...inThread(message.activity), type: "messageDelete", text: "", attachments: [], channelData });
    },

    /** What stands in the conversations, oldest first. */
    shown: () => posted.filter(({ isDeleted }) => !isDeleted),
    own: () => posted.filter(({ isDeleted, isBot }) => !isDeleted && isBot),
    textOf: ({ activity }: Posted) => textIn(activity),
    filesOf: ({ activity }: Posted) =>
      Object.fromEntries(
        filesIn(activity).map(({ name, upload, url }) => {
          if (upload !== undefined) return [name, uploads.get(upload)?.toString() ?? ""];
          return [name, uploadedAt(url ?? "")?.toString() ?? ""];
        }),
      ),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await graph.close();
    },
  };
}

export type TeamsDouble = Awaited<ReturnType<typeof startTeamsDouble>>;
