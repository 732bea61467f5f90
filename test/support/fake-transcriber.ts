// A transcriber without an engine, for tests of what lies around it: its recordings are text files.
//
// The first line is "recording"; each further line is what is said in one window of 30 s, sentence by sentence, and an
// empty one is silence. A word is spelled as in the initial prompt where one there is the same but for its case.
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { InferenceError, UserError } from "../../src/core/errors.ts";
import type { Transcriber, TranscriberOptions } from "../../src/core/ports.ts";
import type { Segment } from "../../src/core/transcript.ts";
import { createTurns } from "../../src/inference/child-turns.ts";

export interface FakeTranscriber extends Transcriber {
  /** What was asked for, in order. */
  readonly asked: readonly TranscriberOptions[];
  /** The next recording that comes to this window, counted from 0, fails there. */
  failAt(window: number, error: Error): void;
  /** The next recording that comes to this window waits there. */
  holdAt(window: number): { readonly reached: Promise<void>; go(): void };
}

/** A recording for it: one string for each window. */
export const spoken = (windows: readonly string[]): string => ["recording", ...windows].join("\n");

const WINDOW_SECONDS = 30;
const MODELS = ["demo", "auto"];
const LANGUAGES = ["en", "de", "ja"];
const PROMPT_WORDS = 223;

export function createFakeTranscriber(): FakeTranscriber {
  const asked: TranscriberOptions[] = [];
  const turns = createTurns();
  const surprises: { readonly window: number; meet(): Promise<void> }[] = [];
  const closing = new AbortController();

  function requireOpen(): void {
    closing.signal.throwIfAborted();
  }

  function requireModel(model: string): void {
    if (!MODELS.includes(model)) throw new InferenceError("model_missing", `There is no model "${model}" in the fake.`);
  }

  async function meetSurprise(window: number): Promise<void> {
    const index = surprises.findIndex((surprise) => surprise.window === window);
    if (index >= 0) await surprises.splice(index, 1)[0]?.meet();
  }

  return {
    asked,
    failAt(window, error) {
      surprises.push({ window, meet: () => Promise.reject(error) });
    },
    holdAt(window) {
      let reach = () => {};
      let go = () => {};
      const reached = new Promise<void>((resolve) => {
        reach = resolve;
      });
      const gone = new Promise<void>((resolve) => {
        go = resolve;
      });
      surprises.push({
        window,
        meet() {
          reach();
          return gone;
        },
      });
      return { reached, go };
    },

    async transcribe(path, options, on, wanted) {
      wanted.throwIfAborted();
      requireOpen();
      const signal = AbortSignal.any([wanted, closing.signal]);
      asked.push(options);
      const endTurn = turns.begin(options.isShort);
      try {
        requireModel(options.model);
        const windows = await readWindows(path);
        const { language = "en", initialPrompt, resume } = options;
        requireSpeakable(language, initialPrompt);
        const duration = windows.length * WINDOW_SECONDS;
        const segments: Segment[] = [...(resume?.segments ?? [])];
        const first = (resume?.checkpoint as { readonly window: number } | undefined)?.window ?? 0;
        on.progress(first * WINDOW_SECONDS, duration);
        for (let window = first; window < windows.length; window++) {
          await setImmediate();
          await turns.mine(options.isShort, signal);
          await Promise.race([meetSurprise(window), aborted(signal)]);
          signal.throwIfAborted();
          const found = segmentsOf(windows[window] ?? "", window, segments.length, initialPrompt);
          segments.push(...found);
          on.progress((window + 1) * WINDOW_SECONDS, duration);
          await on.window(found, { window: window + 1 });
        }
        signal.throwIfAborted();
        const text = segments.map((segment) => segment.text).join("");
        return { text, segments, language, duration, ...ENGINE };
      } finally {
        endTurn();
      }
    },

    async engine(model) {
      requireOpen();
      requireModel(model);
      return ENGINE;
    },

    async close() {
      closing.abort(new InferenceError("child_died", "The engine was closed."));
    },
  };
}

const ENGINE = { model: "demo", device: "cpu", notes: ["A note of the fake."] };

async function readWindows(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new UserError("not_found", `There is no recording ${path}: check its name.`, { cause });
  });
  const [kind, ...windows] = text.split("\n");
  if (kind !== "recording") throw new UserError("unreadable", `${path} is not a recording of the fake: use spoken().`);
  if (windows.length === 0) throw new UserError("no_audio", `${path} has no sound in it: send a recording with sound.`);
  return windows;
}

function requireSpeakable(language: string, prompt: string): void {
  if (!LANGUAGES.includes(language)) {
    throw new UserError("unsupported_language", `The fake does not know the language "${language}": use en.`);
  }
  if (prompt.split(/\s+/).length > PROMPT_WORDS) {
    throw new UserError("prompt_too_long", `The initial prompt has more than ${PROMPT_WORDS} words: shorten it.`);
  }
}

function segmentsOf(text: string, window: number, firstId: number, prompt: string): Segment[] {
  const sentences = text.split(/(?<=[.?!])\s+/).filter((sentence) => sentence !== "");
  return sentences.map((sentence, index) => ({
    id: firstId + index,
    seek: window * WINDOW_SECONDS * 100,
    start: (window + index / sentences.length) * WINDOW_SECONDS,
    end: (window + (index + 1) / sentences.length) * WINDOW_SECONDS,
    text: ` ${spelled(sentence, prompt)}`,
    tokens: [firstId + index],
    temperature: 0,
    avgLogprob: -0.2,
    compressionRatio: 1.2,
    noSpeechProb: 0.01,
  }));
}

function spelled(sentence: string, prompt: string): string {
  const terms = new Map((prompt.match(/[\p{L}\p{N}]+/gu) ?? []).map((term) => [term.toLowerCase(), term]));
  return sentence.replaceAll(/[\p{L}\p{N}]+/gu, (word) => terms.get(word.toLowerCase()) ?? word);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
