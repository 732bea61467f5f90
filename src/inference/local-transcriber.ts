// The transcriber on this machine: asks the inference child, and starts it again when it dies.
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { InferenceError } from "../core/errors.ts";
import type { Engine, Transcriber, TranscriberResult } from "../core/ports.ts";
import { type ChildSettings, type FromChild, received } from "./child-protocol.ts";
import { createTrials } from "./child-trials.ts";
import { type InferenceChild, startChild } from "./child-watch.ts";
import { defined } from "./defined.ts";

export interface LocalTranscriberOptions extends Omit<ChildSettings, "parentPid"> {
  /** Where models and programs are found; the process's own by default. What looks like a secret is not passed on. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** How long a child with work may say nothing before it is taken for hung. */
  readonly silenceMs?: number;
  /** How long an aborted job may go on before a child with no other work is killed. */
  readonly abortMs?: number;
  /** A child that takes more for itself is killed. Only on Linux; mapped weights do not count. */
  readonly memoryLimitBytes?: number;
  /** What the engine complains of, a line at a time; to stderr by default. */
  readonly log?: (line: string) => void;
  /** Milliseconds that only ever grow, so that a changed clock does not hold up a restart. */
  readonly now?: () => number;
}

/** A window of the largest model on a slow CPU takes minutes, and a model is loaded in silence. */
const SILENCE_MS = 900_000;
const ABORT_MS = 5000;
/** Between a death and the next start, twice as long each time, until something was answered. */
const RESTART_MS = { first: 250, longest: 30_000 };
const SHARED = "The engine ended while it had several recordings: each is tried again alone.";

export function createLocalTranscriber(options: LocalTranscriberOptions): Transcriber {
  const { device, threads, idleUnloadMs, env = process.env, silenceMs = SILENCE_MS, abortMs = ABORT_MS } = options;
  const {
    memoryLimitBytes,
    log = (line) => process.stderr.write(`${line}\n`),
    now = () => performance.now(),
  } = options;
  const closing = new AbortController();
  const trials = createTrials();
  let child: InferenceChild | undefined;
  let lastId = 0;
  let deaths = 0;
  let restartAtMs = Number.NEGATIVE_INFINITY;

  function start(): InferenceChild {
    const settings = { device, threads, ...defined({ idleUnloadMs }) };
    const started = startChild({ settings, env, silenceMs, abortMs, memoryLimitBytes, log });
    void started.ended.then((error) => {
      if (child === started) child = undefined;
      if (closing.signal.aborted) return;
      log(error.message);
      restartAtMs = now() + Math.min(RESTART_MS.longest, RESTART_MS.first * 2 ** deaths++);
    });
    return started;
  }

  /** @throws InferenceError child_died when closed; the signal's reason */
  async function ready(signal: AbortSignal | undefined): Promise<InferenceChild> {
    const signals = AbortSignal.any(signal ? [signal, closing.signal] : [closing.signal]);
    for (;;) {
      signals.throwIfAborted();
      const waitMs = child === undefined ? restartAtMs - now() : 0;
      if (waitMs <= 0) break;
      // Wakes up for either reason, and the loop throws it.
      await sleep(waitMs, undefined, { signal: signals }).catch(() => {});
    }
    child ??= start();
    return child;
  }

  return {
    async transcribe(path, transcriberOptions, on, signal) {
      const stay = await trials.admit(path, AbortSignal.any([signal, closing.signal]));
      let asked: InferenceChild;
      try {
        asked = await ready(signal);
        signal.throwIfAborted();
      } catch (error) {
        stay.leave();
        throw error;
      }
      const id = ++lastId;
      return new Promise<TranscriberResult>((resolve, reject) => {
        let isOver = false;
        const stop = (reason: unknown) => {
          if (isOver) return;
          isOver = true;
          signal.removeEventListener("abort", abort);
          asked.abandon(id);
          reject(reason);
        };
        const abort = () => stop(signal.reason);
        const end = (settle: () => void) => {
          signal.removeEventListener("abort", abort);
          isOver = true;
          settle();
        };
        const fail = (error: InferenceError) => {
          const isCause = stay.died();
          end(() => reject(isCause ? error : new InferenceError("child_shared", SHARED, { cause: error })));
        };
        // What the caller cannot do with it, such as keep a window, ends the job for the caller's own reason.
        const attempt = (work: () => unknown) => void (async () => work())().catch(stop);
        const hear = (message: FromChild) => {
          switch (message.kind) {
            case "progress":
              if (!isOver) attempt(() => on.progress(message.seconds, message.duration, message.work));
              return;
            case "window":
              if (isOver) return;
              return attempt(async () => {
                await on.window(message.segments, message.checkpoint);
                await stay.pause(signal);
                asked.tell({ kind: "go_on", id });
              });
            case "transcript":
              deaths = 0;
              stay.leave();
              return end(() => resolve(message.result));
            case "error":
              stay.leave();
              return end(() => reject(received(message.error)));
            case "engine":
              return;
            default:
              message satisfies never;
          }
        };
        signal.addEventListener("abort", abort, { once: true });
        asked.ask({ kind: "transcribe", id, path, options: transcriberOptions }, { on: hear, fail });
      });
    },

    async engine(model) {
      const asked = await ready(undefined);
      const id = ++lastId;
      return new Promise<Engine>((resolve, reject) => {
        asked.ask(
          { kind: "engine", id, model },
          {
            on(message) {
              if (message.kind === "engine") resolve(message.engine);
              else if (message.kind === "error") reject(received(message.error));
            },
            fail: reject,
          },
        );
      });
    },

    async close() {
      closing.abort(new InferenceError("child_died", "The engine was closed."));
      // Whoever closes has waited for the jobs, or does not want them any more.
      child?.kill({ code: "child_died", why: "it was closed" });
      await child?.ended;
    },
  };
}
