// One inference child as the gateway sees it: started, asked, watched, and ended.
import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { InferenceError } from "../core/errors.ts";
import { deathError, type KillReason } from "./child-death.ts";
import { childEnvironment } from "./child-environment.ts";
import { oomKills, ownMemory } from "./child-memory.ts";
import { type ChildSettings, type FromChild, fromChild, type ToChild } from "./child-protocol.ts";

export interface ChildOptions {
  readonly settings: Omit<ChildSettings, "parentPid">;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How long it may say nothing while a question is open. */
  readonly silenceMs: number;
  readonly memoryLimitBytes?: number | undefined;
  /** How long it may go on with what nobody wants any more. */
  readonly abortMs: number;
  /** What it writes to stderr, line by line. */
  readonly log: (line: string) => void;
}

/** One who waits for an answer. */
export interface Question {
  on(message: FromChild): void;
  /** The child ended before it answered. */
  fail(error: InferenceError): void;
}

export interface InferenceChild {
  /** The question is open until a transcript, an engine or an error comes for it. */
  ask(message: ToChild, question: Question): void;
  tell(message: ToChild): void;
  /**
   * Nobody waits for this transcription any more. A child that does not stop is killed, but not while it has other work,
   * which would be lost with it: a window takes minutes where the model is large and the machine slow.
   */
  abandon(id: number): void;
  kill(reason: KillReason): void;
  /** Resolves with the reason, after every open question has failed for it. */
  readonly ended: Promise<InferenceError>;
}

// The compiled file, also when this one is run from src: Node 20 runs no TypeScript.
const CHILD = fileURLToPath(new URL("../../dist/inference/child.js", import.meta.url));
const MEMORY_EVERY_MS = 1000;
/** Enough for the stack that V8 prints after the sentence which counts. */
const COMPLAINT_CHARACTERS = 16_000;

/** @throws InferenceError child_died when Earshot is not built */
export function startChild({ settings, env, silenceMs, abortMs, memoryLimitBytes, log }: ChildOptions): InferenceChild {
  if (!existsSync(CHILD)) throw new InferenceError("child_died", `${CHILD} is missing. Run first: npm run build`);
  const questions = new Map<number, Question>();
  const abandoned = new Set<number>();
  const oomKillsBefore = oomKills();
  let killedFor: KillReason | undefined;
  let complaint = "";
  let watchdog: NodeJS.Timeout | undefined;

  const child = fork(CHILD, [JSON.stringify({ ...settings, parentPid: process.pid } satisfies ChildSettings)], {
    env: childEnvironment(env),
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });

  function kill(reason: KillReason): void {
    killedFor ??= reason;
    child.kill("SIGKILL");
  }

  /** @param heard whether the child has just said something, which gives it the whole time again */
  function watch(heard: boolean): void {
    if (heard || questions.size === 0) {
      clearTimeout(watchdog);
      watchdog = undefined;
    }
    if (questions.size === 0 || watchdog !== undefined) return;
    const why = `it said nothing for ${silenceMs / 1000} s`;
    watchdog = setTimeout(() => kill({ code: "child_died", why }), silenceMs);
    watchdog.unref();
  }

  child.on("message", (said) => {
    const parsed = fromChild.safeParse(said);
    if (!parsed.success) return kill({ code: "child_died", why: "it said what cannot be understood" });
    const message = parsed.data;
    const question = questions.get(message.id);
    if (message.kind === "transcript" || message.kind === "engine" || message.kind === "error") {
      questions.delete(message.id);
    }
    watch(true);
    question?.on(message);
  });

  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on("line", (line) => {
      complaint = `${complaint}\n${line}`.slice(-COMPLAINT_CHARACTERS);
      log(line);
    });
  }

  const weighing = setInterval(async () => {
    if (memoryLimitBytes === undefined || child.pid === undefined) return;
    const bytes = (await ownMemory(child.pid)) ?? 0;
    if (bytes <= memoryLimitBytes) return;
    const limit = `${Math.round(memoryLimitBytes / 1024 ** 2)} MB`;
    kill({ code: "out_of_memory", why: `it took ${Math.round(bytes / 1024 ** 2)} MB of memory and may take ${limit}` });
  }, MEMORY_EVERY_MS);
  weighing.unref();

  const ended = new Promise<InferenceError>((resolve) => {
    function end(exitCode: number | null, signal: string | null): void {
      clearInterval(weighing);
      clearTimeout(watchdog);
      const error = deathError({ exitCode, signal, complaint, killedFor, oomKills: oomKills() - oomKillsBefore });
      const left = [...questions.values()];
      questions.clear();
      for (const question of left) question.fail(error);
      resolve(error);
    }
    // "close" comes after the last message and the last line of stderr, which "exit" does not.
    child.once("close", end);
    child.on("error", (cause) => {
      // Else a message could not be sent or a signal not be given: what follows tells more.
      if (child.pid !== undefined) return;
      complaint = cause.message;
      end(null, null);
    });
  });

  function tell(message: ToChild): void {
    // To one that has just died nothing need be said: its end answers everything.
    if (child.connected) child.send(message, () => {});
  }

  function insist(id: number): void {
    setTimeout(() => {
      if (!questions.has(id)) return;
      const isWanted = [...questions.keys()].some((open) => !abandoned.has(open));
      if (isWanted) insist(id);
      else kill({ code: "child_died", why: "a cancelled recording went on in it" });
    }, abortMs).unref();
  }

  return {
    ask(message, question) {
      questions.set(message.id, question);
      watch(false);
      tell(message);
    },
    tell,
    abandon(id) {
      if (!questions.has(id)) return;
      abandoned.add(id);
      tell({ kind: "abort", id });
      insist(id);
    },
    kill,
    ended,
  };
}
