// An engine in a process of its own: the parent's side.

import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { InferenceError, UserError } from "../../core/errors.ts";
import type { Precision } from "../../inference/model-files.ts";
import type { FastPrecision } from "../../inference/onnx/fused-pass.ts";
import type { Device } from "../../inference/session.ts";
import { peakMemory } from "./peak-memory.ts";
import type { Engine, Round, Speech, SpeechFiles } from "./work.ts";

/** What the parent asks. */
export type Request = { readonly ask: "round" } | { readonly ask: "speech"; readonly files: SpeechFiles };

/** What the child says: first that it is ready, then one answer to each request. */
export type Reply =
  | { readonly description: string; readonly weightBytes: number }
  | { readonly round: Round }
  | { readonly speech: Speech }
  | { readonly failure: string };

/** Which of a model's graphs are run. */
export type Graphs =
  | { readonly layout: "public"; readonly precision: Precision }
  | { readonly layout: "fast"; readonly precision: FastPrecision };

/** Given to a child as JSON on its command line. */
export interface ChildOptions {
  readonly folder: string;
  readonly device: Device;
  readonly threads: number;
  readonly graphs: Graphs;
  /** The folder whose node_modules holds the engine, if it is not Earshot itself. */
  readonly peers?: string;
}

// The compiled file, also when this one is run from src: Node 20 runs no TypeScript.
const compiled = (name: string) => fileURLToPath(new URL(`../../../dist/cli/bench/${name}.js`, import.meta.url));

/** @throws InferenceError when the engine cannot be loaded or dies */
export async function startChild(
  module: "earshot-child" | "transformers-child",
  options: ChildOptions,
  { name, precisionClass, signal }: Pick<Engine, "name" | "precisionClass"> & { readonly signal: AbortSignal },
): Promise<Engine> {
  const path = compiled(module);
  if (!existsSync(path)) throw new UserError("not_found", `${path} is missing. Run first: npm run build`);
  const child = fork(path, [JSON.stringify(options)], { stdio: ["ignore", "ignore", "pipe", "ipc"], signal });
  let complaint = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    complaint = `${complaint}${chunk}`.slice(-2000);
  });
  // Every death is told by `reply`; without a listener an abort would be thrown past everybody.
  child.on("error", () => {});

  async function reply(): Promise<Reply> {
    const answer = await nextMessage(child);
    if (answer === undefined) {
      signal.throwIfAborted();
      throw new InferenceError(
        "child_died",
        `${name} died: ${lastLine(complaint) || child.signalCode || "no reason given"}`,
      );
    }
    if ("failure" in answer) throw new InferenceError("child_died", `${name}: ${answer.failure}`);
    return answer;
  }

  async function ask(request: Request): Promise<Reply> {
    const answer = reply();
    child.send(request);
    return answer;
  }

  const ready = await reply().catch((error: unknown) => {
    child.kill();
    throw error;
  });
  if (!("description" in ready)) throw new Error(`${name} began with ${JSON.stringify(ready)}`);
  return {
    name,
    precisionClass,
    ...ready,
    async round() {
      const answer = await ask({ ask: "round" });
      if (!("round" in answer)) throw new Error(`${name} answered ${JSON.stringify(answer)}`);
      return answer.round;
    },
    async speech(files) {
      const answer = await ask({ ask: "speech", files });
      if (!("speech" in answer)) throw new Error(`${name} answered ${JSON.stringify(answer)}`);
      return answer.speech;
    },
    peakBytes: () => peakMemory(child.pid ?? 0),
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    },
  };
}

/** @returns undefined when the child is gone */
function nextMessage(child: ChildProcess): Promise<Reply | undefined> {
  return new Promise((resolve) => {
    const settle = (answer?: Reply) => {
      child.off("message", onMessage);
      child.off("close", onClose);
      resolve(answer);
    };
    const onMessage = (message: unknown) => settle(message as Reply);
    const onClose = () => settle();
    child.on("message", onMessage);
    child.on("close", onClose);
    if (child.exitCode !== null || child.signalCode !== null) settle();
  });
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
