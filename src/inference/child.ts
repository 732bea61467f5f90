// The inference child: a process of its own that holds the models and transcribes for the gateway.
import process from "node:process";
import type { Engine } from "../core/ports.ts";
import type { Segment } from "../core/transcript.ts";
import { endWithParent } from "./child-lifeline.ts";
import { offerToKernel } from "./child-memory.ts";
import { createChildModels } from "./child-models.ts";
import { childSettings, type FromChild, sendable, type ToChild, toChild } from "./child-protocol.ts";
import { createTurns } from "./child-turns.ts";
import { defined } from "./defined.ts";
import type { TracksCheckpoint } from "./tracks.ts";
import type { Checkpoint } from "./transcribe.ts";
import { loadWhisper, type Whisper } from "./whisper.ts";

const settings = childSettings.parse(JSON.parse(process.argv[2] ?? "{}"));
endWithParent(settings.parentPid);
offerToKernel();
// Ctrl-C goes to the whole process group; the gateway decides what is finished first.
process.on("SIGINT", () => {});

const turns = createTurns();
const models = createChildModels(settings, (name, options) =>
  // The parent hands its child's stderr to the operator's log.
  loadWhisper(name, { ...options, onNotice: (sentence) => process.stderr.write(`${sentence}\n`) }),
);
const running = new Map<number, { readonly abort: AbortController; goOn: () => void }>();

function say(message: FromChild): void {
  process.send?.(message);
}

function engineOf({ name, device, notes }: Whisper): Engine {
  return { model: name, device, notes };
}

async function transcribe({ id, path, options }: Extract<ToChild, { readonly kind: "transcribe" }>): Promise<void> {
  const abort = new AbortController();
  const job = { abort, goOn: () => {} };
  running.set(id, job);
  abort.signal.addEventListener("abort", () => job.goOn(), { once: true });
  const endTurn = turns.begin(options.isShort);
  let model: Awaited<ReturnType<typeof models.use>> | undefined;
  try {
    model = await models.use(options.model);
    await turns.mine(options.isShort, abort.signal);
    const { resume } = options;
    let segments: Segment[] = [];
    const transcription = model.whisper.transcribe(path, {
      ...defined({
        language: options.language,
        allowedLanguages: options.allowedLanguages,
        usualLanguages: options.usualLanguages,
        languagePerWindow: options.languagePerWindow,
        speakerTracks: options.speakerTracks,
        speakerNames: options.speakerNames,
        way: options.way,
        maxSeconds: options.maxSeconds,
      }),
      task: options.task,
      initialPrompt: options.initialPrompt,
      wordTimestamps: options.wordTimes === true && (await model.whisper.graph.givesAttentions()),
      // Nobody in a chat wants words that nobody said.
      vad: true,
      // Only this engine writes checkpoints, and only it reads them.
      ...(resume
        ? { resume: { checkpoint: resume.checkpoint as Checkpoint | TracksCheckpoint, segments: resume.segments } }
        : {}),
      signal: abort.signal,
      on: {
        progress: (seconds, duration, work) => say({ kind: "progress", id, seconds, duration, work }),
        /** Hands the window over, and waits until it is safe and until it is this recording's turn again. */
        async checkpoint(checkpoint) {
          abort.signal.throwIfAborted();
          const safe = new Promise<void>((resolve) => {
            job.goOn = resolve;
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
    say({ kind: "transcript", id, result: { ...step.value, ...engineOf(model.whisper) } });
  } catch (error) {
    say({ kind: "error", id, error: sendable(error) });
  } finally {
    model?.done();
    endTurn();
    running.delete(id);
  }
}

async function engine({ id, model: name }: Extract<ToChild, { readonly kind: "engine" }>): Promise<void> {
  try {
    const model = await models.use(name);
    say({ kind: "engine", id, engine: engineOf(model.whisper) });
    model.done();
  } catch (error) {
    say({ kind: "error", id, error: sendable(error) });
  }
}

process.on("message", (said) => {
  const message = toChild.parse(said);
  switch (message.kind) {
    case "transcribe":
      void transcribe(message);
      return;
    case "engine":
      void engine(message);
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
