// The inference child: a process of its own that holds the models and transcribes for the gateway.
import process from "node:process";
import type { Engine, TranscriberOptions } from "../core/ports.ts";
import type { Segment } from "../core/transcript.ts";
import { childSettings, type FromChild, sendable, type ToChild } from "./child-protocol.ts";
import { createTurns } from "./child-turns.ts";
import { defined } from "./defined.ts";
import { installedModels } from "./models.ts";
import type { Checkpoint } from "./transcribe.ts";
import { loadWhisper, type Whisper } from "./whisper.ts";

/** Models that stay loaded; the least recently used one goes. */
const LOADED_MODELS = 2;

const settings = childSettings.parse(JSON.parse(process.argv[2] ?? "{}"));
const turns = createTurns();
const loaded = new Map<string, Promise<Whisper>>();
const running = new Map<number, { readonly abort: AbortController; goOn: () => void }>();

function say(message: FromChild): void {
  process.send?.(message);
}

function modelNamed(named: string): Promise<Whisper> {
  // "auto" may mean another one as soon as a download is done.
  const name = named === "auto" ? ["auto", ...installedModels().map(({ model }) => model.name)].join(" ") : named;
  const known = loaded.get(name);
  loaded.delete(name);
  const whisper =
    known ?? loadWhisper(named, { device: settings.device, ...defined({ threads: settings.threads || undefined }) });
  loaded.set(name, whisper);
  // A model that could not be loaded may be there the next time.
  whisper.catch(() => loaded.delete(name));
  const [oldest] = loaded.keys();
  if (loaded.size > LOADED_MODELS && oldest !== undefined && running.size <= 1) {
    void loaded.get(oldest)?.then((model) => model.close());
    loaded.delete(oldest);
  }
  return whisper;
}

function engineOf({ name, device, notes }: Whisper): Engine {
  return { model: name, device, notes };
}

async function transcribe(id: number, path: string, options: TranscriberOptions): Promise<void> {
  const abort = new AbortController();
  const job = { abort, goOn: () => {} };
  running.set(id, job);
  const endTurn = turns.begin(options.isShort);
  try {
    const whisper = await modelNamed(options.model);
    const { resume } = options;
    let segments: Segment[] = [];
    await turns.mine(options.isShort, abort.signal);
    const transcription = whisper.transcribe(path, {
      ...defined({ language: options.language, allowedLanguages: options.allowedLanguages }),
      task: options.task,
      initialPrompt: options.initialPrompt,
      // Only this engine writes checkpoints, and only it reads them.
      ...(resume ? { resume: { checkpoint: resume.checkpoint as Checkpoint, segments: resume.segments } } : {}),
      signal: abort.signal,
      on: {
        progress: (seconds, duration) => say({ kind: "progress", id, seconds, duration }),
        /** Hands the window over, and waits until it is safe and until it is this recording's turn again. */
        async checkpoint(checkpoint) {
          const safe = new Promise<void>((resolve) => {
            job.goOn = resolve;
            abort.signal.addEventListener("abort", () => resolve(), { once: true });
          });
          say({ kind: "window", id, segments, checkpoint });
          segments = [];
          await safe;
          await turns.mine(options.isShort, abort.signal);
        },
      },
    });
    let step = await transcription.next();
    for (; !step.done; step = await transcription.next()) segments.push(step.value);
    say({ kind: "transcript", id, result: { ...step.value, ...engineOf(whisper) } });
  } catch (error) {
    say({ kind: "error", id, error: sendable(error) });
  } finally {
    endTurn();
    running.delete(id);
  }
}

process.on("message", (message: ToChild) => {
  switch (message.kind) {
    case "transcribe":
      void transcribe(message.id, message.path, message.options);
      return;
    case "engine":
      modelNamed(message.model).then(
        (whisper) => say({ kind: "engine", id: message.id, engine: engineOf(whisper) }),
        (error: unknown) => say({ kind: "error", id: message.id, error: sendable(error) }),
      );
      return;
    case "go_on":
      running.get(message.id)?.goOn();
      return;
    case "abort":
      running.get(message.id)?.abort.abort(new Error("aborted"));
      return;
    default:
      message satisfies never;
  }
});
// The gateway has gone, whatever ended it. SIGKILL, for nothing here is worth keeping and an operator may hold the thread.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
// Ctrl-C goes to the whole process group; the gateway decides what is finished first.
process.on("SIGINT", () => {});
