// The composition root: the one place that names concrete parts. Starts them, and stops them in reverse order.
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Environment } from "./config/sources.ts";
import type { Config } from "./config.ts";
import { createGateway, discardLeftovers } from "./core/gateway.ts";
import { keepListening } from "./core/listening.ts";
import type { Engine, Lane, Observe, PromptTokens, Transcriber } from "./core/ports.ts";
import type { PlatformName } from "./core/recording.ts";
import { createRetention } from "./core/retention.ts";
import { fetchModel } from "./fetch-model.ts";
import { catalogModels } from "./inference/catalog.ts";
import { createLocalTranscriber } from "./inference/local-transcriber.ts";
import { ffmpegPath } from "./inference/media.ts";
import { createPoolTranscriber, type PoolTranscriber } from "./inference/pool-transcriber.ts";
import { createPromptTokens } from "./inference/prompt-tokens.ts";
import { sandboxFor } from "./inference/sandbox.ts";
import type { Log } from "./log.ts";
import { type Counterparts, createPlatforms } from "./platforms.ts";
import { openDatabase } from "./storage/database.ts";
import { createGlossaryStore } from "./storage/glossary.ts";
import { databasePath } from "./storage/paths.ts";
import { createQueue } from "./storage/queue.ts";
import { createSettingsStore } from "./storage/settings.ts";
import { createTranscriptStore } from "./storage/transcripts.ts";
import { createMetrics } from "./web/metrics.ts";
import { startServer } from "./web/server.ts";
import { createTally } from "./web/tally.ts";

export interface App {
  /** Where the web page is. */
  readonly url: string;
  readonly platforms: readonly PlatformName[];
  readonly engine: Engine;
  /** Catalog name of a model that is being fetched meanwhile. */
  readonly fetching: string | undefined;
  /** The folder that holds the database and the recordings. */
  readonly data: string;
  /** Why it cannot go on; pending as long as it can. */
  readonly broken: Promise<Error>;
  /** Finishes or gives back what was claimed, within some seconds. */
  stop(): Promise<void>;
}

/** How long running jobs may go on after the word to stop. */
const GRACE_MS = 3000;
/** A worker that was stopped for longer, such as by a sleeping machine, may find its job taken. */
const LEASE_MS = 5000;
const EXPIRE_EVERY_MS = 3_600_000;
const LOOK_AT_POOL_EVERY_MS = 15_000;

/** @throws ConfigError, InferenceError, PlatformError: then nothing is left running */
export async function startApp(config: Config, log: Log, counterparts: Counterparts = {}): Promise<App> {
  const stops: (() => unknown)[] = [];
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one();
  };
  try {
    return { ...(await start(config, log, counterparts, stops)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  config: Config,
  log: Log,
  counterparts: Counterparts,
  stops: (() => unknown)[],
): Promise<Omit<App, "stop">> {
  const { data, limits } = config;
  const now = Date.now;
  const folder = join(data, "recordings");
  const chatFolder = join(data, "playground");
  for (const path of [data, folder, chatFolder]) await mkdir(path, { recursive: true, mode: 0o700 });
  // What was made by hand, or came with a volume, may be open to others; the data folder itself may be anybody's.
  for (const path of [folder, chatFolder]) await chmod(path, 0o700);

  let breakDown = (_: Error) => {};
  const broken = new Promise<Error>((resolve) => {
    breakDown = resolve;
  });
  const database = openDatabase(databasePath(data), { now, onDamage: (error) => breakDown(error) });
  stops.push(() => database.close());
  const stores = {
    queue: createQueue(database),
    settings: createSettingsStore(database),
    glossary: createGlossaryStore(database),
    transcripts: createTranscriptStore(database),
  };
  const { queue, transcripts } = stores;

  const metrics = createMetrics(queue, () => transcriber.members?.() ?? []);
  const tally = createTally(now);
  const observe: Observe = (event) => {
    log.observe(event);
    metrics.observe(event);
    tally.observe(event);
  };

  const env = { ...config.env, EARSHOT_SANDBOX: config.sandbox };
  // A pool's recordings are decoded by this very process.
  process.env["EARSHOT_SANDBOX"] = config.sandbox;
  // What is required is said at the start, not at the first recording.
  if (config.sandbox === "require") await sandboxFor(ffmpegPath(), env);
  const transcriber = transcriberOf(config, env, log);
  stops.push(() => transcriber.close());
  let engine = await transcriber.engine(config.model);
  const fetching = new AbortController();
  stops.push(() => fetching.abort());
  const fetch =
    config.model === "auto" && config.pool === undefined
      ? await fetchModel(engine, transcriber, { env: config.env, log, signal: fetching.signal })
      : undefined;
  void fetch?.engine.then(
    (fetched) => {
      engine = fetched;
    },
    (error: unknown) => observe({ kind: "unexpected", where: "a fetched model", error }),
  );

  if (config.pool !== undefined) {
    // Machines come and go.
    const look = setInterval(async () => {
      engine = await transcriber.engine(config.model).catch(() => engine);
    }, LOOK_AT_POOL_EVERY_MS);
    stops.push(() => clearInterval(look));
  }

  const models = [...catalogModels.map((model) => model.name), "demo"];
  const platforms = createPlatforms(config, {
    database,
    chatFolder,
    models,
    observe,
    warn: log.warn,
    now,
    counterparts,
  });

  const gateway = createGateway({
    ...stores,
    name: `gateway-${process.pid}`,
    transcriber,
    tokens: tokensByModel(config),
    platform: platforms.of,
    models,
    model: config.model,
    ...(config.way === "auto" ? {} : { way: config.way }),
    cloudPricePerMinute: config.cloudPricePerMinute,
    folder,
    limits,
    lanes: lanesOf(config),
    leaseMs: LEASE_MS,
    observe,
    now,
    random: Math.random,
  });

  await discardLeftovers(folder, queue);
  const { lastUsedMs } = database;
  const retention = createRetention({ transcripts, lastUsedMs, observe, now, steady: () => performance.now() });
  await retention.look();
  const expiry = setInterval(retention.look, EXPIRE_EVERY_MS);
  stops.push(() => clearInterval(expiry));

  // Platforms are let go last: what the gateway finishes within its grace can still be answered.
  const listening = new AbortController();
  stops.push(() => listening.abort());
  gateway.start();
  stops.push(() => gateway.stop(GRACE_MS));
  const sleep = (ms: number, signal: AbortSignal) => setTimeout(ms, undefined, { signal, ref: false });
  const again = { observe, sleep, random: Math.random };
  for (const one of platforms.all) await keepListening(one, gateway.listener, again, listening.signal);

  const server = await startServer({
    host: config.host,
    port: config.port,
    metrics,
    status: async () => ({
      engine,
      platforms: platforms.all.map(({ name }) => name),
      counts: await queue.counts(),
      ...tally.read(),
    }),
    plugins: platforms.plugins,
    signedPlugins: platforms.signedPlugins,
    observe,
  });
  stops.push(() => server.close());
  return {
    url: server.url,
    platforms: platforms.all.map(({ name }) => name),
    engine,
    fetching: fetch?.name,
    data,
    broken,
  };
}

/** The whole difference between this machine and a pool of them. */
function transcriberOf(
  { pool, device, threads }: Config,
  env: Environment,
  log: Log,
): Transcriber & Partial<PoolTranscriber> {
  if (pool === undefined) return createLocalTranscriber({ device, threads, env, log: log.warn });
  const { nats, replicas, audioBytes } = pool;
  return createPoolTranscriber({ nats, limits: { replicas, audioBytes }, log: log.warn });
}

/** Here the engine is one; a pool is kept busy, and a quarter of what it is given is short for certain. */
function lanesOf({ pool }: Config): readonly Lane[] {
  if (pool === undefined) return ["short", "any"];
  return Array.from({ length: pool.parallel }, (_, index) => (index % 4 === 0 ? "short" : "any"));
}

/** Each model's own tokenizer counts; one that a channel leaves to the gateway is the gateway's. */
function tokensByModel(config: Config): (model: string) => PromptTokens {
  const known = new Map<string, PromptTokens>();
  return (model) => {
    const name = model === "auto" ? config.model : model;
    let tokens = known.get(name);
    if (tokens === undefined) {
      tokens = createPromptTokens(name, config.env, config.pool !== undefined);
      known.set(name, tokens);
    }
    return tokens;
  };
}
