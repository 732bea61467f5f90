// Asks NATS again until it answers: while a server restarts or a cluster elects, nothing is lost by waiting.
import { setTimeout as sleep } from "node:timers/promises";
import { JetStreamApiError } from "@nats-io/jetstream";
import {
  ClosedConnectionError,
  ConnectionError,
  DrainingConnectionError,
  RequestError,
  TimeoutError,
} from "@nats-io/transport-node";
import type { Link, PoolConnection } from "./connection.ts";
import { isWithoutJetStream } from "./trouble.ts";

const PAUSE_MS = { first: 100, longest: 2000 };
/** "The stream took no more", for whatever reason: JSStreamStoreFailedF. */
export const STORE_FAILED = 10077;
/** JSStreamWrongLastSequenceErrF: somebody else has written since. */
export const WRONG_LAST_SEQUENCE = 10071;

/** @throws what the server refuses for good; the signal's reason */
export async function untilAnswered<T>(
  connection: PoolConnection,
  signal: AbortSignal,
  work: (link: Link) => Promise<T>,
): Promise<T> {
  for (let pauseMs = PAUSE_MS.first; ; pauseMs = Math.min(PAUSE_MS.longest, 2 * pauseMs)) {
    const link = await connection.link(signal);
    try {
      return await work(link);
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Whether the same request may be answered a little later. */
export function mayPass(error: unknown): boolean {
  if (error instanceof JetStreamApiError) return error.status >= 500 && error.code !== STORE_FAILED;
  const passing = [TimeoutError, ConnectionError, ClosedConnectionError, DrainingConnectionError, RequestError];
  return passing.some((kind) => error instanceof kind) || isWithoutJetStream(error);
}

export function hasCode(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}
