// Microsoft Graph as the adapter sees it: sign-in, messages, drives, meetings and subscriptions on one local server, and
// the files themselves on another, so that a token which crosses over is seen.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createDrives } from "./graph-double-drives.ts";
import { createMeetings } from "./graph-double-meetings.ts";
import { createMessages } from "./graph-double-messages.ts";

export type Json = Record<string, unknown>;

export interface GraphCall {
  readonly method: string;
  /** With its query, without host and version. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly status: number;
  readonly range?: string | undefined;
}

export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly body: Buffer;
  readonly headers: IncomingMessage["headers"];
  /** The groups of the route's pattern, decoded. */
  readonly ids: readonly string[];
  readonly json: () => Json;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** JSON, or the bytes themselves. */
  readonly body?: unknown;
  /** The connection ends after so many bytes of the body. */
  readonly breakAfter?: number;
}

export interface Route {
  readonly method: string;
  /** On the path without version. */
  readonly pattern: RegExp;
  /** One of these must be granted. */
  readonly any?: readonly string[];
  readonly answer: (asked: Asked) => Answer | Promise<Answer>;
}

export interface Fault {
  readonly pattern: RegExp;
  left: number;
  /** "drop": it never arrives; "lose": it is done, and the answer never arrives. */
  readonly answer: Answer | "drop" | "lose";
}

export const TENANT = "a1d286db-6149-4b3d-95ad-23c9e1bf6853";
export const APP = "5b0c6f3e-71a7-4b61-8f3e-0a5f4b7c9d10";
export const APP_SECRET = "graph~secret-Value.1";

export const EVERY_PERMISSION = [
  ...["ChannelMessage.Read.Group", "ChatMessage.Read.Chat", "ChatMember.Read.Chat", "TeamMember.Read.Group"],
  ...[
    "Files.ReadWrite.All",
    "OnlineMeetingRecording.Read.All",
    "OnlineMeetings.Read.All",
    "OnlineMeetingRecording.Read.Chat",
  ],
] as const;

export interface GraphDoubleOptions {
  readonly now?: () => number;
  readonly permissions?: readonly string[];
  /** A token's life. */
  readonly tokenSeconds?: number;
}

export function refused(status: number, code: string, headers: Record<string, string> = {}): Answer {
  // The message quotes what a log must not have.
  const message = `Denied for secret-name.mp4 at https://contoso.sharepoint.com/personal?tempauth=abc`;
  return { status, headers: { "request-id": "req-1", ...headers }, body: { error: { code, message } } };
}

export async function startGraphDouble(options: GraphDoubleOptions = {}) {
  const { now = Date.now, permissions = EVERY_PERMISSION, tokenSeconds = 3600 } = options;
  const calls: GraphCall[] = [];
  const faults: Fault[] = [];
  const granted = new Set<string>(permissions);
  const tokens = new Map<string, number>();
  let signIns = 0;

  const drives = createDrives({ now, filesOrigin: () => filesOrigin });
  const meetings = createMeetings({ now, filesOrigin: () => filesOrigin, drives });

  const messages = createMessages();

  const signIn: Route[] = [
    {
      method: "GET",
      pattern: /^\/([^/]+)\/v2\.0\/\.well-known\/openid-configuration$/,
      answer({ ids: [tenant = ""], url }) {
        if (tenant !== TENANT) return signInRefusal(90002, "invalid_tenant");
        // As Microsoft's: https, whatever this server is reached by.
        const base = `https://${url.host}/${tenant}`;
        return {
          body: {
            issuer: `${base}/v2.0`,
            token_endpoint: `${base}/oauth2/v2.0/token`,
            authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
            jwks_uri: `${base}/discovery/v2.0/keys`,
          },
        };
      },
    },
    {
      method: "POST",
      pattern: /^\/([^/]+)\/oauth2\/v2\.0\/token$/,
      answer({ body }) {
        signIns++;
        const form = new URLSearchParams(body.toString());
        if (form.get("client_id") !== APP) return signInRefusal(700016, "unauthorized_client");
        if (form.get("client_secret") !== APP_SECRET) return signInRefusal(7000215, "invalid_client");
        if (form.get("scope")?.includes("/.default") !== true) return signInRefusal(70011, "invalid_scope");
        const token = jwt({ n: signIns, roles: [...granted].filter((name) => !/\.(Group|Chat)$/.test(name)) });
        tokens.set(token, now() + tokenSeconds * 1000);
        return { body: { token_type: "Bearer", expires_in: tokenSeconds, access_token: token } };
      },
    },
  ];

  const graphRoutes: Route[] = [...messages.routes, ...drives.routes, ...meetings.routes];
  const fileRoutes: Route[] = drives.fileRoutes;

  async function answer(request: IncomingMessage, response: ServerResponse, isFiles: boolean): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
    const { authorization, range } = request.headers;
    const [, version, rest] = /^\/(v1\.0|beta)(\/.*)$/.exec(url.pathname) ?? [];
    const path = rest ?? url.pathname;
    const tell = (status: number) =>
      calls.push({ method: request.method ?? "", path: path + url.search, authorization, status, range });
    const fault = faults.find(
      ({ pattern, left }) => left > 0 && pattern.test(`${request.method} ${path}${url.search}`),
    );
    if (fault !== undefined) fault.left--;
    if (fault?.answer === "drop") {
      tell(0);
      request.socket.destroy();
      return;
    }
    if (fault !== undefined && typeof fault.answer === "object") {
      tell(fault.answer.status ?? 200);
      send(response, fault.answer);
      return;
    }
    const routes = isFiles ? fileRoutes : version === undefined ? signIn : graphRoutes;
    const told = await routed(routes, path, version, {
      method: request.method ?? "",
      url,
      body,
      headers: request.headers,
    });
    tell(told.status ?? 200);
    if (fault?.answer === "lose") request.socket.destroy();
    else send(response, told);
  }

  async function routed(
    routes: readonly Route[],
    path: string,
    version: string | undefined,
    asked: Omit<Asked, "ids" | "json">,
  ): Promise<Answer> {
    if (version !== undefined && !((tokens.get((asked.headers.authorization ?? "").slice(7)) ?? 0) > now())) {
      return refused(401, "InvalidAuthenticationToken");
    }
    for (const { method, pattern, any, answer: reply } of routes) {
      const found = method === asked.method ? pattern.exec(path) : null;
      if (found === null) continue;
      if (any !== undefined && !any.some((name) => granted.has(name))) return refused(403, "Forbidden");
      const ids = found.slice(1).map((id) => decodeURIComponent(id ?? ""));
      return reply({ ...asked, ids, json: () => JSON.parse(asked.body.toString() || "{}") as Json });
    }
    return refused(404, "UnknownPath");
  }

  const [graphServer, graphOrigin] = await serve((request, response) => answer(request, response, false));
  const [filesServer, filesOrigin] = await serve((request, response) => answer(request, response, true));

  return {
    /** For `GraphOptions.hosts`. */
    hosts: { login: graphOrigin, graph: graphOrigin, files: [filesOrigin] },
    graphOrigin,
    filesOrigin,
    calls,
    granted,
    ...messages.world,
    ...drives.world,
    ...meetings.world,
    signIns: () => signIns,
    /** Tokens that are out are refused from now on. */
    revokeTokens: () => tokens.clear(),
    /** The next calls whose "METHOD /path?query" fits are answered so, until what is given back is called. */
    fail(pattern: RegExp, reply: Fault["answer"], times = 1): () => void {
      const fault = { pattern, left: times, answer: reply };
      faults.push(fault);
      return () => {
        fault.left = 0;
      };
    },
    throttle(pattern: RegExp, times: number, retryAfter = "0"): void {
      faults.push({ pattern, left: times, answer: refused(429, "TooManyRequests", { "retry-after": retryAfter }) });
    },
    callsOf: (pattern: RegExp) => calls.filter(({ method, path }) => pattern.test(`${method} ${path}`)),
    async close(): Promise<void> {
      meetings.close();
      for (const server of [graphServer, filesServer]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

export type GraphDouble = Awaited<ReturnType<typeof startGraphDouble>>;

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<readonly [Server, string]> {
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

function send(response: ServerResponse, { status = 200, headers = {}, body, breakAfter }: Answer): void {
  const isBytes = Buffer.isBuffer(body);
  const content = isBytes ? body : Buffer.from(body === undefined ? "" : JSON.stringify(body));
  response.writeHead(status, {
    ...(body === undefined ? {} : { "content-type": isBytes ? "application/octet-stream" : "application/json" }),
    ...(status === 204 ? {} : { "content-length": String(content.length) }),
    ...headers,
  });
  if (breakAfter === undefined || breakAfter >= content.length) response.end(content);
  // The bytes are on their way before the connection ends.
  else response.write(content.subarray(0, breakAfter), () => setTimeout(() => response.destroy(), 15));
}

function signInRefusal(number: number, error: string): Answer {
  return {
    status: number === 7000215 ? 401 : 400,
    body: {
      error,
      error_description: `AADSTS${number}: refused for ${APP_SECRET}.`,
      error_codes: [number],
      timestamp: "2026-11-25 08:00:00Z",
      trace_id: "t",
      correlation_id: "c",
    },
  };
}

function jwt(claims: Json): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part(claims)}.unsigned`;
}
