// What the gateway and the inference child say to each other over Node's IPC channel.
import { z } from "zod";
import { ConfigError, InferenceError, type InferenceErrorCode, UserError, type UserErrorCode } from "../core/errors.ts";
import type { Engine, TranscriberOptions, TranscriberResult } from "../core/ports.ts";
import type { Segment } from "../core/transcript.ts";

/** From the gateway. */
export type ToChild =
  | { readonly kind: "transcribe"; readonly id: number; readonly path: string; readonly options: TranscriberOptions }
  | { readonly kind: "engine"; readonly id: number; readonly model: string }
  /** The segments of the last window are safe: go on. */
  | { readonly kind: "go_on"; readonly id: number }
  | { readonly kind: "abort"; readonly id: number };

/** From the child. Every message shows that it is alive. */
export type FromChild =
  | { readonly kind: "progress"; readonly id: number; readonly seconds: number; readonly duration: number }
  | {
      readonly kind: "window";
      readonly id: number;
      readonly segments: readonly Segment[];
      readonly checkpoint: unknown;
    }
  | { readonly kind: "transcript"; readonly id: number; readonly result: TranscriberResult }
  | { readonly kind: "engine"; readonly id: number; readonly engine: Engine }
  | { readonly kind: "error"; readonly id: number; readonly error: SentError };

export interface SentError {
  readonly name: "UserError" | "InferenceError" | "ConfigError" | "Error";
  readonly code?: string;
  readonly message: string;
}

/** How the child is started. */
export interface ChildSettings {
  readonly device: string;
  readonly threads: number;
}

export const childSettings = z.object({
  device: z.enum(["auto", "cuda", "webgpu", "dml", "coreml", "cpu"]),
  threads: z.number(),
});

export function sendable(error: unknown): SentError {
  if (error instanceof UserError || error instanceof InferenceError) {
    return { name: error.name, code: error.code, message: error.message };
  }
  if (error instanceof ConfigError) return { name: error.name, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  // onnxruntime has no class for it: its allocators and V8 say so in these words alone.
  if (/bad_alloc|failed to allocate|out of memory/i.test(message)) {
    return { name: "InferenceError", code: "out_of_memory", message: `The engine ran out of memory: ${message}` };
  }
  return { name: "Error", message };
}

export function received({ name, code, message }: SentError): Error {
  switch (name) {
    case "UserError":
      return new UserError(code as UserErrorCode, message);
    case "InferenceError":
      return new InferenceError(code as InferenceErrorCode, message);
    case "ConfigError":
      return new ConfigError([message]);
    case "Error":
      return new Error(message);
    default:
      return name satisfies never;
  }
}
