// The pool of machines as what transcribes many recordings.
import { SHORT_SECONDS } from "../../core/job.ts";
import type { TranscriberOptions, WaitingReason } from "../../core/ports.ts";
import { defined } from "../../inference/defined.ts";
import { probe } from "../../inference/media.ts";
import type { NatsSettings } from "../../inference/pool/server-options.ts";
import { createPoolTranscriber } from "../../inference/pool-transcriber.ts";
import type { Engine } from "../bulk.ts";
import type { OPTIONS, TranscribeValues } from "../options.ts";

/** What concerns the machine that decodes, or goes further than a work item can say. */
const OWN = new Set<keyof typeof OPTIONS>([
  ...(["model_dir", "device", "precision", "fp16", "threads", "batch_size", "vad_filter"] as const),
  ...([
    "carry_initial_prompt",
    "condition_on_previous_text",
    "temperature",
    "temperature_increment_on_fallback",
  ] as const),
  ...(["compression_ratio_threshold", "logprob_threshold", "no_speech_threshold", "beam_size", "best_of"] as const),
  ...(["patience", "length_penalty", "suppress_tokens", "prepend_punctuations", "append_punctuations"] as const),
  ...(["hallucination_silence_threshold", "clip_timestamps", "track", "channel", "speakers"] as const),
]);

/** A sentence for each option that the pool's machines would not hear of. */
export function poolProblems(given: ReadonlySet<keyof typeof OPTIONS>): string[] {
  return [...given]
    .filter((name) => OWN.has(name))
    .map(
      (name) => `--${name} is for this machine and does not reach a pool: leave it out, or transcribe without --pool.`,
    );
}

const WAITING: Record<WaitingReason, string | undefined> = {
  connection: "The pool's server cannot be reached: trying again.",
  transcriber: "No machine of the pool can take this yet: start one with earshot worker --nats …",
  room: "The pool's store is full: waiting for room.",
  turn: undefined,
};

export interface PoolEngine extends Engine {
  close(): Promise<void>;
}

/** @throws ConfigError when a file of the connection's settings cannot be used */
export function openPoolEngine(values: TranscribeValues, nats: NatsSettings, note: (line: string) => void): PoolEngine {
  const pool = createPoolTranscriber({ nats, log: note });
  const plan = planOf(values);
  return {
    async transcribe(path, progress, signal) {
      // What is wrong with a recording is said before anything of it is sent.
      const { durationSeconds = Number.POSITIVE_INFINITY } = await probe(path, signal);
      const options = { ...plan, isShort: durationSeconds <= SHORT_SECONDS };
      const on = {
        progress,
        // The files are written when it is whole, and until then the pool keeps what is finished.
        window: async () => {},
        waiting(reason: WaitingReason) {
          const sentence = WAITING[reason];
          if (sentence !== undefined) note(sentence);
        },
      };
      return pool.transcribe(path, options, on, signal);
    },
    close: () => pool.close(),
  };
}

function planOf(values: TranscribeValues): Omit<TranscriberOptions, "isShort"> {
  return {
    ...defined({
      language: values.language,
      allowedLanguages: values.languages,
      languagePerWindow: values.mixed_languages || undefined,
      way: values.way === "auto" ? undefined : values.way,
      wordTimes: values.word_timestamps || undefined,
    }),
    model: values.model,
    task: values.task,
    initialPrompt: values.initial_prompt ?? "",
    speakerTracks: values.tracks,
    // The same recording asked for in the same way is found again by a later run.
    key: "bulk",
  };
}
