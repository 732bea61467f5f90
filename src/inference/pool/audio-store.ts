// Prepared recordings on their way: put by the gateway while there is room, fetched by a machine, removed at the end.
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type ObjectStore, Objm } from "@nats-io/obj";
import { InferenceError } from "../../core/errors.ts";
import { hasCode, STORE_FAILED, untilAnswered } from "./again.ts";
import type { Link, PoolConnection } from "./connection.ts";
import { AUDIO_BUCKET, AUDIO_STREAM } from "./names.ts";

/** What the store needs beside the bytes themselves, for each chunk. */
const OVERHEAD = 1.01;
const ROOM_EVERY_MS = 1000;
const CHUNK_BYTES = 128 * 1024;

export interface AudioStore {
  /**
   * Puts the recording there unless it is.
   * @param bytes at most; it waits until there is room for so many
   * @param prepare what is put; called once, or again after the store was full all the same
   * @throws what `prepare` throws; the signal's reason; InferenceError disk_full when it can never fit
   */
  put(
    id: string,
    bytes: number,
    prepare: () => AsyncGenerator<Uint8Array>,
    waiting: () => void,
    signal: AbortSignal,
  ): Promise<void>;
  remove(id: string, signal: AbortSignal): Promise<void>;
}

export function createAudioStore(connection: PoolConnection): AudioStore {
  /** What is being put, or is about to be, and does not show in the stream's size yet. */
  let reserved = 0;

  async function reserve(bytes: number, waiting: () => void, signal: AbortSignal): Promise<() => void> {
    for (;;) {
      const { config, state } = await untilAnswered(connection, signal, ({ jsm }) => jsm.streams.info(AUDIO_STREAM));
      if (bytes > config.max_bytes) {
        const megabytes = (value: number) => `${Math.ceil(value / 1024 ** 2)} MB`;
        throw new InferenceError(
          "disk_full",
          `A recording of up to ${megabytes(bytes)} does not fit into the pool's store of ${megabytes(config.max_bytes)}: ` +
            "raise EARSHOT_NATS_MEGABYTES.",
        );
      }
      if (state.bytes + reserved + bytes <= config.max_bytes) break;
      waiting();
      await sleep(ROOM_EVERY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
    reserved += bytes;
    let isHeld = true;
    return () => {
      if (isHeld) reserved -= bytes;
      isHeld = false;
    };
  }

  return {
    async put(id, bytes, prepare, waiting, signal) {
      const isThere = await untilAnswered(connection, signal, async (link) => (await store(link)).info(id));
      if (isThere !== null && !isThere.deleted) return;
      for (;;) {
        const release = await reserve(Math.ceil(bytes * OVERHEAD), waiting, signal);
        try {
          await untilAnswered(connection, signal, async (link) => {
            const source = prepare();
            try {
              await (await store(link)).put({ name: id, options: { max_chunk_size: CHUNK_BYTES } }, readable(source));
            } finally {
              await source.return(undefined);
            }
          });
          return;
        } catch (error) {
          if (!hasCode(error, STORE_FAILED)) throw error;
          // Another gateway was faster.
          waiting();
        } finally {
          release();
        }
        await sleep(ROOM_EVERY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    },

    async remove(id, signal) {
      await untilAnswered(connection, signal, async (link) => {
        const found = await (await store(link)).info(id);
        if (found === null) return;
        // The store's own `delete` leaves a marker for each.
        await link.jsm.streams.purge(AUDIO_STREAM, { filter: chunksOf(found.nuid) });
        await link.jsm.streams.purge(AUDIO_STREAM, { filter: metaOf(id) });
      });
    },
  };
}

/** Streams a prepared recording to a new file, chunk by chunk. @returns false: it is not there, or not whole */
export async function fetchAudio(
  connection: PoolConnection,
  id: string,
  toPath: string,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await untilAnswered(connection, signal, async (link) => (await store(link)).info(id));
  if (found === null || found.deleted) return false;
  const subject = chunksOf(found.nuid);
  const digest = createHash("sha256");
  const file = await open(toPath, "wx", 0o600);
  try {
    let read = 0;
    for (let chunk = 0; chunk < found.chunks; chunk++) {
      const message = await untilAnswered(connection, signal, ({ jsm }) =>
        jsm.direct.getMessage(AUDIO_STREAM, { seq: read + 1, next_by_subj: subject }),
      );
      if (message === null) return false;
      read = message.seq;
      digest.update(message.data);
      await file.appendFile(message.data);
    }
  } finally {
    await file.close();
  }
  return found.digest.replaceAll("=", "") === `SHA-256${digest.digest("base64url")}`;
}

const stores = new WeakMap<Link, Promise<ObjectStore>>();

function store(link: Link): Promise<ObjectStore> {
  let opened = stores.get(link);
  if (opened === undefined) {
    opened = new Objm(link.js).open(AUDIO_BUCKET);
    stores.set(link, opened);
    opened.catch(() => stores.delete(link));
  }
  return opened;
}

const chunksOf = (nuid: string) => `$O.${AUDIO_BUCKET}.C.${nuid}`;
const metaOf = (id: string) => `$O.${AUDIO_BUCKET}.M.${Buffer.from(id).toString("base64url")}`;

function readable(source: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await source.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.error(error);
      }
    },
  });
}
