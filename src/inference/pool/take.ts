// Takes the next item that a machine can do: short ones before long ones, and a lease on it that heartbeats keep.
import { JetStreamApiError } from "@nats-io/jetstream";
import { type Msg, millis } from "@nats-io/transport-node";
import { mayPass } from "./again.ts";
import type { Link, PoolConnection } from "./connection.ts";
import { consumerName, WORK_STREAM, type WorkLane } from "./names.ts";
import { readWorkItem, type WorkItem } from "./protocol.ts";

export interface Delivery {
  /** Undefined: it cannot be understood. */
  readonly item: WorkItem | undefined;
  readonly id: string;
  /** As this machine knows the model. */
  readonly model: string;
  readonly text: string;
  /** How often to say that it is being worked on. */
  readonly heartbeatMs: number;
  working(): void;
  /** It is over for good. */
  finish(signal: AbortSignal): Promise<void>;
  /** For another machine, or this one later. */
  giveBack(delayMs: number): void;
}

const PULL_MS = 5000;
const ACK_MS = 1000;
/** Several heartbeats may be lost before the item is given to another machine. */
const HEARTBEATS = 4;

/** @returns undefined when there is nothing to do at the moment */
export async function takeNext(
  connection: PoolConnection,
  models: readonly string[],
  lanes: readonly WorkLane[],
  signal: AbortSignal,
): Promise<Delivery | undefined> {
  for (const lane of lanes) {
    for (const model of models) {
      const link = await connection.link(signal);
      const consumer = consumerName(model, lane);
      const heartbeatMs = await heartbeatOf(link, consumer);
      if (heartbeatMs === undefined) continue;
      const message = await pull(link, consumer);
      if (message !== undefined) return delivery(connection, message, model, heartbeatMs);
    }
  }
  return undefined;
}

const known = new WeakMap<Link, Map<string, number>>();

/** Undefined: nobody has asked for this model yet, or the server is away, which the connection tells. */
async function heartbeatOf(link: Link, consumer: string): Promise<number | undefined> {
  const heartbeats = known.get(link) ?? new Map<string, number>();
  known.set(link, heartbeats);
  let ms = heartbeats.get(consumer);
  if (ms !== undefined) return ms;
  try {
    const { config } = await link.jsm.consumers.info(WORK_STREAM, consumer);
    ms = millis(config.ack_wait ?? 0) / HEARTBEATS;
    heartbeats.set(consumer, ms);
    return ms;
  } catch (error) {
    if (mayPass(error) || error instanceof JetStreamApiError) return undefined;
    throw error;
  }
}

async function pull(link: Link, consumer: string): Promise<Msg | undefined> {
  try {
    const message = await link.nc.request(
      `$JS.API.CONSUMER.MSG.NEXT.${WORK_STREAM}.${consumer}`,
      JSON.stringify({ batch: 1, no_wait: true }),
      // An item comes under its own subject, by which the shared inbox would not know whom it is for.
      { timeout: PULL_MS, noMux: true },
    );
    // A status, such as 404: nothing is there.
    return (message.headers?.code ?? 0) > 0 ? undefined : message;
  } catch (error) {
    if (!mayPass(error)) throw error;
    // A consumer that is gone does not answer.
    known.get(link)?.delete(consumer);
    return undefined;
  }
}

function delivery(connection: PoolConnection, message: Msg, model: string, heartbeatMs: number): Delivery {
  const reply = message.reply ?? "";
  const text = message.string();
  const say = (word: string) =>
    void connection.link(AbortSignal.timeout(PULL_MS)).then(
      ({ nc }) => nc.publish(reply, word),
      () => {},
    );
  return {
    item: readWorkItem(text),
    id: message.subject.split(".").at(-1) ?? "",
    model,
    text,
    heartbeatMs,
    working: () => say("+WPI"),
    async finish(signal) {
      try {
        const { nc } = await connection.link(signal);
        await nc.request(reply, "+ACK", { timeout: ACK_MS });
      } catch (error) {
        // Whoever gets it again sees from its log that it is over.
        if (!signal.aborted && !mayPass(error)) throw error;
      }
    },
    giveBack: (delayMs) => say(`-NAK {"delay": ${delayMs * 1e6}}`),
  };
}
