// POST /api/teams/notifications: Microsoft's question whether this is us, and its notifications.
import type { FastifyPluginAsync } from "fastify";
import { isValidationToken, NOTIFICATIONS_PATH, type Notification, readNotifications } from "./notifications.ts";

export interface RouteParts {
  /** False: nobody listens yet, or any more; Microsoft sends it again. */
  readonly isOpen: () => boolean;
  readonly isOurs: (notification: Notification) => Promise<boolean>;
  /** Resolves when it is written down. */
  readonly take: (notifications: readonly Notification[]) => Promise<void>;
  /** The server can be reached from now on. */
  readonly listening: () => void;
}

const BODY_BYTES = 256 * 1024;

export function createNotificationRoute({ isOpen, isOurs, take, listening }: RouteParts): FastifyPluginAsync {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "string", bodyLimit: BODY_BYTES }, (_request, body, done) =>
      done(null, body),
    );
    app.addHook("onListen", async () => listening());
    app.post<{ Querystring: { validationToken?: unknown } }>(
      NOTIFICATIONS_PATH,
      { bodyLimit: BODY_BYTES },
      async (request, reply) => {
        const { validationToken: token } = request.query;
        if (token !== undefined) {
          if (!isValidationToken(token)) return reply.code(400).send({ message: "That is no validation token." });
          return reply.type("text/plain; charset=utf-8").send(token);
        }
        const notifications = readNotifications(parsed(request.body));
        if (notifications === undefined) return reply.code(400).send({ message: "That is no notification." });
        if (!isOpen()) return reply.code(503).send({ message: "Earshot is starting or stopping." });
        const ours: Notification[] = [];
        for (const each of notifications) if (await isOurs(each)) ours.push(each);
        // Forged ones get the same answer, which tells nothing.
        await take(ours);
        return reply.code(202).send();
      },
    );
  };
}

function parsed(body: unknown): unknown {
  try {
    return typeof body === "string" ? JSON.parse(body) : undefined;
  } catch {
    return undefined;
  }
}
