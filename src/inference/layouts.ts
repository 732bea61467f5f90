// Opens a model's graphs: the fast layout where one was made for the CPU, else the public one.

import { basename } from "node:path";
import { openFastLayout } from "./fast-layout.ts";
import type { ModelDimensions, WhisperGraph } from "./graph.ts";
import { graphFiles, type Precision } from "./model-files.ts";
import type { FastPrecision } from "./onnx/fused-pass.ts";
import { type FastLayoutFiles, findFastLayout, hasOutdatedLayout, optimizeModel } from "./onnx/optimize.ts";
import { openPublicLayout } from "./public-layout.ts";
import type { SessionOptions } from "./session.ts";

/** What `earshot models optimize` can make, by the names of the public files' precisions. */
export const FAST_PRECISIONS: Partial<Record<Precision, FastPrecision>> = {
  int8: "int8",
  q8: "int8",
  q4: "int4",
  fp32: "float32",
};

/**
 * @param precision only this one; by default the best for the device, and the fast layout before the public one
 * @param notice told what takes time here for once, and what could not be used
 * @throws InferenceError model_missing, model_broken, out_of_memory
 */
export async function openGraph(
  folder: string,
  dims: ModelDimensions,
  startOfTranscript: number,
  precision: Precision | undefined,
  options: SessionOptions,
  notice: (sentence: string) => void,
): Promise<WhisperGraph> {
  const fast = options.device === "cpu" ? await findFast(folder, precision, notice) : undefined;
  if (fast) return openFastLayout(fast, dims, options, startOfTranscript);
  const files = graphFiles(folder, precision, options.device);
  return openPublicLayout(files, dims, options, files.precision);
}

async function findFast(folder: string, precision: Precision | undefined, notice: (sentence: string) => void) {
  const wanted = precision === undefined ? Object.values(FAST_PRECISIONS) : [FAST_PRECISIONS[precision]];
  for (const one of new Set(wanted)) {
    if (one === undefined) continue;
    const files = (await findFastLayout(folder, one)) ?? (await makeAnew(folder, one, notice));
    if (files) return files;
  }
  return undefined;
}

/** Somebody asked for the fast graphs once, so they are made again when they no longer fit. */
async function makeAnew(
  folder: string,
  precision: FastPrecision,
  notice: (sentence: string) => void,
): Promise<FastLayoutFiles | undefined> {
  if (!(await hasOutdatedLayout(folder, precision))) return undefined;
  const name = basename(folder);
  notice(`The fast graphs of ${name} are of an older Earshot or of other files: they are made anew, once.`);
  try {
    await optimizeModel(folder, { precision });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    notice(`The fast graphs of ${name} could not be made anew, so its public ones run. ${reason}`);
    return undefined;
  }
  return findFastLayout(folder, precision);
}
