// The machine that was measured, as far as it decides about speed.

import { createRequire } from "node:module";
import os from "node:os";
import process from "node:process";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  readonly onnxruntime: string;
}

export function describeMachine(): Machine {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? "unknown CPU",
    cores: cpus.length,
    memoryBytes: os.totalmem(),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.versions.node,
    onnxruntime: packageVersion("onnxruntime-node"),
  };
}

/** Processes that wanted a core, averaged over the last minute. */
export function loadAverage(): number {
  return os.loadavg()[0] ?? 0;
}

function packageVersion(name: string): string {
  const { version } = createRequire(import.meta.url)(`${name}/package.json`) as { readonly version: string };
  return version;
}
