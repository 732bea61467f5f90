// ONNX models on disk: one file, or a graph with its weights in a second file beside it.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { InferenceError } from "../../core/errors.ts";
import { decodeModel, encodeModel, isExternal, type OnnxModel, type OnnxTensor } from "./model-proto.ts";
import type { ByteSource } from "./protobuf.ts";

/** A protobuf message ends at 2 GB; with less than this the model stays one file. */
const INLINE_BYTES = 1.5e9;
/** Weights smaller than this stay in the graph, where onnxruntime can fold them. */
const EXTERNAL_BYTES = 1024;
/** onnxruntime maps external weights into memory where they begin on a page. */
const PAGE_BYTES = 4096;
const WRITE_BYTES = 1 << 20;

/**
 * Writes `path`, and `path_data` beside it when the weights are too large for one file.
 * @param inlineBytes how much that is; what lies in a file of its own is mapped into memory instead of read and copied
 * @returns the names of the files written
 */
export async function writeModel(path: string, model: OnnxModel, inlineBytes = INLINE_BYTES): Promise<string[]> {
  const total = model.graph.initializers.reduce((bytes, tensor) => bytes + tensor.content.byteLength, 0);
  if (total < inlineBytes) {
    await writePieces(path, encodeModel(model).pieces);
    return [basename(path)];
  }
  const location = `${basename(path)}_data`;
  const pieces: (Uint8Array | ByteSource)[] = [];
  let offset = 0;
  const initializers = model.graph.initializers.map((tensor): OnnxTensor => {
    const { content } = tensor;
    if (isExternal(content) || content.byteLength < EXTERNAL_BYTES) return tensor;
    const start = Math.ceil(offset / PAGE_BYTES) * PAGE_BYTES;
    pieces.push(new Uint8Array(start - offset), content);
    offset = start + content.byteLength;
    return { ...tensor, content: { location, offset: start, byteLength: content.byteLength } };
  });
  await writePieces(join(dirname(path), location), pieces);
  await writePieces(path, encodeModel({ ...model, graph: { ...model.graph, initializers } }).pieces);
  return [basename(path), location];
}

async function writePieces(path: string, pieces: readonly (Uint8Array | ByteSource)[]): Promise<void> {
  const file = await open(path, "w");
  try {
    let small: Uint8Array[] = [];
    let smallBytes = 0;
    const flush = async () => {
      await writeAll(file, Buffer.concat(small));
      small = [];
      smallBytes = 0;
    };
    for (const piece of pieces) {
      const bytes = piece instanceof Uint8Array ? piece : piece.read();
      small.push(bytes);
      smallBytes += bytes.byteLength;
      if (smallBytes >= WRITE_BYTES) await flush();
    }
    await flush();
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) done += (await file.write(bytes, done)).bytesWritten;
}

/**
 * Reads a model; weights that lie in files of their own are read when they are asked for.
 * @throws InferenceError model_missing, model_broken
 */
export function readModel(path: string): OnnxModel {
  const bytes = readPart(path, 0);
  let model: OnnxModel;
  try {
    model = decodeModel(bytes);
  } catch (cause) {
    throw broken(path, "is not an ONNX model", cause);
  }
  const folder = dirname(path);
  const initializers = model.graph.initializers.map((tensor): OnnxTensor => {
    const { content } = tensor;
    if (!isExternal(content)) return tensor;
    const { location, offset, byteLength } = content;
    // Weights lie beside their graph; a model does not choose which of this machine's files is read.
    if (location === "" || location !== basename(location) || location.includes("\\") || location === "..") {
      throw broken(path, `keeps its weights at "${location}"`);
    }
    return { ...tensor, content: { byteLength, read: () => readPart(join(folder, location), offset, byteLength) } };
  });
  return { ...model, graph: { ...model.graph, initializers } };
}

function broken(path: string, what: string, cause?: unknown): InferenceError {
  return new InferenceError("model_broken", `${path} ${what}. Fetch it again: earshot models pull`, { cause });
}

// In pieces, because Node's readFile stops at 2 GB.
function readPart(path: string, offset: number, byteLength?: number): Uint8Array {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (cause) {
    throw new InferenceError("model_missing", `${path} cannot be read. Fetch it with: earshot models pull`, { cause });
  }
  try {
    const { size } = fstatSync(file);
    const length = byteLength ?? size - offset;
    if (![offset, length].every((number) => Number.isSafeInteger(number) && number >= 0) || offset + length > size) {
      throw broken(path, "is cut off");
    }
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const count = readSync(file, bytes, done, Math.min(length - done, 1 << 30), offset + done);
      if (count === 0) throw broken(path, "is cut off");
      done += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}
