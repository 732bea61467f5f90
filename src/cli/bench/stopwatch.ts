// Time spent inside the onnxruntime that another package calls.

import { createRequire } from "node:module";

type Run = (...parameters: unknown[]) => Promise<unknown>;

/** Milliseconds; read it before and after. */
export interface OperatorClock {
  readonly elapsedMs: number;
}

/**
 * Sees every session of the onnxruntime that a module at `path` would get. Its class is patched, because a package that
 * is compared does not say how long its graphs ran, as Earshot's own session.ts does.
 */
export function operatorClock(path: string): OperatorClock {
  const clock = { elapsedMs: 0 };
  const { InferenceSession } = createRequire(path)("onnxruntime-common") as {
    readonly InferenceSession: { readonly prototype: { run: Run } };
  };
  const { run } = InferenceSession.prototype;
  InferenceSession.prototype.run = async function (this: unknown, ...parameters) {
    const startedAt = performance.now();
    try {
      return await run.apply(this, parameters);
    } finally {
      clock.elapsedMs += performance.now() - startedAt;
    }
  };
  return clock;
}

/** @returns the result, and how long it took in milliseconds */
export async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const startedAt = performance.now();
  const result = await work();
  return [result, performance.now() - startedAt];
}
