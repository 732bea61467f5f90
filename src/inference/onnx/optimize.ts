// Makes the fast layout out of a model in the public layout, once, and finds it again.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { InferenceError } from "../../core/errors.ts";
import { readModelConfig } from "../model-config.ts";
import { fastModels } from "./fast-layout-writer.ts";
import type { FastPrecision } from "./fused-pass.ts";
import { writeModel } from "./model-file.ts";
import { readWeights, sourceFiles } from "./weights.ts";

/** To be raised when the graphs change, so that older ones are made anew. */
const LAYOUT_VERSION = 4;
/** Larger graphs keep their weights beside them: loading base peaks at 150 MB less in float32, 50 MB in 8 bits. */
const INLINE_BYTES = 32e6;
const SAMPLES = 64;
const SAMPLE_BYTES = 16384;

/** Paths of the fast layout's graphs. */
export interface FastLayoutFiles {
  readonly precision: FastPrecision;
  readonly encoder: string;
  readonly audioCache: string;
  readonly decoder: string;
}

/**
 * Writes onnx/earshot/<precision>-<fingerprint>/ beside the public files, or leaves it when it is there already.
 * @throws InferenceError model_missing, model_broken (graphs not understood: the public layout still runs), disk_full
 */
export async function optimizeModel(
  folder: string,
  { precision }: { readonly precision: FastPrecision },
): Promise<void> {
  const { dims, alignmentHeads } = await readModelConfig(folder);
  const alignmentLayers = [...new Set(alignmentHeads.map(([layer]) => layer))];
  const target = await layoutFolder(folder, precision);
  if (existsSync(target)) return;
  const parent = join(folder, "onnx", "earshot");
  const unfinished = join(parent, `.unfinished-${precision}-${process.pid}`);
  try {
    const parameters = readWeights(folder, dims);
    await mkdir(unfinished, { recursive: true });
    for (const [name, model] of fastModels(dims, alignmentLayers, parameters, precision)) {
      await writeModel(join(unfinished, name), model, INLINE_BYTES);
    }
    await rename(unfinished, target).catch((error: unknown) => {
      // Another process was quicker.
      if (!existsSync(target)) throw error;
    });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOSPC") {
      throw new InferenceError("disk_full", `There is no room left for ${target}. Make room, then try again.`, {
        cause: error,
      });
    }
    throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  for (const name of await readdir(parent)) {
    const isOutdated = name.startsWith(`${precision}-`) && name !== basename(target);
    if (isOutdated) await rm(join(parent, name), { recursive: true, force: true });
  }
}

/** The graphs that `optimizeModel` made from the files as they are now; undefined when there are none. */
export async function findFastLayout(folder: string, precision: FastPrecision): Promise<FastLayoutFiles | undefined> {
  if (!existsSync(join(folder, "onnx", "earshot"))) return undefined;
  const layout = await currentLayout(folder, precision);
  if (layout === undefined || !existsSync(layout)) return undefined;
  return {
    precision,
    encoder: join(layout, "encoder.onnx"),
    audioCache: join(layout, "audio_cache.onnx"),
    decoder: join(layout, "decoder.onnx"),
  };
}

/** Whether there are graphs that an older Earshot made, or that were made from other files than those there now. */
export async function hasOutdatedLayout(folder: string, precision: FastPrecision): Promise<boolean> {
  const parent = join(folder, "onnx", "earshot");
  if (!existsSync(parent)) return false;
  const made = (await readdir(parent)).filter((name) => name.startsWith(`${precision}-`));
  return made.length > 0 && !made.includes(basename((await currentLayout(folder, precision)) ?? ""));
}

/** undefined when the files that it would be made from are gone. */
function currentLayout(folder: string, precision: FastPrecision): Promise<string | undefined> {
  return layoutFolder(folder, precision).catch((error: unknown) => {
    if (error instanceof InferenceError) return undefined;
    throw error;
  });
}

async function layoutFolder(folder: string, precision: FastPrecision): Promise<string> {
  const { decoder, encoder } = sourceFiles(folder);
  const paths = [encoder, decoder].flatMap((path) => [path, `${path}_data`]).filter((path) => existsSync(path));
  return join(folder, "onnx", "earshot", `${precision}-${await fingerprint(paths)}`);
}

/** Of sizes and evenly spaced samples: models are replaced as a whole, and hashing gigabytes would delay every start. */
async function fingerprint(paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256").update(`${LAYOUT_VERSION}`);
  const sample = Buffer.alloc(SAMPLE_BYTES);
  for (const path of paths) {
    const { size } = await stat(path);
    hash.update(`${basename(path)} ${size}`);
    const file = await open(path);
    try {
      for (let i = 0; i < SAMPLES; i++) {
        const { bytesRead } = await file.read(sample, 0, SAMPLE_BYTES, Math.floor((size * i) / SAMPLES));
        hash.update(sample.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }
  return hash.digest("hex").slice(0, 12);
}
