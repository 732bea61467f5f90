// Opens a model's graphs: the fast layout where one was made for the CPU, else the public one.

import { openFastLayout } from "./fast-layout.ts";
import type { ModelDimensions, WhisperGraph } from "./graph.ts";
import { graphFiles, type Precision } from "./model-files.ts";
import type { FastPrecision } from "./onnx/fast-layout-writer.ts";
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
  const openPublic = async () => {
    const files = graphFiles(folder, precision, options.device);
    return openPublicLayout(files, dims, options, files.precision);
  };
  const files = options.device === "cpu" ? await findFast(folder, precision) : undefined;
  if (!files) return openPublic();
  return withAlignment(await openFastLayout(files, dims, options, startOfTranscript), openPublic);
}

async function findFast(folder: string, precision: Precision | undefined) {
  const wanted = precision === undefined ? Object.values(FAST_PRECISIONS) : [FAST_PRECISIONS[precision]];
  for (const one of wanted) {
    const files = one === undefined ? undefined : await findFastLayout(folder, one);
    if (files) return files;
  }
  return undefined;
}

/** Fused attention does not give its weights away, so word times come from the public graphs, opened when asked for. */
function withAlignment(fast: WhisperGraph, openPublic: () => Promise<WhisperGraph>): WhisperGraph {
  let opened: Promise<WhisperGraph> | undefined;
  const whole = () => {
    opened ??= openPublic();
    return opened;
  };
  return {
    ...fast,
    givesAttentions: async () => (await whole()).givesAttentions(),
    align: async (...request) => (await whole()).align(...request),
    async close() {
      await fast.close();
      await (await opened)?.close();
    },
  };
}
