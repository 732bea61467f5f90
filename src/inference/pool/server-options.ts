// How a command's settings become the options with which NATS is connected to: servers, user, certificates.
import { readFileSync } from "node:fs";
import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  nkeyAuthenticator,
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

const CONNECT_MS = 5000;
export const RETRY_MS = 1000;
/** A peer that was cut off without a word is noticed after two pings. */
const PING_MS = 10_000;

/** @throws ConfigError when the settings' files cannot be read */
export function connectionOptions(settings: NatsSettings, role: "gateway" | "worker", name: string): ConnectionOptions {
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
