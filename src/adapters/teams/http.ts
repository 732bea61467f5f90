// POST /api/messages on the gateway's own server: what may come in, and what is answered to what may not.
import type { Activity, InvokeResponse } from "botbuilder";
import type { FastifyPluginAsync, FastifyReply } from "fastify";
import type { Observe } from "../../core/ports.ts";
import { BadActivity, ForeignTenant, readActivity, requireTenant } from "./activity.ts";
import { isAt } from "./cloud.ts";
import type { Connector } from "./connector.ts";
import { BadToken, NoKeys } from "./token.ts";

export const MESSAGES_PATH = "/api/messages";

export interface EndpointOptions {
  readonly connector: Connector;
  /** undefined: unsigned activities of any tenant, as Microsoft's playground on this machine sends them. */
  readonly tenant: string | undefined;
  /** Where conversations may be answered. */
  readonly origins: readonly string[];
  readonly observe: Observe;
}

export type Turn = (activity: Activity) => Promise<InvokeResponse | undefined>;

/** Until it is opened, requests are answered with 503. */
export function createEndpoint({ connector, tenant, origins, observe }: EndpointOptions): {
  readonly plugin: FastifyPluginAsync;
  open(turn: Turn, signal: AbortSignal): void;
} {
  let turn: Turn | undefined;

  async function received(authorization: string, body: unknown): Promise<InvokeResponse | undefined> {
    const activity = readActivity(body);
    return connector.receive(authorization, activity, async (signed) => {
      if (!isAt(signed.serviceUrl, origins)) throw new BadActivity("The activity is to be answered somewhere else.");
      if (tenant !== undefined) requireTenant(signed, tenant);
      if (turn === undefined) throw new Closed();
      return turn(signed);
    });
  }

  const plugin: FastifyPluginAsync = async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "string" }, (_request, text, done) => done(null, text));
    app.post(MESSAGES_PATH, async (request, reply) => {
      const { authorization = "" } = request.headers;
      // Nothing of a body is looked at that nobody signed for.
      if (tenant !== undefined && authorization === "") return refuse(reply, 401);
      try {
        const response = await received(authorization, parsed(request.body));
        return reply.code(response?.status ?? 200).send(response?.body ?? "");
      } catch (error) {
        const status = statusOf(error);
        // Forgeries are no news; whoever sends many of them does not get to fill the log.
        if (status >= 500) observe({ kind: "unexpected", where: "an activity of Teams", error });
        return refuse(reply, status);
      }
    });
  };

  return {
    plugin,
    open(opened, signal) {
      turn = opened;
      signal.addEventListener("abort", () => {
        turn = undefined;
      });
    },
  };
}

class Closed extends Error {
  override readonly name = "Closed";
}

/** What a sender learns of the reason: its class. */
const ANSWERS: Readonly<Record<number, string>> = {
  400: "The activity cannot be read.",
  401: "The token is missing, wrong or too old.",
  403: "Earshot serves another organization.",
  500: "It could not be written down. Try again.",
  503: "Earshot is starting or stopping, or Microsoft's keys could not be fetched. Try again.",
};

function refuse(reply: FastifyReply, status: number): FastifyReply {
  return reply.code(status).type("text/plain").send(ANSWERS[status]);
}

function statusOf(error: unknown): number {
  if (error instanceof BadActivity) return 400;
  if (error instanceof BadToken) return 401;
  if (error instanceof ForeignTenant) return 403;
  return error instanceof Closed || error instanceof NoKeys ? 503 : 500;
}

function parsed(body: unknown): unknown {
  try {
    return JSON.parse(typeof body === "string" ? body : "");
  } catch {
    throw new BadActivity("The body is no JSON.");
  }
}
