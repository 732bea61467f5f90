// An item's log: what was done for it, in order, and only by the one who knows all of it.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { hasCode, STORE_FAILED, untilAnswered, WRONG_LAST_SEQUENCE } from "./again.ts";
import type { PoolConnection } from "./connection.ts";
import { LOG_STREAM, logSubject, saidSubject } from "./names.ts";
import { type LogEntry, readLogEntry, writeMessage } from "./protocol.ts";
import { LARGEST_MESSAGE } from "./streams.ts";

/** Somebody else has written to the log: whoever wanted to go on from its old end has lost the item. */
export class Overtaken extends Error {
  override readonly name = "Overtaken";
}

export interface LogPart {
  readonly entries: readonly LogEntry[];
  /** The stream's sequence of the last message; 0: there is none. */
  readonly last: number;
}

/** An entry too long for one message comes in pieces before its last one. */
const piece = z.object({ kind: z.enum(["piece", "last"]), text: z.string() });

/** What stands in the log after a sequence. Several servers may lag behind each other: nothing new is no proof. */
export async function readLog(
  connection: PoolConnection,
  id: string,
  after: number,
  signal: AbortSignal,
): Promise<LogPart> {
  const entries: LogEntry[] = [];
  const pieces: string[] = [];
  let read = after;
  // What was read up to here ends with a whole entry.
  let last = after;
  for (;;) {
    const message = await untilAnswered(connection, signal, ({ jsm }) =>
      jsm.direct.getMessage(LOG_STREAM, { seq: read + 1, next_by_subj: logSubject(id) }),
    );
    if (message === null) return { entries, last };
    read = message.seq;
    const text = message.string();
    const part = piece.safeParse(parsed(text)).data;
    if (part !== undefined) pieces.push(part.text);
    if (part?.kind === "piece") continue;
    // Pieces of one who died in between are followed by another's entry.
    const entry = readLogEntry(part === undefined ? text : pieces.join(""));
    pieces.length = 0;
    last = read;
    if (entry !== undefined) entries.push(entry);
  }
}

/** By the one server of a cluster that cannot be behind. */
export async function hasLog(connection: PoolConnection, id: string, signal: AbortSignal): Promise<boolean> {
  const last = await untilAnswered(connection, signal, ({ jsm }) =>
    jsm.streams.getMessage(LOG_STREAM, { last_by_subj: logSubject(id) }),
  );
  return last !== null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface LogWriter {
  /** Resolves when the entry is kept; one after the other. @throws Overtaken; the signal's reason */
  append(entry: LogEntry): Promise<void>;
}

/** @param last the sequence that the writer has read up to */
export function createLogWriter(connection: PoolConnection, id: string, last: number, signal: AbortSignal): LogWriter {
  // Tells this writer's messages from all others, also from those to an earlier log of the same item: one that is sent
  // twice is kept once.
  const writer = randomUUID();
  let end = last;
  let tail: Promise<void> = Promise.resolve();

  async function put(text: string): Promise<void> {
    const options = { expect: { lastSubjectSequence: end }, msgID: `${writer}:${id}:${end}` };
    for (;;) {
      try {
        const { seq } = await untilAnswered(connection, signal, ({ js }) => js.publish(logSubject(id), text, options));
        end = seq;
        return;
      } catch (error) {
        if (hasCode(error, WRONG_LAST_SEQUENCE)) throw new Overtaken(id, { cause: error });
        // The stream is full, until results are fetched.
        if (!hasCode(error, STORE_FAILED)) throw error;
        await sleep(FULL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    }
  }

  return {
    append(entry) {
      const appended = tail.then(async () => {
        const text = writeMessage(entry);
        if (text.length <= LARGEST_MESSAGE) await put(text);
        else {
          for (let at = 0; at < text.length; at += LARGEST_MESSAGE) {
            const kind = at + LARGEST_MESSAGE < text.length ? "piece" : "last";
            await put(JSON.stringify({ kind, text: text.slice(at, at + LARGEST_MESSAGE) }));
          }
        }
        // Whoever misses it looks again in a while.
        (await connection.link(signal)).nc.publish(saidSubject(id));
      });
      tail = appended.catch(() => {});
      return appended;
    },
  };
}

const FULL_MS = 1000;

/** Nothing is known of the item any more, and whoever still writes to its log is overtaken. */
export async function forgetLog(connection: PoolConnection, id: string, signal: AbortSignal): Promise<void> {
  await untilAnswered(connection, signal, ({ jsm }) => jsm.streams.purge(LOG_STREAM, { filter: logSubject(id) }));
}
