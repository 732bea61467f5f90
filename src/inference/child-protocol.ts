// What the gateway and the inference child say to each other over Node's IPC channel, checked on both sides.
import { z } from "zod";
import { ConfigError, InferenceError, type InferenceErrorCode, UserError, type UserErrorCode } from "../core/errors.ts";
import type { TranscriberOptions, TranscriberResult } from "../core/ports.ts";
import type { GuardNote, Segment, Way } from "../core/transcript.ts";

// Infinity and NaN are numbers here: what a model gives is not always finite.
export const float = z.custom<number>((value) => typeof value === "number");
const id = z.int().positive();

// Loose: what an engine tells beyond these is passed on.
const word = z.looseObject({ word: z.string(), start: float, end: float, probability: float });
export const segment: z.ZodType<Segment> = z.looseObject({
  id: z.int(),
  seek: z.int(),
  start: float,
  end: float,
  text: z.string(),
  tokens: z.array(z.int()),
  temperature: float,
  avgLogprob: float,
  compressionRatio: float,
  noSpeechProb: float,
  words: z.array(word).exactOptional(),
  language: z.string().exactOptional(),
  speaker: z.string().exactOptional(),
});
const way = z.enum(["sequential", "batched"]) satisfies z.ZodType<Way>;
const guard: z.ZodType<GuardNote> = z.object({
  kind: z.enum([
    "compression_ratio",
    "log_probability",
    "no_speech",
    "hallucination_silence",
    "silence",
    "phantom",
    "loop",
    "prompt_leak",
  ]),
  start: float,
  end: float,
  text: z.string(),
  action: z.enum(["dropped", "redecoded", "cut"]),
});
const engine = { model: z.string(), device: z.string(), notes: z.array(z.string()) };
export const result: z.ZodType<TranscriberResult> = z.looseObject({
  ...engine,
  text: z.string(),
  segments: z.array(segment),
  language: z.string(),
  duration: float,
  way: way.exactOptional(),
  guards: z.array(guard).exactOptional(),
});

// All of them, or one would be lost on the way without a word.
export const transcriberOptions = z.object({
  model: z.string(),
  language: z.string().exactOptional(),
  allowedLanguages: z.array(z.string()).exactOptional(),
  usualLanguages: z.array(z.string()).exactOptional(),
  languagePerWindow: z.boolean().exactOptional(),
  speakerTracks: z.enum(["off", "auto", "on"]).exactOptional(),
  speakerNames: z.array(z.string()).exactOptional(),
  task: z.enum(["transcribe", "translate"]),
  initialPrompt: z.string(),
  way: way.exactOptional(),
  resume: z.object({ checkpoint: z.unknown(), segments: z.array(segment) }).exactOptional(),
  isShort: z.boolean(),
  key: z.string().exactOptional(),
  maxSeconds: z.number().positive().exactOptional(),
  wordTimes: z.boolean().exactOptional(),
} satisfies Record<keyof TranscriberOptions, z.ZodType>);

/** From the gateway. */
export const toChild = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("transcribe"), id, path: z.string(), options: transcriberOptions }),
  z.object({ kind: z.literal("engine"), id, model: z.string() }),
  /** The segments of the last window are safe: go on. */
  z.object({ kind: z.literal("go_on"), id }),
  z.object({ kind: z.literal("abort"), id }),
]);
export type ToChild = Frozen<z.output<typeof toChild>>;

export const sentError = z.object({
  name: z.enum(["UserError", "InferenceError", "ConfigError", "Error"]),
  code: z.string().exactOptional(),
  message: z.string(),
});
export type SentError = z.output<typeof sentError>;

/** From the child. Every message shows that it is alive. */
export const fromChild = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("progress"),
    id,
    seconds: float,
    duration: float,
    work: z.object({ done: float, total: float }).exactOptional(),
  }),
  z.object({ kind: z.literal("window"), id, segments: z.array(segment), checkpoint: z.unknown() }),
  z.object({ kind: z.literal("transcript"), id, result }),
  z.object({ kind: z.literal("engine"), id, engine: z.object(engine) }),
  z.object({ kind: z.literal("error"), id, error: sentError }),
]);
export type FromChild = Frozen<z.output<typeof fromChild>>;

/** Read-only throughout, as the ports have it. */
export type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;

/** How the child is started: JSON on its command line. */
export const childSettings = z.object({
  device: z.enum(["auto", "cuda", "webgpu", "dml", "coreml", "cpu"]),
  /** 0: onnxruntime chooses. */
  threads: z.int().nonnegative(),
  /** The process that starts it, whose end is its end. */
  parentPid: z.int().positive(),
  /** A model that was not used for so long is unloaded; never when left out. */
  idleUnloadMs: z.number().positive().exactOptional(),
});
export type ChildSettings = z.output<typeof childSettings>;

export function sendable(error: unknown): SentError {
  if (error instanceof UserError || error instanceof InferenceError) {
    return { name: error.name, code: error.code, message: error.message };
  }
  if (error instanceof ConfigError) return { name: error.name, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  // V8 has no class for it: it says so in these words alone.
  if (error instanceof RangeError && /allocation failed|out of memory/i.test(message)) {
    return {
      name: "InferenceError",
      code: "out_of_memory",
      message: `There was not enough memory (${message}): use a smaller model, or close other programs.`,
    };
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
