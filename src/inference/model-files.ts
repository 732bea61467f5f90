// The files in a model's folder: which graphs run on a device, and the manifest that says what they must hold.
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { InferenceError } from "../core/errors.ts";
import type { PublicLayoutFiles } from "./public-layout.ts";
import type { Device } from "./session.ts";

/** Precisions of the public ONNX files, with the suffix that each has there. The names are those of transformers.js. */
export const precisionSuffix = {
  fp32: "",
  fp16: "_fp16",
  int8: "_int8",
  uint8: "_uint8",
  q8: "_quantized",
  q4: "_q4",
  q4f16: "_q4f16",
  bnb4: "_bnb4",
} as const;

export type Precision = keyof typeof precisionSuffix;

// On a CPU int8 weights are the fastest of the public files, 1.5 times fp32 in the encoder and 2.2 times in the decoder
// (measured with AVX512-VNNI). On a GPU fp16 halves the memory traffic that decoding is bound by.
const cpuOrder: readonly Precision[] = ["q8", "int8", "uint8", "fp32", "q4", "fp16", "bnb4", "q4f16"];
const gpuOrder: readonly Precision[] = ["fp16", "fp32", "q4f16", "q4", "q8", "int8", "uint8", "bnb4"];

/** The graphs to load, by path. */
export interface GraphFiles extends PublicLayoutFiles {
  /** "fp16", or "q8 encoder, fp32 decoder" where no precision has both. */
  readonly precision: string;
}

/**
 * Chooses among the files that exist, be it on disk or in a repository.
 * @param files names as in the repository: "onnx/encoder_model_fp16.onnx"
 * @param precision only this one; by default the best for the device
 * @returns the names of the chosen graphs, or the name of the file that is missing
 */
export function chooseGraphs(
  files: ReadonlySet<string>,
  precision: Precision | undefined,
  device: Device,
): GraphFiles | { readonly missing: string } {
  const order = precision ? [precision] : device === "cpu" ? cpuOrder : gpuOrder;
  const named = (part: string, of: Precision) => `onnx/${part}${precisionSuffix[of]}.onnx`;

  const encoderPrecision = order.find((one) => files.has(named("encoder_model", one)));
  if (!encoderPrecision) return { missing: named("encoder_model", precision ?? "fp32") };
  const encoder = named("encoder_model", encoderPrecision);

  for (const one of order) {
    const both = one === encoderPrecision ? one : `${encoderPrecision} encoder, ${one} decoder`;
    const merged = named("decoder_model_merged", one);
    if (files.has(merged)) return { encoder, decoder: merged, precision: both };
    const decoder = named("decoder_model", one);
    const withPast = named("decoder_with_past_model", one);
    if (files.has(decoder) && files.has(withPast)) return { encoder, decoder, withPast, precision: both };
  }
  return { missing: named("decoder_model_merged", precision ?? "fp32") };
}

/** The paths of the chosen graphs. */
export function graphPaths(graphs: GraphFiles): string[] {
  const { encoder, decoder, withPast } = graphs;
  return withPast === undefined ? [encoder, decoder] : [encoder, decoder, withPast];
}

/** Written last by a download: a folder that has one is whole. */
export const manifestFile = "earshot.json";

const manifestSchema = z.object({
  name: z.string(),
  repo: z.string(),
  files: z.array(z.object({ path: z.string(), bytes: z.int().nonnegative(), sha256: z.string().length(64) })),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** The manifest of a downloaded model; undefined when there is none or it cannot be read, which means: not a model yet. */
export function readManifest(folder: string): Manifest | undefined {
  const path = join(folder, manifestFile);
  if (!existsSync(path)) return undefined;
  try {
    return manifestSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}

/** What mends a folder whose files are missing or wrong; the demo model comes with the repository. */
export function remedy(folder: string, precision?: Precision): string {
  const name = readManifest(folder)?.name;
  if (name === "demo") return 'run "git checkout -- models/demo"';
  if (name) return `run "earshot models pull ${name}${precision ? ` --precision ${precision}` : ""}"`;
  return precision ? "leave out --precision, or get that file" : "get the model's files again";
}

/**
 * The graphs of a folder that a device is to load, as absolute paths, each looked at: there, whole, with its weights.
 * @param precision only this one; by default the best that is there for the device
 * @throws InferenceError model_missing or model_broken, naming the file and what mends it
 */
export function graphFiles(folder: string, precision: Precision | undefined, device: Device): GraphFiles {
  const onnx = join(folder, "onnx");
  const files = new Set(existsSync(onnx) ? readdirSync(onnx).map((name) => `onnx/${name}`) : []);
  const chosen = chooseGraphs(files, precision, device);
  if ("missing" in chosen) {
    throw new InferenceError(
      "model_missing",
      `${join(folder, chosen.missing)} is missing: ${remedy(folder, precision)}.`,
    );
  }
  for (const graph of graphPaths(chosen)) checkGraph(folder, graph);
  const at = (name: string) => join(folder, name);
  return {
    encoder: at(chosen.encoder),
    decoder: at(chosen.decoder),
    ...(chosen.withPast === undefined ? {} : { withPast: at(chosen.withPast) }),
    precision: chosen.precision,
  };
}

/** Size of the graphs and of the weights beside them, in bytes. */
export function weightBytes(graphs: GraphFiles): number {
  return graphPaths(graphs)
    .flatMap((graph) => [graph, ...externalWeights(graph)])
    .reduce((sum, path) => sum + statSync(path).size, 0);
}

/** A graph that keeps its weights beside it (`*.onnx_data`, `*.onnx_data_1`) is small: 3 MB for large-v3. */
const maxGraphWithExternalWeightsBytes = 8 * 1024 ** 2;

function externalWeights(graph: string): string[] {
  if (statSync(graph).size > maxGraphWithExternalWeightsBytes) return [];
  const content = readFileSync(graph);
  if (!content.includes(".onnx_data")) return [];
  const names = content.toString("latin1").match(/[\w.-]+\.onnx_data(?:_\d+)?/g) ?? [];
  return [...new Set(names)].map((name) => join(dirname(graph), name));
}

/** Fails early and in words where onnxruntime would fail late and in C++. */
function checkGraph(folder: string, name: string): void {
  const graph = join(folder, name);
  if (startsWith(graph, "version https://git-lfs")) {
    throw new InferenceError("model_broken", `${graph} is a git-lfs pointer, not a model: run "git lfs pull".`);
  }
  const manifest = readManifest(folder);
  for (const path of [graph, ...externalWeights(graph)]) {
    if (!existsSync(path)) {
      throw new InferenceError(
        "model_missing",
        `${path} is missing, it holds weights of the model: ${remedy(folder)}.`,
      );
    }
    const expected = manifest?.files.find((file) => join(folder, file.path) === path)?.bytes;
    const { size } = statSync(path);
    if (size === 0 || (expected !== undefined && size !== expected)) {
      const instead = expected === undefined ? "" : ` instead of ${expected}`;
      throw new InferenceError("model_broken", `${path} has ${size} bytes${instead}: ${remedy(folder)}.`);
    }
  }
}

function startsWith(path: string, text: string): boolean {
  const head = Buffer.alloc(text.length);
  const file = openSync(path, "r");
  try {
    readSync(file, head, 0, text.length, 0);
  } finally {
    closeSync(file);
  }
  return head.toString("latin1") === text;
}
