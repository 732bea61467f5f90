// The engines that are compared, each started with the same model and number of threads.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { precisionSuffix } from "../../inference/model-files.ts";
import { optimizeModel } from "../../inference/onnx/optimize.ts";
import type { Device } from "../../inference/session.ts";
import { type Graphs, startChild } from "./child.ts";
import { startWhisperCpp } from "./whisper-cpp.ts";
import type { Engine, PrecisionClass } from "./work.ts";

export interface Setting {
  readonly modelName: string;
  readonly folder: string;
  /** Where files made for the bench are kept. */
  readonly benchFolder: string;
  readonly threads: number;
  readonly device: Device;
  readonly whisperCpp: string | undefined;
  readonly peers: string | undefined;
  readonly signal: AbortSignal;
}

export type Contestant =
  | { readonly name: string; start(): Promise<Engine> }
  /** It cannot run here; the obstacle says why. */
  | { readonly name: string; readonly obstacle: string };

/** Everybody who could run, in the order of the rounds. */
export function contestants(setting: Setting): Contestant[] {
  return [...earshot(setting), ...whisperCpp(setting), ...transformers(setting), sherpa];
}

function earshot({ folder, threads, device, signal }: Setting): Contestant[] {
  const all: Graphs[] = [...publicGraphs(folder, device), ...FAST];
  return all.map((graphs) => {
    const name = `Earshot ${graphs.layout} ${SHORT[graphs.precision] ?? graphs.precision}`;
    const identity = { name, precisionClass: classOf(graphs), signal };
    const start = async () => {
      // Here and not in the child, whose peak memory is to be that of running the model.
      if (graphs.layout === "fast") await optimizeModel(folder, graphs);
      return startChild("earshot-child", { folder, device, threads, graphs }, identity);
    };
    return { name, start };
  });
}

function whisperCpp({ whisperCpp, folder, modelName, benchFolder, threads, device, signal }: Setting): Contestant[] {
  const weights = ["f16", "q8_0", "q4_0"] as const;
  return weights.map((kind) => {
    const name = `whisper.cpp ${kind}`;
    if (whisperCpp === undefined) return { name, obstacle: "--whisper-cpp takes the folder of its programs" };
    const options = { binaries: whisperCpp, modelFolder: folder, modelName, weights: kind, threads, signal };
    return { name, start: () => startWhisperCpp({ ...options, ggmlFolder: benchFolder, onCpu: device === "cpu" }) };
  });
}

function transformers({ peers, folder, threads, device, signal }: Setting): Contestant[] {
  return publicGraphs(folder, device).map((graphs) => {
    const name = `transformers.js ${graphs.precision}`;
    if (peers === undefined || !existsSync(join(peers, "node_modules", "@huggingface", "transformers"))) {
      return { name, obstacle: "--peers takes a folder whose node_modules has @huggingface/transformers" };
    }
    const options = { folder, device, threads, graphs, peers: resolve(peers) };
    const identity = { name, precisionClass: classOf(graphs), signal };
    return { name, start: () => startChild("transformers-child", options, identity) };
  });
}

/** Its graphs give the audio's keys and values layer by layer and carry their sizes as metadata. */
const sherpa: Contestant = {
  name: "sherpa-onnx",
  obstacle: "it reads only graphs of its own export, which these models do not have",
};

const FAST: readonly Graphs[] = [
  { layout: "fast", precision: "float32" },
  { layout: "fast", precision: "int8" },
  { layout: "fast", precision: "int4" },
];

const PUBLIC = { cpu: ["fp32", "q8"], gpu: ["fp32", "fp16"] } as const;

const SHORT: Readonly<Record<string, string>> = { float32: "fp32" };

function publicGraphs(folder: string, device: Device): Graphs[] {
  return PUBLIC[device === "cpu" ? "cpu" : "gpu"]
    .filter((precision) => existsSync(join(folder, "onnx", `decoder_model_merged${precisionSuffix[precision]}.onnx`)))
    .map((precision) => ({ layout: "public", precision }));
}

function classOf({ precision }: Graphs): PrecisionClass {
  if (precision === "fp32" || precision === "fp16" || precision === "float32") return "float";
  return precision === "int4" ? "int4" : "int8";
}
