// `earshot worker`: this machine as one of a pool, from its models to its stop.
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import process from "node:process";
import type { Engine } from "../core/ports.ts";
import { catalogModels } from "../inference/catalog.ts";
import { createLocalTranscriber } from "../inference/local-transcriber.ts";
import { installedModels, resolveModel } from "../inference/models.ts";
import { startPoolWorker } from "../inference/pool-worker.ts";
import type { Device } from "../inference/session.ts";
import { parseArguments } from "./arguments.ts";
import { formatOptions } from "./help.ts";
import type { Io } from "./io.ts";
import { choice, integer, list, text } from "./kinds.ts";
import { NATS_OPTIONS, natsSettings } from "./nats-options.ts";

const HEAD = `Usage: earshot worker --nats URL [options]

Makes this machine one of a pool: it takes recordings that gateways have put
into NATS, transcribes them here, and sends back what is finished, window by
window.
It needs no chat token, no database, and no way out but to the NATS server.

`;

const FOOT = `
Ctrl-C or SIGTERM: it takes nothing more, finishes what is short, and gives the
rest back to the pool. docs/pool.md says how to set a pool up.
`;

// As session.ts has them, which would load onnxruntime into this process.
const DEVICES = ["auto", "cuda", "webgpu", "dml", "coreml", "cpu"] as const;
const group = "Machine";
const OPTIONS = {
  ...NATS_OPTIONS,
  name: {
    group,
    kind: text("NAME", "a name"),
    fallback: "",
    fallbackText: "the host's and the process's number",
    help: "how the pool calls this machine",
  },
  models: {
    group,
    kind: list(text("NAME", "a model"), "NAME,NAME", "names of models"),
    fallback: [] as readonly string[],
    fallbackText: "what is here and fits",
    help: "which models it serves",
  },
  device: {
    group,
    kind: choice(DEVICES),
    fallback: "auto" as (typeof DEVICES)[number],
    help: "what it computes on",
  },
  threads: { group, kind: integer({ atLeast: 0 }), fallback: 0, help: "threads of the engine; 0: it chooses" },
};

const GRACE_MS = 5000;

/** @throws ConfigError, InferenceError */
export async function worker(argv: readonly string[], io: Io): Promise<number> {
  const { values, helpWanted, positionals, problems } = parseArguments(argv, OPTIONS);
  if (helpWanted) {
    io.stdout.write(HEAD + formatOptions(OPTIONS) + FOOT);
    return 0;
  }
  const nats = natsSettings(values, io.env);
  const wrong = [...problems, ...positionals.map((word) => `worker does not take "${word}".`)];
  if (nats === undefined) wrong.push("--nats is missing: give the address of the pool's NATS server.");
  if (wrong.length > 0 || nats === undefined) {
    for (const problem of wrong) io.stderr.write(`earshot worker: ${problem}\n`);
    return 2;
  }
  const log = (line: string) => void io.stderr.write(`${line}\n`);
  const { device, threads } = values;
  const transcriber = createLocalTranscriber({ device, threads, env: io.env, log });
  try {
    const models = await servedModels(values.models, (name) => transcriber.engine(name), io.env);
    const name = (values.name || `${hostname()}-${process.pid}`).replace(/[^A-Za-z0-9_-]/g, "-");
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    const pool = startPoolWorker({ nats, name, version, transcriber, models, log });
    const serves = models.map(({ engine }) => engine.model).join(", ");
    io.stdout.write(`${name} serves ${serves} on ${models[0]?.engine.device}. Ctrl-C stops it.\n`);
    await stopped(io.signal);
    io.stdout.write("Stopping: what is short is finished, the rest goes back to the pool …\n");
    await pool.stop(GRACE_MS);
    return 0;
  } finally {
    await transcriber.close();
  }
}

/**
 * The named ones; or the best that fits, with all that are smaller. The first is loaded now: one that does not load here
 * should not wait for a recording to be found out.
 */
async function servedModels(
  names: readonly string[],
  load: (name: string) => Promise<Engine>,
  env: Io["env"],
): Promise<{ readonly path: string; readonly engine: Engine }[]> {
  const first = await load(names[0] ?? "auto");
  const others = names.length > 0 ? names.slice(1) : smallerThan(first.model, env);
  const served = [{ path: names[0] ?? first.model, engine: first }];
  for (const path of others) {
    const { name, notes } = await resolveModel(path, { device: first.device as Device, env });
    served.push({ path, engine: { model: name, device: first.device, notes } });
  }
  return served;
}

function smallerThan(name: string, env: Io["env"]): string[] {
  const size = catalogModels.find((model) => model.name === name)?.parameters ?? 0;
  return installedModels(env)
    .filter(({ model }) => model.name !== name && model.parameters <= size)
    .map(({ model }) => model.name);
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
