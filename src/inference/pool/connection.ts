// The connection to NATS: made as soon as a server answers, made again when it is lost, and every trouble in a sentence.
import { setTimeout as sleep } from "node:timers/promises";
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, deferred, type NatsConnection, PermissionViolationError } from "@nats-io/transport-node";
import { connectionOptions, type NatsSettings, RETRY_MS, withoutCredentials } from "./server-options.ts";
import { explain, type Trouble } from "./trouble.ts";

export interface Link {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
}

export interface PoolConnection {
  /** Once a server answers. @throws the signal's reason; why it was closed */
  link(signal: AbortSignal): Promise<Link>;
  /** Why there is no link at the moment. */
  trouble(): Trouble | undefined;
  close(reason: Error): Promise<void>;
}

export interface ConnectionParts {
  readonly settings: NatsSettings;
  readonly role: "gateway" | "worker";
  /** As the server's own reports name this connection. */
  readonly name: string;
  /** Once for each new connection, before anyone gets it. */
  readonly prepare: (link: Link, signal: AbortSignal) => Promise<void>;
  /** What the operator should know, a sentence at a time. */
  readonly log: (line: string) => void;
}

/** @throws ConfigError when the settings' files cannot be read */
export function createPoolConnection({ settings, role, name, prepare, log }: ConnectionParts): PoolConnection {
  const options = connectionOptions(settings, role, name);
  const where = settings.servers.map(withoutCredentials).join(", ");
  const closing = new AbortController();
  let current: Link | undefined;
  let trouble: Trouble | undefined;
  let connected = deferred<Link>();
  connected.catch(() => {});

  function say(next: Trouble): void {
    if (trouble?.sentence !== next.sentence && !closing.signal.aborted) log(next.sentence);
    trouble = next;
  }

  async function open(): Promise<Link> {
    for (;;) {
      let nc: NatsConnection | undefined;
      try {
        nc = await connect(options);
        const link = { nc, js: jetstream(nc), jsm: await jetstreamManager(nc) };
        await prepare(link, closing.signal);
        if (trouble !== undefined) log(`The NATS server at ${where} answers.`);
        return link;
      } catch (error) {
        await nc?.close().catch(() => {});
        closing.signal.throwIfAborted();
        say(explain(error, where));
      }
      await sleep(RETRY_MS, undefined, { signal: closing.signal });
    }
  }

  async function watch({ nc }: Link): Promise<void> {
    for await (const status of nc.status()) {
      if (status.type === "disconnect") {
        say({
          sentence: `The connection to the NATS server at ${where} is lost: trying again until it answers.`,
          kind: "away",
        });
      } else if (status.type === "reconnect") {
        trouble = undefined;
        log(`The NATS server at ${where} answers again.`);
      } else if (status.type === "error" && status.error instanceof PermissionViolationError) {
        const { operation, subject } = status.error;
        log(`The NATS server at ${where} does not let this user ${operation} ${subject}: see docs/pool.md.`);
      }
    }
  }

  async function keep(): Promise<void> {
    for (;;) {
      const link = await open();
      current = link;
      trouble = undefined;
      connected.resolve(link);
      void watch(link);
      const error = await link.nc.closed();
      closing.signal.throwIfAborted();
      current = undefined;
      connected = deferred<Link>();
      connected.catch(() => {});
      say(explain(error ?? new Error("closed"), where));
    }
  }
  const kept = keep().catch((error: unknown) => connected.reject(error));

  return {
    async link(signal) {
      signal.throwIfAborted();
      const ended = deferred<never>();
      const abort = () => ended.reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      try {
        return await Promise.race([connected, ended]);
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
    trouble: () => trouble,
    async close(reason) {
      closing.abort(reason);
      connected.reject(reason);
      await current?.nc.close().catch(() => {});
      await kept;
    },
  };
}
