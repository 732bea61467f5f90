// Opens a model's graphs: the fast layout where one was made for the CPU, else the public one.

import { openFastLayout } from "./fast-layout.ts";
import type { ModelDimensions, WhisperGraph } from "./graph.ts";
import { graphFiles, type Precision } from "./model-files.ts";
import type { FastPrecision } from "./onnx/fused-pass.ts";
import { findFastLayout } from "./onnx/optimize.ts";
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
 * @throws InferenceError model_missing, model_broken, out_of_memory
 */
export async function openGraph(
  folder: string,
  dims: ModelDimensions,
  startOfTranscript: number,
  precision: Precision | undefined,
  options: SessionOptions,
): Promise<WhisperGraph> {
  const fast = options.device === "cpu" ? await findFast(folder, precision) : undefined;
  if (fast) return openFastLayout(fast, dims, options, startOfTranscript);
  const files = graphFiles(folder, precision, options.device);
  return openPublicLayout(files, dims, options, files.precision);
}

async function findFast(folder: string, precision: Precision | undefined) {
  const wanted = precision === undefined ? Object.values(FAST_PRECISIONS) : [FAST_PRECISIONS[precision]];
  for (const one of wanted) {
    const files = one === undefined ? undefined : await findFastLayout(folder, one);
    if (files) return files;
  }
  return undefined;
}
