// Real nats-servers with the configuration that deploy/ gives people: TLS, NKeys, least rights; each with its own folder.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { nkeys } from "@nats-io/transport-node";
import { vi } from "vitest";
import type { NatsSettings } from "../../src/inference/pool/server-options.ts";

/** Debian puts it where only root's PATH looks. */
const PROGRAM = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/bin"]
  .map((folder) => join(folder, "nats-server"))
  .find((path) => existsSync(path));

export const hasNats = PROGRAM !== undefined;
/** EARSHOT_POOL=full, as in CI: also the tests that wait for heartbeats to be missed, a cluster, and kills at random. */
export const isFull = process.env["EARSHOT_POOL"] === "full" || process.env["EARSHOT_POOL_CLIPS"] !== undefined;
if (hasNats && !isFull) console.info("The pool's longer tests are left out: EARSHOT_POOL=full runs them.");
if (!hasNats) console.warn("The pool's tests are skipped: there is no nats-server here (apt-get install nats-server).");

export interface NatsProcess {
  readonly port: number;
  readonly log: () => string;
  /** By default as a power cut does. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
}

export interface PoolServers {
  readonly servers: readonly NatsProcess[];
  readonly gateway: NatsSettings;
  readonly worker: NatsSettings;
  /** Ends all and deletes their folder. */
  close(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

export interface PoolServersOptions {
  /** 1, or 3 for a cluster. */
  readonly count?: 1 | 3;
  readonly areStarted?: boolean;
}

export async function startPoolServers({
  count = 1,
  areStarted = true,
}: PoolServersOptions = {}): Promise<PoolServers> {
  const folder = await mkdtemp(join(tmpdir(), "earshot-nats-"));
  const certPath = join(folder, "cert.pem");
  const keyPath = join(folder, "key.pem");
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  execFileSync("openssl", ["req", "-x509", ...curve, "-keyout", keyPath, "-out", certPath, ...names], {
    stdio: "ignore",
  });
  const users = { gateway: nkeys.createUser(), worker: nkeys.createUser() };
  for (const [name, user] of Object.entries(users)) await writeFile(join(folder, `${name}.nk`), user.getSeed());

  const ports = await Promise.all(Array.from({ length: count }, freePort));
  const routes = await Promise.all(Array.from({ length: count }, freePort));
  const file = count === 1 ? "server.conf" : "cluster.conf";
  const config = fileURLToPath(new URL(`../../deploy/nats/${file}`, import.meta.url));
  const servers = ports.map((port, index) =>
    natsProcess(port, config, {
      NATS_NAME: `nats-${index + 1}`,
      NATS_LISTEN: `127.0.0.1:${port}`,
      NATS_STORE: join(folder, `store-${index + 1}`),
      NATS_CERT: certPath,
      NATS_KEY: keyPath,
      NATS_CA: certPath,
      NATS_ADMIN_PASSWORD: "only-here",
      NATS_CLUSTER_LISTEN: `127.0.0.1:${routes[index]}`,
      ...Object.fromEntries(routes.map((route, at) => [`NATS_ROUTE_${at + 1}`, `nats-route://127.0.0.1:${route}`])),
      EARSHOT_GATEWAY_NKEY: users.gateway.getPublicKey(),
      EARSHOT_WORKER_NKEY: users.worker.getPublicKey(),
    }),
  );
  if (areStarted) await Promise.all(servers.map((server) => server.start()));
  const settings = (who: string): NatsSettings => ({
    servers: ports.map((port) => `tls://127.0.0.1:${port}`),
    credentialsPath: join(folder, `${who}.nk`),
    caPath: certPath,
  });
  return {
    servers,
    gateway: settings("gateway"),
    worker: settings("worker"),
    async close() {
      for (const server of servers) await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** One that is set up otherwise, such as without JetStream. */
export async function startPlainServer(
  lines: string,
): Promise<NatsProcess & { readonly url: string; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "earshot-nats-"));
  const port = await freePort();
  const config = join(folder, "server.conf");
  await writeFile(
    config,
    `host: 127.0.0.1\nport: ${port}\n${lines.replaceAll("STORE", JSON.stringify(join(folder, "store")))}\n`,
  );
  const server = natsProcess(port, config, {});
  await server.start();
  return {
    ...server,
    url: `nats://127.0.0.1:${port}`,
    async close() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function natsProcess(port: number, config: string, env: Readonly<Record<string, string>>): NatsProcess {
  let child: ChildProcess | undefined;
  let output = "";
  return {
    port,
    log: () => output,
    async start() {
      output = "";
      const started = spawn(PROGRAM ?? "nats-server", ["-c", config], {
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      child = started;
      for (const stream of [started.stdout, started.stderr]) {
        stream.on("data", (text) => {
          output += text;
        });
      }
      await vi.waitFor(
        () => {
          if (started.exitCode !== null || !output.includes("Server is ready"))
            throw new Error(`nats-server: ${output}`);
        },
        { timeout: 20_000, interval: 20 },
      );
    },
    async kill(signal = "SIGKILL") {
      if (child !== undefined) await end(child, signal);
    },
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

export interface WorkerProcess {
  readonly name: string;
  readonly pid: number;
  readonly output: () => string;
  signal(name: NodeJS.Signals): void;
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** The options by which a command finds the servers. */
export const natsArguments = ({ servers, credentialsPath, caPath }: NatsSettings): string[] => [
  ...["--nats", servers.join(",")],
  ...(credentialsPath === undefined ? [] : ["--creds", credentialsPath]),
  ...(caPath === undefined ? [] : ["--ca", caPath]),
];

/** A real `earshot worker` with the demo model. */
export function startWorker(
  name: string,
  nats: NatsSettings,
  env: Readonly<Record<string, string>> = {},
): WorkerProcess {
  const options = ["--name", name, "--models", "demo", "--device", "cpu", "--threads", "1", ...natsArguments(nats)];
  const child = spawn(process.execPath, [main, "worker", ...options], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (text) => {
      output += text;
    });
  }
  return {
    name,
    pid: child.pid ?? 0,
    output: () => output,
    signal: (signalName) => void child.kill(signalName),
    kill: (signal = "SIGKILL") => end(child, signal),
  };
}
