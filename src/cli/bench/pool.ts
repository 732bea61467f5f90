// `earshot bench pool`: what the pool itself costs, beside the engines: packing, the object store, items, latency.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { UserError } from "../../core/errors.ts";
import { demoFolder } from "../../inference/models.ts";
import { createAudioStore, fetchAudio } from "../../inference/pool/audio-store.ts";
import { createPoolConnection } from "../../inference/pool/connection.ts";
import { preparedAudio } from "../../inference/pool/prepared-audio.ts";
import { createPoolTranscriber } from "../../inference/pool-transcriber.ts";
import { type OptionTable, parseArguments } from "../arguments.ts";
import { formatOptions } from "../help.ts";
import type { Io } from "../io.ts";
import { integer, text } from "../kinds.ts";
import { describeMachine, loadAverage } from "./machine.ts";
import { type PoolRates, planPool } from "./pool-plan.ts";

const OPTIONS = {
  "nats-server": {
    group: "Options",
    kind: text("FILE", "a program"),
    fallback: "/usr/sbin/nats-server",
    help: "the server that is measured",
  },
  items: { group: "Options", kind: integer({ atLeast: 10 }), fallback: 300, help: "recordings that are sent" },
  machines: { group: "Options", kind: integer({ atLeast: 1 }), fallback: 4, help: "machines that take them" },
  megabytes: { group: "Options", kind: integer({ atLeast: 10 }), fallback: 400, help: "what goes through the store" },
} satisfies OptionTable;

const HEAD = `Usage: earshot bench pool [options]

Measures what a pool costs beside its engines, with a nats-server of its own and
machines whose engine answers at once, and what that means for large backlogs.
docs/scale.md says how to read the figures.

`;

const OBJECT_MEGABYTES = 20;
const AT_ONCE = 32;
const ALONE = 20;
const never = new AbortController().signal;

export async function benchPool(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, helpWanted, problems } = parseArguments(argv, OPTIONS);
  if (helpWanted) {
    io.stdout.write(HEAD + formatOptions(OPTIONS));
    return 0;
  }
  const all = [...problems, ...positionals.map((word) => `${word} is not an option.`)];
  if (all.length > 0) {
    for (const problem of all) io.stderr.write(`earshot bench pool: ${problem}\n`);
    return 2;
  }
  const folder = await mkdtemp(join(tmpdir(), "earshot-bench-"));
  const server = await startServer(values["nats-server"], folder);
  const machines = fork(fileURLToPath(new URL("./pool-child.js", import.meta.url)), [server.url, `${values.machines}`]);
  try {
    io.stdout.write(`${machineText()}\nLoad at the start: ${loadAverage()}\n\n`);
    const pool = createPoolTranscriber({
      nats: { servers: [server.url] },
      log: (line) => io.stderr.write(`${line}\n`),
    });
    while (pool.members().length < values.machines) await sleep(100);
    const packing = await measurePacking(join(demoFolder, "sample", "meeting.flac"));
    const store = await measureStore(server, values.megabytes, folder);
    const items = await measureItems(pool, server, values.items);
    await pool.close();
    const rates: PoolRates = { ...packing, ...store.rates, ...items.rates };
    io.stdout.write(report(rates, store, items));
    return 0;
  } finally {
    machines.send("stop");
    await once(machines, "exit");
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function machineText(): string {
  const { cpu, cores, node } = describeMachine();
  return `${cpu}, ${cores} cores, Node ${node}`;
}

interface Server {
  readonly url: string;
  readonly pid: number;
  close(): Promise<void>;
}

async function startServer(program: string, folder: string): Promise<Server> {
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
  const address = free.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await new Promise((resolve) => free.close(resolve));
  const config = join(folder, "nats.conf");
  await writeFile(config, `host: 127.0.0.1\nport: ${port}\njetstream { store_dir: ${JSON.stringify(folder)} }\n`);
  const child: ChildProcess = spawn(program, ["-c", config], { stdio: "ignore" });
  await Promise.race([sleep(1000), once(child, "error").then(([error]) => Promise.reject(notThere(program, error)))]);
  return {
    url: `nats://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    async close() {
      child.kill();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}

function notThere(program: string, cause: unknown): UserError {
  return new UserError("not_found", `${program} cannot be started: name a nats-server with --nats-server.`, { cause });
}

/** CPU seconds of a process and of what it has started and waited for. Ref: proc(5). */
function cpuSeconds(pid: number | "self"): { readonly own: number; readonly children: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? [];
  const ticks = (...at: number[]) => at.reduce((sum, index) => sum + Number(fields[index - 3] ?? 0), 0) / 100;
  return { own: ticks(14, 15), children: ticks(16, 17) };
}

async function measurePacking(path: string): Promise<Pick<PoolRates, "prepareSeconds" | "megabytes">> {
  const before = cpuSeconds("self");
  let bytes = 0;
  const rounds = 10;
  for (let round = 0; round < rounds; round++) {
    for await (const chunk of preparedAudio(path, { signal: never })) bytes += chunk.length;
  }
  const after = cpuSeconds("self");
  const hours = (rounds * MEETING_SECONDS) / 3600;
  const spent = after.own + after.children - before.own - before.children;
  return { prepareSeconds: spent / hours, megabytes: bytes / 1e6 / hours };
}

/** Of the demo model's longest sample. */
const MEETING_SECONDS = 52.55;

async function measureStore(server: Server, megabytes: number, folder: string) {
  const connection = createPoolConnection({
    settings: { servers: [server.url] },
    role: "gateway",
    name: "earshot bench",
    prepare: async () => {},
    log: () => {},
  });
  const audio = createAudioStore(connection);
  const count = Math.ceil(megabytes / OBJECT_MEGABYTES);
  const path = join(folder, "fetched");
  const chunk = new Uint8Array(65_536).map((_, n) => (n * 2_654_435_761) >>> 24);
  async function* content() {
    for (let sent = 0; sent < OBJECT_MEGABYTES * 1e6; sent += chunk.length) yield chunk;
  }
  const before = { gateway: cpuSeconds("self").own, server: cpuSeconds(server.pid).own };
  let putMs = 0;
  let fetchMs = 0;
  for (let n = 0; n < count; n++) {
    const id = `bench${n}`.padEnd(36, "0");
    let startMs = performance.now();
    await audio.put(id, OBJECT_MEGABYTES * 1e6, content, () => {}, never);
    putMs += performance.now() - startMs;
    startMs = performance.now();
    await fetchAudio(connection, id, path, never);
    fetchMs += performance.now() - startMs;
    if ((await stat(path)).size < OBJECT_MEGABYTES * 1e6) throw new Error("What was fetched is not whole.");
    await rm(path);
    await audio.remove(id, never);
  }
  const after = { gateway: cpuSeconds("self").own, server: cpuSeconds(server.pid).own };
  await connection.close(new Error("measured"));
  const gigabytes = (count * OBJECT_MEGABYTES) / 1000;
  return {
    putMegabytesPerSecond: (gigabytes * 1e6) / putMs,
    fetchMegabytesPerSecond: (gigabytes * 1e6) / fetchMs,
    rates: {
      gatewayGigabyteSeconds: (after.gateway - before.gateway) / gigabytes,
      serverGigabyteSeconds: (after.server - before.server) / gigabytes,
    },
  };
}

async function measureItems(pool: ReturnType<typeof createPoolTranscriber>, server: Server, count: number) {
  const path = join(demoFolder, "sample", "voice-note.ogg");
  const send = async (key: string) => {
    const on = { progress: () => {}, window: async () => {} };
    const plan = { model: "demo", task: "transcribe", initialPrompt: "", isShort: true, key } as const;
    await pool.transcribe(path, plan, on, never);
  };
  const aloneMs: number[] = [];
  const packMs: number[] = [];
  for (let n = 0; n < ALONE; n++) {
    let startMs = performance.now();
    await send(`alone ${n}`);
    aloneMs.push(performance.now() - startMs);
    startMs = performance.now();
    for await (const _ of preparedAudio(path, { signal: never }));
    packMs.push(performance.now() - startMs);
  }
  const before = { gateway: cpuSeconds("self"), server: cpuSeconds(server.pid).own };
  const startMs = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await send(`item ${next++}`);
    }),
  );
  const seconds = (performance.now() - startMs) / 1000;
  const after = { gateway: cpuSeconds("self"), server: cpuSeconds(server.pid).own };
  return {
    itemsPerSecond: count / seconds,
    addedMs: median(aloneMs) - median(packMs),
    packMs: (1000 * (after.gateway.children - before.gateway.children)) / count,
    rates: {
      gatewayItemMs: (1000 * (after.gateway.own - before.gateway.own)) / count,
      serverItemMs: (1000 * (after.server - before.server)) / count,
    },
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const BACKLOGS = [
  { hours: 5_000, machines: 4 },
  { hours: 50_000, machines: 16 },
  { hours: 1_000_000, machines: 100 },
  { hours: 1_000_000, machines: 400 },
];
/** Hours of audio an hour: a small model on a CPU, and a large one on a good GPU. docs/scale.md says where from. */
const SPEEDS = [10, 100];
const RECORDING_HOURS = 0.5;

function report(
  rates: PoolRates,
  store: Awaited<ReturnType<typeof measureStore>>,
  items: Awaited<ReturnType<typeof measureItems>>,
): string {
  const line = (name: string, value: number, unit: string) =>
    `${name.padEnd(52)}${value.toPrecision(3).padStart(9)} ${unit}\n`;
  const rows = BACKLOGS.flatMap((backlog) => SPEEDS.map((speed) => ({ ...backlog, speed }))).map((backlog) => {
    const plan = planPool(rates, { ...backlog, recordingHours: RECORDING_HOURS });
    const cells = [
      backlog.hours,
      backlog.machines,
      backlog.speed,
      plan.days.toPrecision(3),
      plan.itemsPerSecond.toPrecision(2),
      plan.gatewayCores.toPrecision(2),
      plan.serverCores.toPrecision(2),
      Math.ceil(plan.megabitsPerSecond),
      Math.ceil(plan.storeMegabytes),
    ];
    return `| ${cells.join(" | ")} |\n`;
  });
  return [
    line("packing, CPU for an hour of audio", rates.prepareSeconds, "s"),
    line("packed audio", rates.megabytes, "MB an hour"),
    line("into the store", store.putMegabytesPerSecond, "MB/s"),
    line("out of the store", store.fetchMegabytesPerSecond, "MB/s"),
    line("gateway and machine, CPU for 1 GB in and out", rates.gatewayGigabyteSeconds, "s"),
    line("nats-server, CPU for 1 GB in and out", rates.serverGigabyteSeconds, "s"),
    line("items of one window, 32 at once", items.itemsPerSecond, "a second"),
    line("gateway, CPU for an item", rates.gatewayItemMs, "ms"),
    line("ffmpeg and ffprobe, CPU for an item", items.packMs, "ms"),
    line("nats-server, CPU for an item", rates.serverItemMs, "ms"),
    line("added to an item that is alone, beside its packing", items.addedMs, "ms"),
    `Load at the end: ${loadAverage()}\n\n`,
    "| hours | machines | each × real time | days | recordings/s | gateway cores | NATS cores | Mbit/s | store MB |\n",
    "|---|---|---|---|---|---|---|---|---|\n",
    ...rows,
  ].join("");
}
