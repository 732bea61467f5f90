// A machine's work on one item: from the last finished window to the end, each window safe before the next begins.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { ConfigError, InferenceError, Stopping, UserError } from "../../core/errors.ts";
import type { Transcriber, TranscriberResult } from "../../core/ports.ts";
import { sendable } from "../child-protocol.ts";
import { untilAnswered } from "./again.ts";
import { fetchAudio } from "./audio-store.ts";
import type { PoolConnection } from "./connection.ts";
import { createLogWriter, hasLog, type LogWriter, Overtaken, readLog } from "./item-log.ts";
import { MOST_FRUITLESS, type Standing, standing } from "./item-standing.ts";
import { deadSubject } from "./names.ts";
import type { LogEntry, WorkItem } from "./protocol.ts";
import type { Delivery } from "./take.ts";

export interface WorkParts {
  readonly connection: PoolConnection;
  readonly transcriber: Transcriber;
  /** This machine's name. */
  readonly worker: string;
}

export type WorkOutcome =
  | { readonly kind: "done"; readonly audioSeconds: number }
  /** The recording's fault, and the user hears it. */
  | { readonly kind: "refused" }
  /** It ended one machine after the other, and was set aside. */
  | { readonly kind: "condemned"; readonly error: Error }
  /** Nobody wants it any more, or another machine has it. */
  | { readonly kind: "dropped" }
  /** For another machine; `isOurs`: this one had better leave the model alone for a while. */
  | { readonly kind: "released"; readonly error: Error; readonly isOurs: boolean };

/** Reasons of an AbortSignal. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

/** What says more about the machine than about the recording. */
const MACHINE_CODES: readonly string[] = ["model_missing", "model_broken", "no_device", "no_ffmpeg", "disk_full"];
/** It died over another recording, which is told apart. */
const SHARED = "child_shared";
const GIVE_BACK_MS = 1000;
/** What a machine that stops takes for its last words. */
const FAREWELL_MS = 2000;
const REREAD_MS = 100;
const REREADS = 3;

/** Never throws but for a bug: whatever becomes of it, the item is in order when this returns. */
export async function workOn(delivery: Delivery, parts: WorkParts, signal: AbortSignal): Promise<WorkOutcome> {
  const { worker } = parts;
  const heart = setInterval(delivery.working, delivery.heartbeatMs);
  try {
    const begun = await begin(delivery, parts, signal);
    if (begun.kind === "over") {
      await delivery.finish(signal);
      return begun.outcome;
    }
    const { item, log, stands } = begun;
    try {
      const result = await transcribed(item, delivery.model, stands, log, parts, signal);
      if (result === undefined) await log.append({ kind: "lost", worker });
      else await log.append({ kind: "done", worker, result });
      await delivery.finish(signal);
      return result === undefined ? { kind: "dropped" } : { kind: "done", audioSeconds: heardOf(result, stands) };
    } catch (error) {
      if (error instanceof Overtaken) throw error;
      signal.throwIfAborted();
      if (error instanceof UserError || error instanceof ConfigError) {
        await log.append({ kind: "failed", worker, error: sendable(error) });
        await delivery.finish(signal);
        return { kind: "refused" };
      }
      const reason = error instanceof Error ? error : new Error(String(error));
      const code = reason instanceof InferenceError ? reason.code : "bug";
      const isOurs = MACHINE_CODES.includes(code);
      await log.append({ kind: "released", worker, why: reason.message, isUnharmed: isOurs || code === SHARED });
      delivery.giveBack(GIVE_BACK_MS);
      return { kind: "released", error: reason, isOurs: isOurs || code === "out_of_memory" };
    }
  } catch (error) {
    if (error instanceof Overtaken) return { kind: "dropped" };
    if (!signal.aborted) throw error;
    if (signal.reason instanceof Stopping) await farewell(delivery, parts);
    return { kind: "dropped" };
  } finally {
    clearInterval(heart);
  }
}

type Begun =
  | { readonly kind: "begun"; readonly item: WorkItem; readonly log: LogWriter; readonly stands: Standing }
  | { readonly kind: "over"; readonly outcome: WorkOutcome };

/** @throws Overtaken when another machine has it */
async function begin(delivery: Delivery, parts: WorkParts, signal: AbortSignal): Promise<Begun> {
  const { connection, worker } = parts;
  const { id, item } = delivery;
  for (let tries = 1; ; tries++) {
    const { entries, last } = await readLog(connection, id, 0, signal);
    const stands = standing(entries);
    if (stands.isOver) return { kind: "over", outcome: { kind: "dropped" } };
    if (!stands.isAsked && !(await hasLog(connection, id, signal)))
      return { kind: "over", outcome: { kind: "dropped" } };
    const log = createLogWriter(connection, id, last, signal);
    try {
      if (stands.isAsked) {
        const error = item === undefined ? otherVersion(worker) : verdict(id, stands);
        if (error === undefined && item !== undefined) {
          await log.append({ kind: "began", worker });
          return { kind: "begun", item, log, stands };
        }
        if (error !== undefined) {
          await setAside(delivery, connection, signal);
          await log.append({ kind: "failed", worker, error: sendable(error) });
          return { kind: "over", outcome: { kind: "condemned", error } };
        }
      }
    } catch (error) {
      if (!(error instanceof Overtaken) || tries >= REREADS) throw error;
    }
    if (tries >= REREADS) throw new Overtaken(id);
    // A server of the cluster was behind.
    await sleep(REREAD_MS);
  }
}

function otherVersion(worker: string): InferenceError {
  return new InferenceError(
    "poisoned",
    `The machine ${worker} cannot read what the gateway asks: bring both to the same version of Earshot.`,
  );
}

function verdict(id: string, { fruitless, lastReason }: Standing): InferenceError | undefined {
  if (fruitless.length < MOST_FRUITLESS) return undefined;
  const machines = [...new Set(fruitless)].join(", ");
  const why = lastReason === undefined ? "without a word" : `the last one for this reason: ${lastReason}`;
  return new InferenceError(
    "poisoned",
    `The recording ended ${fruitless.length} transcriptions one after the other (on ${machines}; ${why}). ` +
      `Its item lies in the stream EARSHOT_DEAD under ${id}.`,
  );
}

async function setAside({ id, text }: Delivery, connection: PoolConnection, signal: AbortSignal): Promise<void> {
  await untilAnswered(connection, signal, ({ js }) => js.publish(deadSubject(id), text));
}

type Progress = Omit<Extract<LogEntry, { readonly kind: "heard" }>, "kind">;

/** @returns undefined when the sound is not in the store */
async function transcribed(
  item: WorkItem,
  model: string,
  { checkpoint, segments }: Standing,
  log: LogWriter,
  { connection, transcriber }: WorkParts,
  signal: AbortSignal,
): Promise<TranscriberResult | undefined> {
  // The item's name, by which the transcriber knows a recording that it has tried before.
  const folder = await mkdtemp(join(tmpdir(), "earshot-pool-"));
  const path = join(folder, `${item.id}.flac`);
  const broken = new AbortController();
  const either = AbortSignal.any([signal, broken.signal]);
  let heard: Progress = { seconds: 0, duration: 0 };
  let isFirst = true;
  const told = [...segments];
  try {
    if (!(await fetchAudio(connection, item.id, path, either))) return undefined;
    const result = await transcriber.transcribe(
      path,
      { ...item.options, model, ...(checkpoint === undefined ? {} : { resume: { checkpoint, segments } }) },
      {
        progress(seconds, duration, work) {
          heard = { seconds, duration, ...(work === undefined ? {} : { work }) };
          if (!isFirst) return;
          isFirst = false;
          log.append({ kind: "heard", ...heard }).catch((error: unknown) => broken.abort(error));
        },
        async window(finished, next) {
          told.push(...finished);
          await log.append({ kind: "window", segments: finished, checkpoint: next, ...heard });
        },
      },
      either,
    );
    // The gateway has them from the windows already, unless they were put into another order at the end.
    return isDeepStrictEqual(told, result.segments) ? { ...result, segments: [] } : result;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.code, error.message.replaceAll(path, "The recording"), { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Given back at once, so that another machine goes on; without this it would take until the heartbeats are missed. */
async function farewell(delivery: Delivery, { connection, worker }: WorkParts): Promise<void> {
  const signal = AbortSignal.timeout(FAREWELL_MS);
  try {
    const { last } = await readLog(connection, delivery.id, 0, signal);
    const log = createLogWriter(connection, delivery.id, last, signal);
    await log.append({ kind: "released", worker, why: "it stops", isUnharmed: true });
    delivery.giveBack(0);
    await untilAnswered(connection, signal, ({ nc }) => nc.flush());
  } catch {
    // The heartbeats end, which says the same a little later.
  }
}

function heardOf(result: TranscriberResult, { segments }: Standing): number {
  return result.duration - (segments.at(-1)?.end ?? 0);
}
