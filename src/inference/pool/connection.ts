// The connection to NATS: made as soon as a server answers, made again when it is lost, and every trouble in a sentence.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream";
import {
  type Authenticator,
  AuthorizationError,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  deferred,
  type NatsConnection,
  NoRespondersError,
  nkeyAuthenticator,
  PermissionViolationError,
  RequestError,
  UserAuthenticationExpiredError,
} from "@nats-io/transport-node";
import { ConfigError } from "../../core/errors.ts";
import { inboxPrefix } from "./names.ts";

/** How the pool's NATS servers are reached. */
export interface NatsSettings {
  /** Such as nats://pool.example:4222; several of one cluster may be named. */
  readonly servers: readonly string[];
  /** A .creds file, or a file with the seed of an NKey. */
  readonly credentialsPath?: string;
  /** Certificates in PEM: whom to trust, and who we are. */
  readonly caPath?: string;
  readonly certPath?: string;
  readonly keyPath?: string;
}

export interface Link {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
}

export interface Trouble {
  readonly sentence: string;
  /** Waiting may help with a server that is away, and not with one that refuses us, or something to us. */
  readonly kind: "away" | "refused" | "rights";
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

const CONNECT_MS = 5000;
const RETRY_MS = 1000;
/** A peer that was cut off without a word is noticed after two pings. */
const PING_MS = 10_000;

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

function connectionOptions(settings: NatsSettings, role: "gateway" | "worker", name: string): ConnectionOptions {
  const { servers, caPath, certPath, keyPath } = settings;
  const usesTls = (caPath ?? certPath) !== undefined || servers.some((url) => url.startsWith("tls:"));
  const { host, user, pass } = userOf(servers);
  const read = (path: string, what: string) => readSetting(path, what);
  return {
    servers: host,
    name,
    timeout: CONNECT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RETRY_MS,
    pingInterval: PING_MS,
    // A user whose right is taken away and given back again is let in again.
    ignoreAuthErrorAbort: true,
    inboxPrefix: inboxPrefix(role),
    ...(user === undefined ? {} : { user }),
    ...(pass === undefined ? {} : { pass }),
    ...(settings.credentialsPath === undefined ? {} : { authenticator: authenticator(settings.credentialsPath) }),
    ...(usesTls
      ? {
          tls: {
            ...(caPath === undefined ? {} : { ca: read(caPath, "EARSHOT_NATS_CA") }),
            ...(certPath === undefined ? {} : { cert: read(certPath, "EARSHOT_NATS_CERT") }),
            ...(keyPath === undefined ? {} : { key: read(keyPath, "EARSHOT_NATS_KEY") }),
          },
        }
      : {}),
  };
}

/** The user in a URL; the library takes it beside the hosts. */
function userOf(servers: readonly string[]): { host: string[]; user?: string; pass?: string } {
  const host = servers.map((server) => server.replace(/^(\w+:\/\/)?[^@/]*@/, "$1"));
  const written = servers.map((server) => /^(?:\w+:\/\/)?([^@/:]*)(?::([^@/]*))?@/.exec(server)).find(Boolean);
  const [, user, pass] = written ?? [];
  return {
    host,
    ...(user === undefined ? {} : { user: decodeURIComponent(user) }),
    ...(pass === undefined ? {} : { pass: decodeURIComponent(pass) }),
  };
}

export function withoutCredentials(server: string): string {
  return server.replace(/^(\w+:\/\/)?[^@/]*@/, "$1");
}

function authenticator(path: string): Authenticator {
  const text = readSetting(path, "EARSHOT_NATS_CREDS");
  const bytes = new TextEncoder().encode(text);
  if (text.includes("-----BEGIN NATS USER JWT-----")) return credsAuthenticator(bytes);
  const seed = /^SU[A-Z2-7]{56}$/m.exec(text)?.[0];
  if (seed !== undefined) return nkeyAuthenticator(new TextEncoder().encode(seed));
  throw new ConfigError([
    `EARSHOT_NATS_CREDS names ${path}, which is neither a .creds file nor the seed of a user's NKey (SU…): make one ` +
      `with "nsc" or "nk -gen user".`,
  ]);
}

function readSetting(path: string, setting: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new ConfigError([`${setting} names ${path}, which cannot be read (${code}).`]);
  }
}

function explain(error: unknown, where: string): Trouble {
  const root = rootOf(error);
  const is = (kind: new (...args: never[]) => Error) => error instanceof kind || root instanceof kind;
  const refused = (sentence: string): Trouble => ({ sentence, kind: "refused" });
  if (is(AuthorizationError)) {
    return refused(`The NATS server at ${where} refuses this user: correct EARSHOT_NATS_CREDS or the user in the URL.`);
  }
  if (is(UserAuthenticationExpiredError)) {
    return refused(`The NATS server at ${where} says that this user has expired: renew EARSHOT_NATS_CREDS.`);
  }
  if (error instanceof PoolNotReady) return { sentence: error.message, kind: "away" };
  const violation = [error, root].find((one) => one instanceof PermissionViolationError);
  if (violation !== undefined) {
    const { operation, subject } = violation;
    const sentence = `The NATS server at ${where} does not let this user ${operation} ${subject}: see docs/pool.md.`;
    return { sentence, kind: "rights" };
  }
  if (isWithoutJetStream(error)) {
    return refused(
      `The NATS server at ${where} keeps nothing: switch JetStream on in its configuration ` +
        `(jetstream { store_dir: … }), for this account too, and start it again.`,
    );
  }
  if (error instanceof JetStreamApiError && error.status !== 503) {
    const remedy = REMEDIES[error.code] ?? "see docs/pool.md";
    return refused(`The NATS server at ${where} cannot hold the pool (${error.message}): ${remedy}.`);
  }
  const code = codeOf(root) ?? codeOf(error);
  if (code !== undefined && /CERT|SSL|TLS|SELF_SIGNED|ALTNAME/.test(code)) {
    return refused(
      `The certificate of the NATS server at ${where} is not trusted (${code}): name the one that signed it with ` +
        `EARSHOT_NATS_CA.`,
    );
  }
  const why = code ?? (error instanceof Error ? error.message : String(error));
  const sentence = `The NATS server at ${where} cannot be reached (${why}): trying again until it answers.`;
  return { sentence, kind: "away" };
}

const NO_ROOM = "raise max_file_store in its configuration, or lower EARSHOT_NATS_MEGABYTES";
/** By the server's own error codes. */
const REMEDIES: Readonly<Record<number, string>> = {
  10023: NO_ROOM,
  10047: NO_ROOM,
  10074: "EARSHOT_NATS_REPLICAS above 1 needs a cluster of as many servers",
  10005: "EARSHOT_NATS_REPLICAS needs as many servers in the cluster",
};

/** The server is there, and the pool in it is not. */
export class PoolNotReady extends Error {
  override readonly name = "PoolNotReady";
}

export function isWithoutJetStream(error: unknown): boolean {
  // The library's own class of this name is not exported.
  if (error instanceof Error && error.name === "JetStreamNotEnabled") return true;
  if (error instanceof JetStreamApiError) return error.code === JetStreamApiCodes.JetStreamNotEnabledForAccount;
  return error instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders());
}

function rootOf(error: unknown): unknown {
  let root = error;
  while (root instanceof Error && root.cause !== undefined) root = root.cause;
  return root;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
