// What a gateway does with one item in the pool: asks for it, follows its log, and clears it away.
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { TranscriberOptions } from "../../core/ports.ts";
import { hasCode, STORE_FAILED, untilAnswered } from "./again.ts";
import type { PoolConnection } from "./connection.ts";
import { createLogWriter, forgetLog, hasLog, type LogPart, Overtaken, readLog } from "./item-log.ts";
import { standing } from "./item-standing.ts";
import { bellSubject, cancelSubject, saidSubject, WORK_STREAM, type WorkLane, workSubject } from "./names.ts";
import { type LogEntry, type WorkItem, writeMessage } from "./protocol.ts";
import { makeConsumer } from "./streams.ts";

export interface ItemCalls {
  /** Makes sure that the item is in the pool, and gives what its log holds beyond what the caller knows. */
  ask(
    resume: TranscriberOptions["resume"],
    putAudio: () => Promise<void>,
  ): Promise<LogPart & { readonly isBegun: boolean }>;
  /** Offers the item to the machines unless it is there already. */
  offer(): Promise<void>;
  /** What was added to the log since; waits for it, but no longer than so long. */
  more(after: number, waitMs: number): Promise<LogPart>;
  /** Whether the log is still there: another gateway, or time, may have cleared it away. */
  isKnown(): Promise<boolean>;
  /** Nobody wants it any more: machines stop, and it is offered to no other. */
  withdraw(signal: AbortSignal): Promise<void>;
  /** Nothing is left of it. */
  forget(signal: AbortSignal): Promise<void>;
}

export function createItemCalls(
  connection: PoolConnection,
  item: WorkItem,
  ackWaitMs: number,
  signal: AbortSignal,
): ItemCalls {
  const { id, lane } = item;
  const { model } = item.options;
  const subject = workSubject(model, lane, id);

  async function start(resume: TranscriberOptions["resume"]): Promise<void> {
    const log = createLogWriter(connection, id, 0, signal);
    await log.append({ kind: "asked" });
    if (resume !== undefined) await log.append({ kind: "resumed", ...resume });
  }

  return {
    async ask(resume, putAudio) {
      for (;;) {
        const part = await readLog(connection, id, 0, signal);
        const news = part.last === 0 ? undefined : entriesAfter(part.entries, resume?.checkpoint);
        const isBegun = standing(part.entries).fruitless.length > 0;
        if (news?.some(({ kind }) => kind === "done" || kind === "failed")) return { ...part, entries: news, isBegun };
        // Also for a log that is there: the recording may have been cleared away, or never have arrived.
        await putAudio();
        if (news !== undefined) {
          await this.offer();
          return { ...part, entries: news, isBegun };
        }
        // What it tells is not what was kept here: it begins anew.
        if (part.last > 0) await forgetLog(connection, id, signal);
        try {
          await start(resume);
        } catch (error) {
          if (error instanceof Overtaken) continue;
          throw error;
        }
      }
    },

    async offer() {
      await untilAnswered(connection, signal, async (link) => {
        await requireConsumer(link, model, lane, ackWaitMs);
        for (let tries = 1; ; tries++) {
          try {
            await link.js.publish(subject, writeMessage(item), { msgID: `${id}:${lane}:${Date.now()}` });
            break;
          } catch (error) {
            if (!hasCode(error, STORE_FAILED)) throw error;
            if ((await link.jsm.direct.getMessage(WORK_STREAM, { last_by_subj: subject })) !== null) break;
            // It was there when the server refused a second one, and a machine has finished it since. Offered once more
            // it does no harm: whoever takes it reads in its log that it is over.
            if (tries === OFFERS) throw error;
          }
        }
        link.nc.publish(bellSubject(model));
      });
    },

    async more(after, waitMs) {
      const link = await connection.link(signal);
      let ring = () => {};
      const rung = new Promise<void>((resolve) => {
        ring = resolve;
      });
      const subscription = link.nc.subscribe(saidSubject(id), { callback: ring });
      const timer = setTimeout(ring, waitMs);
      signal.addEventListener("abort", ring, { once: true });
      try {
        const part = await readLog(connection, id, after, signal);
        if (part.entries.length > 0) return part;
        await rung;
        signal.throwIfAborted();
        const next = await readLog(connection, id, part.last, signal);
        if (next.entries.length > 0) return next;
        // Another server of the cluster may be a little behind the one that rang.
        await sleep(LAG_MS);
        return await readLog(connection, id, next.last, signal);
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", ring);
        subscription.unsubscribe();
      }
    },

    isKnown: () => hasLog(connection, id, signal),

    withdraw: (until) =>
      untilAnswered(connection, until, async ({ nc, jsm }) => {
        nc.publish(cancelSubject(id));
        await jsm.streams.purge(WORK_STREAM, { filter: subject });
      }),

    forget: (until) => forgetLog(connection, id, until),
  };
}

const LAG_MS = 50;
/** A store that is full refuses each of them. */
const OFFERS = 3;

/** Undefined: the checkpoint is not in the log. */
function entriesAfter(entries: readonly LogEntry[], checkpoint: unknown): readonly LogEntry[] | undefined {
  if (checkpoint === undefined) return entries.some(({ kind }) => kind === "resumed") ? undefined : entries;
  const at = entries.findLastIndex(
    (entry) => (entry.kind === "window" || entry.kind === "resumed") && isDeepStrictEqual(entry.checkpoint, checkpoint),
  );
  return at < 0 ? undefined : entries.slice(at + 1);
}

const made = new WeakMap<object, Map<string, Promise<void>>>();

async function requireConsumer(
  link: Parameters<typeof makeConsumer>[0],
  model: string,
  lane: WorkLane,
  ackWaitMs: number,
): Promise<void> {
  const known = made.get(link) ?? new Map<string, Promise<void>>();
  made.set(link, known);
  const name = `${model} ${lane}`;
  let making = known.get(name);
  if (making === undefined) {
    making = makeConsumer(link, model, lane, ackWaitMs);
    known.set(name, making);
    making.catch(() => known.delete(name));
  }
  return making;
}
