// A machine of the pool: takes items that its models can do, works on them, and shows that it is there.
import { InferenceError, Stopping } from "../core/errors.ts";
import type { Engine, Transcriber } from "../core/ports.ts";
import { createPoolConnection, type Link } from "./pool/connection.ts";
import { bellSubject, cancelSubject, LANES_TAKEN } from "./pool/names.ts";
import type { WorkerCard } from "./pool/protocol.ts";
import { showCard, takeCardBack } from "./pool/roster.ts";
import type { NatsSettings } from "./pool/server-options.ts";
import { requireStreams } from "./pool/streams.ts";
import { takeNext } from "./pool/take.ts";
import { Cancelled, workOn } from "./pool/work-item.ts";

export interface PoolWorkerOptions {
  readonly nats: NatsSettings;
  /** Letters, digits, "-" and "_"; no two machines may have the same. */
  readonly name: string;
  readonly version: string;
  /** What does the work; it is not closed here. */
  readonly transcriber: Transcriber;
  /** What it can do, each as it serves here; the name under which this machine finds it may be a path. */
  readonly models: readonly { readonly path: string; readonly engine: Engine }[];
  readonly log: (line: string) => void;
  readonly everyMs?: number;
}

export interface PoolWorker {
  /** Takes nothing more, gives what runs until the grace is over, and gives the rest back to the pool. */
  stop(graceMs: number): Promise<void>;
}

const EVERY_MS = 5000;
/** How often to look for work that nobody rang for, such as what another machine gave back. */
const LOOK_EVERY_MS = 2000;
/** How long to leave a model alone that does not load here. */
const REST_MS = 60_000;
/** As in the gateway: one loop for short recordings alone, so that they do not wait for a long one. */
const LOOPS = ["short", "any"] as const;

/** @throws ConfigError when the settings' files cannot be used */
export function startPoolWorker(options: PoolWorkerOptions): PoolWorker {
  const { nats, name, version, transcriber, models, log, everyMs = EVERY_MS } = options;
  const stopping = new AbortController();
  const cut = new AbortController();
  const running = new Map<string, AbortController>();
  const restingUntilMs = new Map<string, number>();
  const waiting = new Set<() => void>();
  const tally = { done: 0, failed: 0, audioSeconds: 0, workSeconds: 0 };
  let rings = 0;

  const connection = createPoolConnection({
    settings: nats,
    role: "worker",
    name: `earshot worker ${name}`,
    log,
    async prepare(link) {
      await requireStreams(link);
      for (const { engine } of models) link.nc.subscribe(bellSubject(engine.model), { callback: ring });
      link.nc.subscribe(cancelSubject("*"), {
        callback: (_, { subject }) => running.get(subject.split(".").at(-1) ?? "")?.abort(new Cancelled()),
      });
      await showCard(link, card());
    },
  });

  function card(): WorkerCard {
    const able = models.filter(({ engine }) => !isResting(engine.model)).map(({ engine }) => engine);
    return { worker: name, version, models: able, busy: running.size, ...tally, everyMs };
  }

  function isResting(model: string): boolean {
    return performance.now() < (restingUntilMs.get(model) ?? Number.NEGATIVE_INFINITY);
  }

  function ring(): void {
    rings++;
    for (const go of waiting) go();
  }

  function pause(): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        waiting.delete(go);
        resolve();
      };
      // Not all machines at once.
      const timer = setTimeout(go, LOOK_EVERY_MS * (0.5 + Math.random()));
      waiting.add(go);
    });
  }

  async function loop(lane: (typeof LOOPS)[number]): Promise<void> {
    while (!stopping.signal.aborted) {
      const ringsBefore = rings;
      let hasWorked = false;
      try {
        hasWorked = await step(lane);
      } catch (error) {
        if (!stopping.signal.aborted) log(`Something unexpected in the pool's worker: ${stackOf(error)}`);
      }
      if (!hasWorked && rings === ringsBefore && !stopping.signal.aborted) await pause();
    }
  }

  async function step(lane: (typeof LOOPS)[number]): Promise<boolean> {
    const able = models.filter(({ engine }) => !isResting(engine.model));
    const delivery = await takeNext(
      connection,
      able.map(({ engine }) => engine.model),
      LANES_TAKEN[lane],
      stopping.signal,
    );
    if (delivery === undefined) return false;
    // Its heartbeats did not arrive for a while, and it came back to where it is: the work goes on.
    if (running.has(delivery.id)) return true;
    const path = able.find(({ engine }) => engine.model === delivery.model)?.path ?? delivery.model;
    const abort = new AbortController();
    running.set(delivery.id, abort);
    const startedAtMs = performance.now();
    try {
      const signal = AbortSignal.any([abort.signal, cut.signal]);
      const outcome = await workOn({ ...delivery, model: path }, { connection, transcriber, worker: name }, signal);
      tally.workSeconds += (performance.now() - startedAtMs) / 1000;
      switch (outcome.kind) {
        case "done":
          tally.done++;
          tally.audioSeconds += outcome.audioSeconds;
          break;
        case "condemned":
          tally.failed++;
          log(outcome.error.message);
          break;
        case "released":
          tally.failed++;
          log(`A recording was given back to the pool. ${outcome.error.message}`);
          if (outcome.isOurs) rest(delivery.model);
          break;
        case "refused":
        case "dropped":
          break;
        default:
          outcome satisfies never;
      }
    } finally {
      running.delete(delivery.id);
    }
    return true;
  }

  function rest(model: string): void {
    restingUntilMs.set(model, performance.now() + REST_MS);
    log(`This machine takes no work for the model ${model} for ${REST_MS / 1000} s.`);
    void show();
  }

  async function show(): Promise<void> {
    try {
      await showCard(await connection.link(stopping.signal), card());
    } catch {
      // The connection tells its own trouble, and the next card is due soon.
    }
  }

  const beat = setInterval(show, everyMs);
  const loops = LOOPS.map(loop);

  return {
    async stop(graceMs) {
      stopping.abort(new Stopping("The worker stops."));
      clearInterval(beat);
      ring();
      const cutting = setTimeout(() => cut.abort(new Stopping("The worker stops.")), graceMs);
      await Promise.all(loops);
      clearTimeout(cutting);
      await farewell(await connection.link(AbortSignal.timeout(FAREWELL_MS)).catch(() => undefined));
      await connection.close(new InferenceError("child_died", "The worker was stopped."));
    },
  };

  async function farewell(link: Link | undefined): Promise<void> {
    if (link !== undefined) await takeCardBack(link, name).catch(() => {});
  }
}

const FAREWELL_MS = 500;

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
