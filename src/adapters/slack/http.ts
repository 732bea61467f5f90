// The Events API over HTTP: signed requests at /slack/events of the gateway's own server.
import { isValidSlackRequest, type Receiver } from "@slack/bolt";
import type { FastifyPluginAsync } from "fastify";
import type { Observe } from "../../core/ports.ts";
import { createDeliveries, type Deliveries } from "./deliveries.ts";

export interface HttpOptions {
  readonly signingSecret: string;
  readonly observe: Observe;
  readonly now: () => number;
}

export const EVENTS_PATH = "/slack/events";

/** Until the receiver is started, requests are answered with 503, and Slack tries again. */
export function createHttpReceiver({ signingSecret, observe, now }: HttpOptions): {
  readonly receiver: Receiver;
  readonly plugin: FastifyPluginAsync;
} {
  let deliveries: Deliveries | undefined;
  let isOpen = false;

  function isSigned(text: string, headers: Readonly<Record<string, string | string[] | undefined>>): boolean {
    const [time, signature] = [headers["x-slack-request-timestamp"], headers["x-slack-signature"]];
    if (typeof time !== "string" || !/^\d+$/.test(time) || typeof signature !== "string") return false;
    return isValidSlackRequest({
      signingSecret,
      body: text,
      headers: { "x-slack-request-timestamp": Number(time), "x-slack-signature": signature },
      nowMilliseconds: now(),
    });
  }

  const plugin: FastifyPluginAsync = async (app) => {
    app.removeAllContentTypeParsers();
    // The signature is over the bytes as they came.
    app.addContentTypeParser("*", { parseAs: "string" }, (_request, text, done) => done(null, text));
    app.post(EVENTS_PATH, async (request, reply) => {
      const text = typeof request.body === "string" ? request.body : "";
      if (!isSigned(text, request.headers)) return reply.code(401).send("The signature is wrong or too old.");
      const body = readBody(text, request.headers["content-type"] ?? "");
      if (body === undefined) return reply.code(400).send("The body cannot be read.");
      if (body["type"] === "url_verification") return { challenge: body["challenge"] };
      if (body["ssl_check"] !== undefined) return reply.send("");
      if (!isOpen || deliveries === undefined) return reply.code(503).send("Earshot is starting or stopping.");
      const retryNum = Number(request.headers["x-slack-retry-num"]);
      try {
        const answer = await deliveries.process({
          body,
          ack: async () => {},
          ...(retryNum > 0 ? { retryNum } : {}),
        });
        return reply.send(answer ?? "");
      } catch (error) {
        observe({ kind: "unexpected", where: "an event of Slack's", error });
        return reply.code(500).send("It could not be written down. Try again.");
      }
    });
  };

  return {
    plugin,
    receiver: {
      init(app) {
        deliveries = createDeliveries(app, now);
      },
      async start() {
        isOpen = true;
      },
      async stop() {
        isOpen = false;
      },
    },
  };
}

/** Events are JSON; commands are a form, and what people press is JSON in a form. */
function readBody(text: string, type: string): Record<string, unknown> | undefined {
  try {
    if (!type.startsWith("application/x-www-form-urlencoded")) return objectIn(text);
    const form = new URLSearchParams(text);
    const payload = form.get("payload");
    return payload === null ? Object.fromEntries(form) : objectIn(payload);
  } catch {
    return undefined;
  }
}

function objectIn(text: string): Record<string, unknown> | undefined {
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
}
