// The streams, buckets and consumers that the pool lives in: made by the gateway, looked for by the machines.
import { isDeepStrictEqual } from "node:util";
import {
  AckPolicy,
  DiscardPolicy,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { nanos } from "@nats-io/transport-node";
import type { Link } from "./connection.ts";
import {
  AUDIO_BUCKET,
  AUDIO_STREAM,
  consumerName,
  DEAD_STREAM,
  deadSubject,
  LOG_STREAM,
  logSubject,
  WORK_STREAM,
  WORK_SUBJECTS,
  WORKERS_BUCKET,
  WORKERS_STREAM,
  type WorkLane,
  workSubject,
} from "./names.ts";
import { PoolNotReady } from "./trouble.ts";

export interface PoolLimits {
  /** How many servers of a cluster keep each thing; odd. */
  readonly replicas: number;
  /** What prepared recordings may take; a gateway with more of them waits. */
  readonly audioBytes: number;
  /** What a gateway that never came back has left is forgotten after so long. */
  readonly keepMs: number;
  /** A machine that says nothing for so long is taken for dead, and another one goes on. */
  readonly ackWaitMs: number;
}

export const POOL_LIMITS: PoolLimits = {
  replicas: 1,
  audioBytes: 10 * 1024 ** 3,
  keepMs: 7 * 86_400_000,
  ackWaitMs: 30_000,
};

/** In characters, of which one may take three bytes and more in JSON; what is longer goes in pieces. The server takes 1 MB. */
export const LARGEST_MESSAGE = 160 * 1024;
const LOG_BYTES = 4 * 1024 ** 3;
const DEAD_MESSAGES = 10_000;

/** What must be there before the first item; made, or changed to these limits. */
export async function makeStreams({ js, jsm }: Link, limits: PoolLimits): Promise<void> {
  const common = {
    storage: StorageType.File,
    num_replicas: limits.replicas,
    max_age: nanos(limits.keepMs),
    allow_direct: true,
    // Full is full: nothing old is dropped for something new.
    discard: DiscardPolicy.New,
  };
  await makeStream(jsm, {
    ...common,
    name: WORK_STREAM,
    subjects: [WORK_SUBJECTS],
    retention: RetentionPolicy.Workqueue,
    // One item is there once, however often it is asked for.
    max_msgs_per_subject: 1,
    discard_new_per_subject: true,
  });
  await makeStream(jsm, { ...common, name: LOG_STREAM, subjects: [logSubject("*")], max_bytes: LOG_BYTES });
  await makeStream(jsm, {
    ...common,
    name: DEAD_STREAM,
    subjects: [deadSubject("*")],
    max_msgs: DEAD_MESSAGES,
    discard: DiscardPolicy.Old,
  });
  const { replicas, audioBytes: max_bytes } = limits;
  const ttl = nanos(limits.keepMs);
  if (await isThere(jsm, AUDIO_STREAM)) {
    await changeStream(jsm, AUDIO_STREAM, { num_replicas: replicas, max_bytes, max_age: ttl });
  } else await new Objm(js).create(AUDIO_BUCKET, { storage: StorageType.File, replicas, max_bytes, ttl });
  if (await isThere(jsm, WORKERS_STREAM)) await changeStream(jsm, WORKERS_STREAM, { num_replicas: replicas });
  else await new Kvm(js).create(WORKERS_BUCKET, { history: 1, replicas, ttl: WORKERS_KEEP_MS });
}

/** Cards of machines that went without a word; for how long one counts as there, it says itself. */
const WORKERS_KEEP_MS = 60_000;
async function makeStream(jsm: Link["jsm"], config: Partial<StreamConfig> & { readonly name: string }): Promise<void> {
  // Not `add` alone: it counts what a stream that is there already may take a second time, and finds no room for it.
  if (await isThere(jsm, config.name)) await changeStream(jsm, config.name, config);
  else await jsm.streams.add(config);
}

async function changeStream(jsm: Link["jsm"], name: string, wanted: Partial<StreamConfig>): Promise<void> {
  const { config } = await jsm.streams.info(name);
  const isAsWanted = Object.entries(wanted).every(([key, value]) =>
    isDeepStrictEqual(config[key as keyof StreamConfig], value),
  );
  if (!isAsWanted) await jsm.streams.update(name, wanted);
}

async function isThere(jsm: Link["jsm"], name: string): Promise<boolean> {
  try {
    await jsm.streams.info(name);
    return true;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.status === 404) return false;
    throw error;
  }
}

/** Machines pull from one consumer for each class and lane; a heartbeat more often than `ackWaitMs` keeps an item theirs. */
export async function makeConsumer({ jsm }: Link, model: string, lane: WorkLane, ackWaitMs: number): Promise<void> {
  await jsm.consumers.add(WORK_STREAM, {
    durable_name: consumerName(model, lane),
    filter_subject: workSubject(model, lane, "*"),
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWaitMs),
    // Who gives up on an item is for the machines to say, by what was done for it: see item-standing.ts.
    max_deliver: -1,
    max_ack_pending: 100_000,
  });
}

/** @throws PoolNotReady when no gateway has made the streams yet */
export async function requireStreams({ jsm }: Link): Promise<void> {
  for (const name of [AUDIO_STREAM, WORKERS_STREAM]) {
    if (await isThere(jsm, name)) continue;
    throw new PoolNotReady(
      "There is no pool on this NATS server yet: start a gateway with it (earshot start --nats …). Waiting for it.",
    );
  }
}
