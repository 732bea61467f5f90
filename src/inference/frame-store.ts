// Where the frames of a long recording wait: in memory at first, in a temporary file once there are many.

import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceError } from "../core/errors.ts";

export interface FrameStore {
  /** Frames held so far. */
  readonly length: number;
  /** @param frames float32 [nFrames, width]; copied. Throws InferenceError disk_full. */
  append(frames: Float32Array): Promise<void>;
  /** float32 [count, width]; the frames must have been appended before. */
  read(first: number, count: number): Promise<Float32Array>;
  /** Gives the disk space back. */
  close(): Promise<void>;
}

/** @param spillAfterFrames how many frames may be held in memory before all of them move to a file in the temp folder */
export function frameStore(width: number, spillAfterFrames: number): FrameStore {
  const blocks: { readonly first: number; readonly frames: Float32Array }[] = [];
  let length = 0;
  let file: FileHandle | undefined;

  async function write(first: number, frames: Float32Array): Promise<void> {
    const bytes = new Uint8Array(frames.buffer, frames.byteOffset, frames.byteLength);
    const position = first * width * Float32Array.BYTES_PER_ELEMENT;
    try {
      file ??= await openUnlinked();
      for (let done = 0; done < bytes.length; ) {
        done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
      }
    } catch (error) {
      throw isDiskFull(error) ? diskFull(error) : error;
    }
  }

  return {
    get length() {
      return length;
    },
    async append(frames) {
      const first = length;
      if (file === undefined && first + frames.length / width <= spillAfterFrames) {
        blocks.push({ first, frames: frames.slice() });
      } else {
        for (const block of blocks.splice(0)) await write(block.first, block.frames);
        await write(first, frames);
      }
      length += frames.length / width;
    },
    async read(first, count) {
      const frames = new Float32Array(count * width);
      if (file !== undefined) {
        const bytes = new Uint8Array(frames.buffer);
        const position = first * width * Float32Array.BYTES_PER_ELEMENT;
        for (let done = 0; done < bytes.length; ) {
          const { bytesRead } = await file.read(bytes, done, bytes.length - done, position + done);
          if (bytesRead === 0) throw new RangeError(`Frames ${first} to ${first + count} of ${length} were asked for`);
          done += bytesRead;
        }
        return frames;
      }
      for (const block of blocks) {
        const from = Math.max(0, first - block.first) * width;
        const to = Math.min(block.frames.length, (first + count - block.first) * width);
        if (from < to) frames.set(block.frames.subarray(from, to), block.first * width + from - first * width);
      }
      return frames;
    },
    async close() {
      blocks.length = 0;
      await file?.close();
      file = undefined;
    },
  };
}

/** A file without a name: nobody else can open it, and the space is free again even when this process is killed. */
async function openUnlinked(): Promise<FileHandle> {
  const path = join(tmpdir(), `earshot-mel-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  await unlink(path);
  return file;
}

/** EFBIG and EDQUOT are the same to the one who reads the message: the limit set for files, or for the account. */
export const isDiskFull = (error: unknown): boolean =>
  error instanceof Error && "code" in error && ["ENOSPC", "EDQUOT", "EFBIG"].includes(String(error.code));

export const diskFull = (cause: unknown): InferenceError =>
  new InferenceError(
    "disk_full",
    `There is no room left in the temp folder ${tmpdir()}: free some space there, or point TMPDIR at a larger disk.`,
    { cause },
  );
