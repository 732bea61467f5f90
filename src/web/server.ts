// The gateway's HTTP server: health, metrics, the status page, and what the platforms add.
import { readFileSync } from "node:fs";
import fastify, { type FastifyInstance, type FastifyPluginAsync } from "fastify";
import { ConfigError } from "../core/errors.ts";
import type { Observe } from "../core/ports.ts";
import type { Metrics } from "./metrics.ts";
import type { StatusSource } from "./status-page.ts";
import { STATUS_STYLE, statusPage } from "./status-page.ts";

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly metrics: Metrics;
  readonly status: StatusSource;
  /** For people at this machine. */
  readonly plugins: readonly FastifyPluginAsync[];
  /** For chat platforms, which sign what they send and may come through a proxy under another name. */
  readonly signedPlugins: readonly FastifyPluginAsync[];
  readonly observe: Observe;
}

export interface Server {
  /** Such as http://127.0.0.1:3978 */
  readonly url: string;
  close(): Promise<void>;
}

/** Pages may reach this server alone, and nobody may frame them. */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; object-src 'none'; base-uri 'none'; " +
  "form-action 'self'; frame-ancestors 'none'";

/** @throws ConfigError when the address cannot be listened on */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { host, port, observe } = options;
  const app = fastify({ logger: false, bodyLimit: 1024 ** 2, forceCloseConnections: true });
  addHeaders(app);
  app.addHook("onError", async (_request, _reply, error) => {
    if (!("statusCode" in error) || Number(error.statusCode) >= 500)
      observe({ kind: "unexpected", where: "web", error });
  });
  app.setErrorHandler((error, _request, reply) => {
    const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
    // What went wrong inside is for the log alone.
    const message = status < 500 && error instanceof Error ? error.message : "Something went wrong: the log says what.";
    return reply.code(status).send({ message });
  });
  for (const plugin of options.signedPlugins) await app.register(plugin);
  await app.register(async (local) => {
    guard(local, host);
    local.get("/healthz", async (_request, reply) => {
      try {
        await options.status();
        return { status: "ok", version };
      } catch (error) {
        observe({ kind: "unexpected", where: "health", error });
        return reply.code(503).send({ status: "failing", version });
      }
    });
    local.get("/metrics", async (_request, reply) => {
      reply.header("content-type", options.metrics.contentType);
      return options.metrics.text();
    });
    if (isLoopback(host)) serveStatus(local, options.status);
    for (const plugin of options.plugins) await local.register(plugin);
  });
  try {
    return { url: await app.listen({ host, port }), close: () => app.close() };
  } catch (error) {
    await app.close();
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new ConfigError([
      `The address ${host}:${port} cannot be used (${code}): ` +
        (code === "EADDRINUSE"
          ? "another program has it. Choose another with EARSHOT_PORT."
          : "correct EARSHOT_HOST and EARSHOT_PORT."),
    ]);
  }
}

/** For whoever sits at this machine: on an address that others reach there is no such page. */
function serveStatus(app: FastifyInstance, status: StatusSource): void {
  app.get("/status", async (_request, reply) => {
    reply.type("text/html; charset=utf-8");
    return statusPage(await status());
  });
  app.get("/status.css", async (_request, reply) => {
    reply.type("text/css; charset=utf-8");
    return STATUS_STYLE;
  });
}

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

function addHeaders(app: FastifyInstance): void {
  app.addHook("onRequest", async (_request, reply) => {
    reply.headers({
      "content-security-policy": CONTENT_SECURITY_POLICY,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
    });
  });
}

/** Which requests of browsers are not answered at all. */
function guard(app: FastifyInstance, host: string): void {
  app.addHook("onRequest", async (request, reply) => {
    // A foreign page whose name was pointed at this machine arrives with its own name.
    if (isLoopback(host) && !isLoopback(hostnameOf(`http://${request.headers.host}`))) {
      return reply.code(421).send({ message: "This page answers to 127.0.0.1 and localhost alone." });
    }
    const { origin } = request.headers;
    if (origin !== undefined && request.method !== "GET" && origin !== `http://${request.headers.host}`) {
      return reply.code(403).send({ message: "Another page may not do that." });
    }
    return undefined;
  });
}

function hostnameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : "";
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
