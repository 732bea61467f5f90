// A real nats-server with its own folder and port, and the workers that tests start on it.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";

/** Debian puts it where only root's PATH looks. */
const PROGRAM = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/bin"]
  .map((folder) => join(folder, "nats-server"))
  .find((path) => existsSync(path));

export const hasNats = PROGRAM !== undefined;
if (!hasNats) console.warn("The pool's tests are skipped: there is no nats-server (apt-get install nats-server).");

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly log: () => string;
  /** As a power cut does. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  /** Ends it and deletes its folder. */
  close(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

export interface NatsServerOptions {
  /** The configuration's path; by default JetStream and nothing else. */
  readonly config?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly port?: number;
  readonly jetStream?: boolean;
  /** Whether it is started now. */
  readonly isStarted?: boolean;
  readonly scheme?: "nats" | "tls";
}

export async function startNats(options: NatsServerOptions = {}): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), "earshot-nats-"));
  const port = options.port ?? (await freePort());
  let config = options.config;
  if (config === undefined) {
    config = join(folder, "server.conf");
    const jetStream = (options.jetStream ?? true) ? `jetstream { store_dir: "${folder}/store" }\n` : "";
    await writeFile(config, `host: 127.0.0.1\nport: ${port}\n${jetStream}`);
  }
  let child: ChildProcess | undefined;
  let output = "";
  async function start(): Promise<void> {
    output = "";
    const env = { ...process.env, NATS_STORE: `${folder}/store`, NATS_PORT: String(port), ...options.env };
    const started = spawn(PROGRAM ?? "nats-server", ["-c", config ?? ""], { env, stdio: ["ignore", "pipe", "pipe"] });
    child = started;
    for (const stream of [started.stdout, started.stderr]) stream.on("data", (text) => (output += text));
    await vi.waitFor(
      () => {
        if (started.exitCode !== null) throw new Error(`nats-server ended: ${output}`);
        if (!output.includes("Server is ready")) throw new Error("not ready");
      },
      { timeout: 20_000, interval: 20 },
    );
  }
  async function kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const dying = child;
    if (dying === undefined || dying.exitCode !== null || dying.signalCode !== null) return;
    const ended = new Promise((resolve) => dying.once("exit", resolve));
    dying.kill(signal);
    await ended;
  }
  if (options.isStarted ?? true) await start();
  return {
    url: `${options.scheme ?? "nats"}://127.0.0.1:${port}`,
    port,
    folder,
    log: () => output,
    kill,
    start,
    async close() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

export interface WorkerProcess {
  readonly name: string;
  readonly child: ChildProcess;
  readonly output: () => string;
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** A real `earshot worker` with the demo model. Resolves when it is started, not when it is connected. */
export function startWorker(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): WorkerProcess {
  const child = spawn(
    process.execPath,
    [main, "worker", "--name", name, "--models", "demo", "--device", "cpu", "--threads", "1", ...args],
    { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
  return {
    name,
    child,
    output: () => output,
    async kill(signal = "SIGKILL") {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill(signal);
      await ended;
    },
  };
}
