// Opens ONNX graphs on the best device there is. The only file that imports onnxruntime-node.

import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { InferenceSession, listSupportedBackends, Tensor } from "onnxruntime-node";
import { InferenceError } from "../core/errors.ts";

export { Tensor };

/** onnxruntime's execution providers that Earshot knows, best first. */
export const DEVICES = ["cuda", "webgpu", "dml", "coreml", "cpu"] as const;
export type Device = (typeof DEVICES)[number];

export interface SessionOptions {
  readonly device: Device;
  /** Threads inside one operator; 0 lets onnxruntime choose (one per physical core). */
  readonly threads?: number;
  /** Told how long each run took, for a measurement. */
  onRun?(milliseconds: number): void;
  /** Names of outputs that stay on the device, to be fed back without a copy. Only WebGPU can in this binding. */
  readonly keepOnDevice?: readonly string[];
}

export interface ValueShape {
  readonly type: Tensor.Type;
  /** Fixed sizes as numbers, free ones by name. */
  readonly shape: readonly (number | string)[];
}

/** A loaded graph. `run` blocks the calling thread until the result is there: a property of the binding. */
export interface GraphSession {
  readonly device: Device;
  readonly inputs: ReadonlyMap<string, ValueShape>;
  readonly outputs: ReadonlyMap<string, ValueShape>;
  /**
   * @param fetches names of the wanted outputs, all when left out; or tensors of the right shape that they are written
   * into, which saves a copy
   */
  run(
    feeds: Record<string, Tensor>,
    fetches?: readonly string[] | Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

/** @throws InferenceError model_broken (not an ONNX graph, or external data missing), out_of_memory, no_device */
export async function openSession(graph: string | Uint8Array, options: SessionOptions): Promise<GraphSession> {
  const session = await InferenceSession.create(graph as string, {
    executionProviders: options.device === "cpu" ? ["cpu"] : [options.device, "cpu"],
    intraOpNumThreads: options.threads ?? 0,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    // An arena keeps up to twice what a run needs, for as long as the session lives, and saves no time that was measured.
    enableCpuMemArena: false,
    logSeverityLevel: 3,
    ...(options.keepOnDevice && options.device === "webgpu"
      ? { preferredOutputLocation: Object.fromEntries(options.keepOnDevice.map((name) => [name, "gpu-buffer"])) }
      : {}),
  }).catch((cause: unknown) => {
    throw describeFailure(typeof graph === "string" ? graph : "the graph in memory", cause);
  });
  return {
    device: options.device,
    inputs: shapes(session.inputMetadata),
    outputs: shapes(session.outputMetadata),
    async run(feeds, fetches) {
      const startedAt = performance.now();
      try {
        const outputs = await (fetches ? session.run(feeds, fetches) : session.run(feeds));
        return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, withBits(tensor as Tensor)]));
      } catch (cause) {
        throw describeFailure("the model", cause);
      } finally {
        options.onRun?.(performance.now() - startedAt);
      }
    },
    close: () => session.release(),
  };
}

/** A float16 tensor of the given bits. */
export function halfTensor(bits: Uint16Array, shape: readonly number[]): Tensor {
  return withBits(new Tensor("float16", bits, shape));
}

/** Where Float16Array exists (Node 24) a Tensor turns halves into one, which onnxruntime-node 1.30 cannot read back. */
function withBits(tensor: Tensor): Tensor {
  if (tensor.type !== "float16" || tensor.location !== "cpu" || tensor.data instanceof Uint16Array) return tensor;
  const { buffer, byteOffset, length } = tensor.data as unknown as Uint16Array;
  const value = new Uint16Array(buffer, byteOffset, length);
  for (const name of ["data", "cpuData"]) Object.defineProperty(tensor, name, { value });
  return tensor;
}

/** One device with the reason why it will be tried or was passed over. */
export interface DeviceChoice {
  readonly device: Device;
  /** undefined: usable as far as can be seen without opening a graph. */
  readonly passedOver?: string;
}

/** Every known device in the order of preference, with a sentence for those that cannot be used on this machine. */
export function listDevices(): readonly DeviceChoice[] {
  const backends = new Set<string>(listSupportedBackends().map((backend) => backend.name));
  return DEVICES.map((device) => {
    const reason = passedOver(device, backends);
    return reason === undefined ? { device } : { device, passedOver: reason };
  });
}

/** For auto the device that will be tried first. */
export function firstDevice(wanted: Device | "auto"): Device {
  if (wanted !== "auto") return wanted;
  return listDevices().find((choice) => choice.passedOver === undefined)?.device ?? "cpu";
}

/** Opening a missing provider makes onnxruntime and Vulkan write to the terminal, so what can be seen is checked first. */
function passedOver(device: Device, backends: ReadonlySet<string>): string | undefined {
  if (!backends.has(device)) return `this build of onnxruntime for ${process.platform} has no ${device} provider`;
  if (device === "cuda" && process.platform === "linux" && !existsSync(cudaProviderPath())) {
    return "the CUDA libraries are not installed (npm run setup:cuda)";
  }
  if ((device === "cuda" || device === "webgpu") && process.platform === "linux" && !hasGpuNode()) {
    return "no GPU is visible to this process (no /dev/nvidia0 and no /dev/dri/renderD*)";
  }
  return undefined;
}

export function cudaProviderPath(): string {
  const packageFolder = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  return join(packageFolder, "bin", "napi-v6", process.platform, process.arch, "libonnxruntime_providers_cuda.so");
}

function hasGpuNode(): boolean {
  if (existsSync("/dev/nvidia0")) return true;
  return existsSync("/dev/dri") && readdirSync("/dev/dri").some((name) => name.startsWith("renderD"));
}

function shapes(metadata: readonly InferenceSession.ValueMetadata[]): Map<string, ValueShape> {
  return new Map(
    metadata.flatMap((value) => (value.isTensor ? [[value.name, { type: value.type, shape: value.shape }]] : [])),
  );
}

// onnxruntime-node gives neither codes nor classes, only the status name inside the message:
// "[ONNXRuntimeError] : 1 : FAIL : …" and, for a failed allocation, std::bad_alloc or the arena's sentence.
function describeFailure(what: string, cause: unknown): InferenceError {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/bad_alloc|Failed to allocate memory|out of memory/i.test(message)) {
    return new InferenceError(
      "out_of_memory",
      `There was not enough memory to run ${what}. Use a smaller model (--model), or close other programs.`,
      { cause },
    );
  }
  return new InferenceError(
    "model_broken",
    `${what} cannot be run by onnxruntime: ${firstLine(message)} Check the files with: earshot models verify`,
    { cause },
  );
}

function firstLine(text: string): string {
  const line = (text.split("\n")[0] ?? "").trim();
  return line.endsWith(".") ? line : `${line}.`;
}
