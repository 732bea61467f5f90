// What the pool's streams, subjects and buckets in NATS are called.
import { basename } from "node:path";
import type { Lane } from "../../core/ports.ts";

/** Items that wait for a machine or are worked on; gone once they are acknowledged. */
export const WORK_STREAM = "EARSHOT_WORK";
/** What was done for each item, window by window. */
export const LOG_STREAM = "EARSHOT_LOG";
/** Items that ended one machine after the other, for the operator to look at. */
export const DEAD_STREAM = "EARSHOT_DEAD";
/** Prepared recordings. */
export const AUDIO_BUCKET = "earshot-audio";
export const AUDIO_STREAM = `OBJ_${AUDIO_BUCKET}`;
/** Which machines are there. */
export const WORKERS_BUCKET = "earshot-workers";
export const WORKERS_STREAM = `KV_${WORKERS_BUCKET}`;

/** Of the machines; "any" takes what "short" leaves. */
export type WorkLane = "short" | "long";

export const LANES_TAKEN: Readonly<Record<Lane, readonly WorkLane[]>> = { short: ["short"], any: ["short", "long"] };

/**
 * Machines take work by the class of its model, which is the model's name spelled for a subject: "large-v3-turbo",
 * "base_en". Of a folder it is the folder's own name, so that it may lie elsewhere on each machine.
 */
export function modelClass(model: string): string {
  return basename(model).replace(/[^A-Za-z0-9_-]/g, "_");
}

export const consumerName = (model: string, lane: WorkLane) => `${modelClass(model)}-${lane}`;
export const workSubject = (model: string, lane: WorkLane, id: string) =>
  `earshot.work.${modelClass(model)}.${lane}.${id}`;
export const WORK_SUBJECTS = "earshot.work.*.*.*";
export const logSubject = (id: string) => `earshot.log.${id}`;
export const deadSubject = (id: string) => `earshot.dead.${id}`;

// Said, not kept: whoever misses one of these finds out a little later by looking.

/** There is work for a class. */
export const bellSubject = (model: string) => `earshot.bell.${modelClass(model)}`;
/** Something was added to an item's log. */
export const saidSubject = (id: string) => `earshot.said.${id}`;
/** Nobody wants the item any more. */
export const cancelSubject = (id: string) => `earshot.cancel.${id}`;

/** Answers to a role's own requests; the sample configuration lets no role hear another's. */
export const inboxPrefix = (role: "gateway" | "worker") => `_INBOX_${role}`;
