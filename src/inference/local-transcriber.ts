// The transcriber on this machine: starts the inference child, watches it, and starts it again when it dies.
import { type ChildProcess, fork } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { InferenceError } from "../core/errors.ts";
import type { Engine, Transcriber, TranscriberEvents, TranscriberResult } from "../core/ports.ts";
import { type ChildSettings, type FromChild, received, type ToChild } from "./child-protocol.ts";

export interface LocalTranscriberOptions extends ChildSettings {
  /** Where models and programs are found; the process's own by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** How long a child with work may say nothing before it is taken for hung. */
  readonly silenceMs?: number;
  /** How long an aborted job may go on before the child is killed. */
  readonly abortMs?: number;
}

/** A window of the largest model on a slow CPU takes minutes, and a model is loaded in silence. */
const SILENCE_MS = 900_000;
const ABORT_MS = 5000;
/** Between a death and the next start, twice as long each time, until something was transcribed. */
const RESTART_MS = { first: 250, longest: 30_000 };

// The compiled file, also when this one is run from src: Node 20 runs no TypeScript.
const CHILD = fileURLToPath(new URL("../../dist/inference/child.js", import.meta.url));

/** An asked question that the child has not answered yet. */
interface Pending {
  on(message: FromChild): void;
  fail(error: Error): void;
}

interface Running {
  readonly process: ChildProcess;
  readonly pending: Map<number, Pending>;
  watchdog?: NodeJS.Timeout;
  /** Why it was killed from here. */
  killedFor?: string;
}

export function createLocalTranscriber(options: LocalTranscriberOptions): Transcriber {
  const { device, threads, env = process.env, silenceMs = SILENCE_MS, abortMs = ABORT_MS } = options;
  let child: Running | undefined;
  let lastId = 0;
  let deaths = 0;
  let restartAtMs = 0;
  let isClosed = false;

  function start(): Running {
    const settings: ChildSettings = { device, threads };
    const forked = fork(CHILD, [JSON.stringify(settings)], {
      env: { ...env },
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const running: Running = { process: forked, pending: new Map() };
    forked.on("message", (message: FromChild) => {
      if (message.kind === "transcript" || message.kind === "engine") deaths = 0;
      watch(running);
      running.pending.get(message.id)?.on(message);
    });
    let hasEnded = false;
    const ended = (code: number | null, signal: string | null) => {
      if (hasEnded) return;
      hasEnded = true;
      clearTimeout(running.watchdog);
      if (child === running) child = undefined;
      deaths++;
      restartAtMs = Date.now() + Math.min(RESTART_MS.longest, RESTART_MS.first * 2 ** (deaths - 1));
      const error = deathOf(code, signal, running.killedFor);
      for (const pending of running.pending.values()) pending.fail(error);
    };
    forked.on("exit", ended);
    forked.on("error", () => ended(null, null));
    return running;
  }

  function watch(running: Running): void {
    clearTimeout(running.watchdog);
    if (running.pending.size === 0) return;
    running.watchdog = setTimeout(() => kill(running, `it said nothing for ${silenceMs / 1000} s`), silenceMs);
    running.watchdog.unref();
  }

  function kill(running: Running, why: string): void {
    running.killedFor = why;
    running.process.kill("SIGKILL");
  }

  async function ready(): Promise<Running> {
    if (isClosed) throw new InferenceError("child_died", "The engine was closed.");
    const waitMs = child === undefined ? restartAtMs - Date.now() : 0;
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    child ??= start();
    return child;
  }

  async function ask<Answer>(
    question: (id: number) => ToChild,
    take: (message: FromChild, running: Running, id: number) => { readonly answer: Answer } | undefined,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const running = await ready();
    signal?.throwIfAborted();
    const id = ++lastId;
    let patience: NodeJS.Timeout | undefined;
    const abort = () => {
      send(running, { kind: "abort", id });
      patience = setTimeout(() => kill(running, "a job could not be stopped"), abortMs);
    };
    try {
      return await new Promise<Answer>((resolve, reject) => {
        running.pending.set(id, {
          on(message) {
            if (message.kind === "error") return reject(received(message.error));
            const taken = take(message, running, id);
            if (taken !== undefined) resolve(taken.answer);
          },
          fail: reject,
        });
        watch(running);
        signal?.addEventListener("abort", abort, { once: true });
        send(running, question(id));
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(patience);
      signal?.removeEventListener("abort", abort);
      running.pending.delete(id);
      watch(running);
    }
  }

  /** A child that has just died fails its questions by its exit. */
  function send(running: Running, message: ToChild): void {
    if (running.process.connected) running.process.send(message, () => {});
  }

  return {
    transcribe: (path, transcriberOptions, on, signal) =>
      ask<TranscriberResult>(
        (id) => ({ kind: "transcribe", id, path, options: transcriberOptions }),
        (message, running, id) => {
          switch (message.kind) {
            case "progress":
              on.progress(message.seconds, message.duration);
              return undefined;
            case "window":
              handOver(message, on).then(
                () => send(running, { kind: "go_on", id }),
                // What the caller could not keep ends the job, for its own reason.
                (error: unknown) => {
                  running.pending.get(id)?.fail(error instanceof Error ? error : new Error(String(error)));
                  send(running, { kind: "abort", id });
                },
              );
              return undefined;
            case "transcript":
              return { answer: message.result };
            default:
              return undefined;
          }
        },
        signal,
      ),

    engine: (model) =>
      ask<Engine>(
        (id) => ({ kind: "engine", id, model }),
        (message) => (message.kind === "engine" ? { answer: message.engine } : undefined),
      ),

    async close() {
      isClosed = true;
      const running = child;
      if (running === undefined) return;
      const ended = new Promise((resolve) => running.process.once("exit", resolve));
      kill(running, "the engine was closed");
      await ended;
    },
  };
}

async function handOver(
  { segments, checkpoint }: Extract<FromChild, { readonly kind: "window" }>,
  on: TranscriberEvents,
): Promise<void> {
  await on.window(segments, checkpoint);
}

/** SIGKILL that did not come from here is the kernel's when memory runs out; SIGABRT is V8's or onnxruntime's. */
function deathOf(code: number | null, signal: string | null, killedFor: string | undefined): InferenceError {
  if (killedFor !== undefined) return new InferenceError("child_died", `The engine was stopped: ${killedFor}.`);
  const how = signal === null ? `exit code ${code}` : signal;
  return new InferenceError(
    "child_died",
    `The engine ended by itself (${how}). When that is SIGKILL, the machine probably ran out of memory: take a smaller model.`,
  );
}
