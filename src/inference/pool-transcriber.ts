// The transcriber on many machines: hands recordings to a pool over NATS, and hands back what comes of them.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import process from "node:process";
import { ConfigError, InferenceError, Stopping } from "../core/errors.ts";
import type {
  PoolMember,
  Transcriber,
  TranscriberEvents,
  TranscriberOptions,
  TranscriberResult,
  WaitingReason,
} from "../core/ports.ts";
import { defined } from "./defined.ts";
import { probe } from "./media.ts";
import { createAudioStore } from "./pool/audio-store.ts";
import { createPoolConnection } from "./pool/connection.ts";
import { followItem } from "./pool/follow-item.ts";
import { createItemCalls, type ItemCalls } from "./pool/item-calls.ts";
import { itemId } from "./pool/item-id.ts";
import {
  bestModel,
  chooseModel,
  isUnknownModel,
  MODEL_AWAY_MS,
  modelMissing,
  poolName,
  watchModel,
} from "./pool/model-choice.ts";
import { pinModel, unpinModel } from "./pool/model-pin.ts";
import { LARGEST_BYTES_PER_SECOND, preparedAudio } from "./pool/prepared-audio.ts";
import type { WorkItem } from "./pool/protocol.ts";
import { createRoster, engineOf } from "./pool/roster.ts";
import type { NatsSettings } from "./pool/server-options.ts";
import { createSharing } from "./pool/sharing.ts";
import { sentResume, sentSpeakers, speakersOf, toldCheckpoint } from "./pool/speakers.ts";
import { makeStreams, POOL_LIMITS, type PoolLimits } from "./pool/streams.ts";

export interface PoolTranscriberOptions {
  readonly nats: NatsSettings;
  readonly limits?: Partial<PoolLimits>;
  /** What the operator should know, a sentence at a time. */
  readonly log: (line: string) => void;
  /** How long a finished log stays, so that a gateway which dies before its transcript is stored finds it again. */
  readonly doneKeepMs?: number;
  /** How long a model of the catalog may be without a machine that has it, while other machines are there. */
  readonly modelAwayMs?: number;
}

export interface PoolTranscriber extends Transcriber {
  /** The machines that are there. */
  members(): readonly PoolMember[];
}

/** How long a gateway that starts waits for the server and the machines before it starts without them. */
const START_MS = 3000;
const LOOK_EVERY_MS = 500;
const DONE_KEEP_MS = 60_000;
/** A server that does not answer by then will forget the item by itself. */
const CLEAR_MS = 10_000;
/** What is taken for the length of a recording that does not tell it. */
const UNKNOWN_SECONDS = 3600;
/** How often the operator hears that nothing goes on. */
const COMPLAIN_EVERY_MS = 60_000;

/** @throws ConfigError when the settings' files cannot be used */
export function createPoolTranscriber(options: PoolTranscriberOptions): PoolTranscriber {
  const { nats, log, doneKeepMs = DONE_KEEP_MS, modelAwayMs = MODEL_AWAY_MS } = options;
  const limits: PoolLimits = { ...POOL_LIMITS, ...options.limits };
  const closing = new AbortController();
  const roster = createRoster(() => performance.now());
  const connection = createPoolConnection({
    settings: nats,
    role: "gateway",
    name: `earshot gateway ${hostname()} ${process.pid}`,
    log,
    async prepare(link) {
      await makeStreams(link, limits);
      await roster.follow(link);
    },
  });
  const audio = createAudioStore(connection);
  const sharing = createSharing();
  /** Logs of finished items that are still there. */
  const kept = new Set<() => Promise<void>>();
  const complainedAtMs = new Map<WaitingReason, number>();

  function complain(reason: WaitingReason): void {
    // Of the connection's own trouble the connection tells, and a queue is no trouble.
    if (reason === "connection" || reason === "turn") return;
    if (performance.now() - (complainedAtMs.get(reason) ?? Number.NEGATIVE_INFINITY) < COMPLAIN_EVERY_MS) return;
    complainedAtMs.set(reason, performance.now());
    log(
      reason === "transcriber"
        ? "A recording waits for a machine that can transcribe it: start one with earshot worker --nats …"
        : "The pool's store is full and recordings wait for room: add machines, or raise EARSHOT_NATS_MEGABYTES.",
    );
  }

  /** Says why nothing goes on, each reason once, until something does. */
  function waitingFor(on: TranscriberEvents) {
    let last: WaitingReason | undefined;
    return {
      because(reason: WaitingReason): void {
        complain(reason);
        if (reason !== last) on.waiting?.(reason);
        last = reason;
      },
      over(): void {
        last = undefined;
      },
    };
  }

  /** The caller does not wait for this; whoever wants the same item does. */
  async function clear(calls: ItemCalls, id: string, isDone: boolean): Promise<void> {
    const signal = AbortSignal.timeout(CLEAR_MS);
    try {
      if (!isDone) {
        await calls.withdraw(signal);
        await calls.forget(signal);
      }
      await audio.remove(id, signal);
    } catch (error) {
      if (!signal.aborted) log(`What is left of an item in the pool could not be removed (${error}).`);
    }
    if (!isDone) return;
    const finish = async () => {
      clearTimeout(timer);
      kept.delete(finish);
      if (!sharing.isShared(id)) await calls.forget(AbortSignal.timeout(CLEAR_MS)).catch(() => {});
    };
    const timer = setTimeout(finish, doneKeepMs);
    timer.unref();
    kept.add(finish);
  }

  async function transcribe(
    path: string,
    wanted: TranscriberOptions,
    on: TranscriberEvents,
    signal: AbortSignal,
  ): Promise<TranscriberResult> {
    const { resume, model: pinned } = unpinModel(wanted.resume);
    const waiting = waitingFor(on);
    // What is wrong with the recording needs no pool to be found.
    const { durationSeconds = UNKNOWN_SECONDS } = await probe(path, signal);
    const look = setInterval(() => connection.trouble() && waiting.because("connection"), LOOK_EVERY_MS);
    try {
      await connection.link(signal);
      const idle = () => waiting.because(connection.trouble() === undefined ? "transcriber" : "connection");
      const model = await chooseModel(pinned ?? wanted.model, roster, idle, signal);
      const hasMachine = watchModel(model, roster, modelAwayMs);
      if (!hasMachine()) waiting.because("transcriber");
      const { resume: _, key = randomUUID(), ...plan } = { ...wanted, model };
      const id = await itemId(path, plan, key, signal);
      const speakers = await speakersOf(path, plan, resume, signal);
      const options: WorkItem["options"] = { ...plan, ...sentSpeakers(speakers) };
      const lane = wanted.isShort ? "short" : "long";
      const calls = createItemCalls(connection, { id, lane, options }, limits.ackWaitMs, signal);
      const bytes = durationSeconds * LARGEST_BYTES_PER_SECOND * Math.max(1, speakers.length);
      const prepare = () => preparedAudio(path, { ...defined({ maxSeconds: wanted.maxSeconds }), speakers, signal });

      const leave = await sharing.enter(id);
      let left: "nothing" | "log" | "all" = "nothing";
      try {
        const result = await followItem({
          calls,
          resume: sentResume(resume, speakers),
          putAudio: () => audio.put(id, bytes, prepare, () => waiting.because("room"), signal),
          on: {
            progress(seconds, duration, work) {
              waiting.over();
              on.progress(seconds, duration, work);
            },
            window(segments, checkpoint) {
              const told = toldCheckpoint(checkpoint, speakers);
              return on.window(segments, wanted.model === "auto" ? pinModel(told, model) : told);
            },
          },
          idle() {
            const reason = hasMachine() ? "turn" : "transcriber";
            waiting.because(connection.trouble() === undefined ? reason : "connection");
          },
          signal,
        });
        left = "log";
        return result;
      } catch (error) {
        if (signal.aborted && (signal.reason instanceof Stopping || closing.signal.aborted)) left = "all";
        throw error;
      } finally {
        if (leave() && left !== "all") sharing.clearing(id, () => clear(calls, id, left === "log"));
      }
    } finally {
      clearInterval(look);
    }
  }

  return {
    transcribe: (path, wanted, on, signal) => transcribe(path, wanted, on, AbortSignal.any([signal, closing.signal])),

    async engine(wanted) {
      const name = poolName(wanted);
      const deadlineMs = performance.now() + START_MS;
      for (;;) {
        closing.signal.throwIfAborted();
        const trouble = connection.trouble();
        if (trouble !== undefined && trouble.kind !== "away") throw new ConfigError([trouble.sentence]);
        const cards = roster.present();
        const model = name === "auto" ? bestModel(cards) : name;
        const engine = model === undefined ? undefined : engineOf(cards, model);
        if (engine !== undefined) return engine;
        if (cards.length > 0 && isUnknownModel(name)) throw modelMissing(name, cards);
        if (performance.now() >= deadlineMs) {
          const note = "No machine of the pool has it yet: start one with earshot worker --nats …";
          return { model: wanted, device: "pool", notes: [trouble?.sentence ?? note] };
        }
        await roster.change(LOOK_EVERY_MS, closing.signal);
      }
    },

    members: () => roster.members(),

    async close() {
      const reason = new InferenceError("child_died", "The pool was closed.");
      closing.abort(reason);
      await sharing.settled();
      await Promise.all([...kept].map((finish) => finish()));
      await connection.close(reason);
    },
  };
}
