// A pool to try things with: servers, gateways, machines, and an eye on what lies in the streams.
import { expect, vi } from "vitest";
import type { TranscriberOptions, TranscriberResult, WaitingReason } from "../../src/core/ports.ts";
import { createPoolConnection, type PoolConnection } from "../../src/inference/pool/connection.ts";
import { readLog } from "../../src/inference/pool/item-log.ts";
import { AUDIO_STREAM, DEAD_STREAM, LOG_STREAM, logSubject, WORK_STREAM } from "../../src/inference/pool/names.ts";
import { type LogEntry, readLogEntry } from "../../src/inference/pool/protocol.ts";
import {
  createPoolTranscriber,
  type PoolTranscriber,
  type PoolTranscriberOptions,
} from "../../src/inference/pool-transcriber.ts";
import { keeping, never } from "../contracts/transcriber.ts";
import { type PoolServers, startWorker, type WorkerProcess } from "./nats.ts";
import type { TimedEntry } from "./waste.ts";

export const POOL_OPTIONS: TranscriberOptions = {
  model: "demo",
  task: "transcribe",
  initialPrompt: "",
  language: "en",
  // Window by window, so that there is a middle in which something can happen.
  way: "sequential",
  isShort: false,
};

/** A machine that has died is missed after so long. */
export const ACK_WAIT_MS = 2000;

export interface PoolRig {
  readonly servers: PoolServers;
  /** What gateways told their operator. */
  readonly told: string[];
  gateway(more?: Partial<PoolTranscriberOptions>): PoolTranscriber;
  worker(name: string, env?: Readonly<Record<string, string>>): WorkerProcess;
  /** Messages in a stream. */
  count(stream: "work" | "log" | "audio" | "dead"): Promise<number>;
  /** As after a server's disk was lost. */
  empty(): Promise<void>;
  /** The only log that is there. */
  log(): Promise<readonly LogEntry[]>;
  /** All of them, with the time at which each entry was kept. */
  logs(): Promise<ReadonlyMap<string, readonly TimedEntry[]>>;
  /** Ends the gateways and machines, and waits until nothing is left. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

const STREAMS = { work: WORK_STREAM, log: LOG_STREAM, audio: AUDIO_STREAM, dead: DEAD_STREAM };

export function createPoolRig(servers: PoolServers): PoolRig {
  const told: string[] = [];
  const gateways: PoolTranscriber[] = [];
  const workers: WorkerProcess[] = [];
  let eye: PoolConnection | undefined;
  const look = () => {
    eye ??= createPoolConnection({
      settings: servers.gateway,
      role: "gateway",
      name: "the test's eye",
      prepare: async () => {},
      log: () => {},
    });
    return eye;
  };
  return {
    servers,
    told,
    gateway(more = {}) {
      const pool = createPoolTranscriber({
        nats: servers.gateway,
        log: (line) => told.push(line),
        ...more,
        limits: { ackWaitMs: ACK_WAIT_MS, ...more.limits },
      });
      gateways.push(pool);
      return pool;
    },
    worker(name, env) {
      const started = startWorker(name, servers.worker, env);
      workers.push(started);
      return started;
    },
    async count(stream) {
      const { jsm } = await look().link(never());
      return (await jsm.streams.info(STREAMS[stream])).state.messages;
    },
    async empty() {
      const { jsm } = await look().link(never());
      for (const stream of [WORK_STREAM, LOG_STREAM, AUDIO_STREAM]) await jsm.streams.purge(stream);
    },
    async log() {
      const { jsm } = await look().link(never());
      const { state } = await jsm.streams.info(LOG_STREAM, { subjects_filter: ">" });
      const [subject = ""] = Object.keys(state.subjects ?? {});
      return (await readLog(look(), subject.split(".").at(-1) ?? "", 0, never())).entries;
    },
    async logs() {
      const { jsm } = await look().link(never());
      const logs = new Map<string, TimedEntry[]>();
      for (let seq = 1; ; ) {
        const message = await jsm.direct.getMessage(LOG_STREAM, { seq, next_by_subj: logSubject("*") });
        if (message === null) return logs;
        seq = message.seq + 1;
        const entry = readLogEntry(message.string());
        if (entry === undefined) continue;
        const log = logs.get(message.subject) ?? [];
        logs.set(message.subject, [...log, { entry, atMs: message.time.getTime() }]);
      }
    },
    async clear() {
      for (const worker of workers.splice(0)) {
        expect(worker.output()).not.toMatch(/does not let|unexpected/);
        // One that a test has stopped does not hear the word to end.
        await worker.kill("SIGKILL");
      }
      for (const gateway of gateways.splice(0)) await gateway.close();
      expect(told.join("\n")).not.toMatch(/does not let|could not be removed/);
      told.length = 0;
      const { jsm } = await look().link(never());
      for (const stream of Object.values(STREAMS)) await jsm.streams.purge(stream).catch(() => {});
    },
    async close() {
      for (const worker of workers) await worker.kill();
      for (const gateway of gateways) await gateway.close();
      await eye?.close(new Error("closed"));
      await servers.close();
    },
  };
}

export interface Run extends ReturnType<typeof keeping> {
  readonly result: Promise<TranscriberResult>;
  readonly reasons: WaitingReason[];
  readonly abort: AbortController;
  /** Resolves when so many windows were handed over. */
  has(windows: number): Promise<void>;
}

/** One transcription, with everything that it tells kept. */
export function transcribing(pool: PoolTranscriber, path: string, more: Partial<TranscriberOptions> = {}): Run {
  const on = keeping();
  const abort = new AbortController();
  const reasons: WaitingReason[] = [];
  const events = { ...on, waiting: (reason: WaitingReason) => void reasons.push(reason) };
  const result = pool.transcribe(path, { ...POOL_OPTIONS, ...more }, events, abort.signal);
  // Whoever is interested asks for it.
  result.catch(() => {});
  return {
    ...on,
    result,
    reasons,
    abort,
    has: (windows) =>
      vi.waitUntil(() => on.windows.length >= windows, { timeout: 60_000, interval: 10 }).then(() => {}),
  };
}
