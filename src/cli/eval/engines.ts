// Who is asked to write down the recordings: Earshot in its ways, and whisper.cpp with the same weights.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { InferenceError, UserError } from "../../core/errors.ts";
import type { Segment } from "../../core/transcript.ts";
import { collect, type TranscribeOptions } from "../../inference/transcribe.ts";
import type { Whisper } from "../../inference/whisper.ts";
import { writeGgml } from "../bench/ggml.ts";
import type { HeardWord } from "./measures.ts";

export interface EvalEngine {
  readonly name: string;
  transcribe(path: string, prompt: string, signal: AbortSignal): Promise<HeardWord[]>;
}

export const WAYS = ["sequential", "unconditioned", "batched", "openai"] as const;
export type EvalWay = (typeof WAYS)[number];

/** The bot's two ways, the first also without the text before each window, and openai/whisper's algorithm with its defaults but for the beam: no guards, a prompt that fades. */
const VARIANTS: Readonly<Record<EvalWay, { readonly name: string; readonly options: TranscribeOptions }>> = {
  sequential: { name: "Earshot, sequential", options: { vad: true, way: "sequential" } },
  unconditioned: {
    name: "  without the text before",
    options: { vad: true, way: "sequential", conditionOnPreviousText: false },
  },
  batched: { name: "Earshot, batched", options: { vad: true, way: "batched" } },
  openai: { name: "openai's algorithm", options: { carryInitialPrompt: false } },
};

export function earshotEngines(whisper: Whisper, ways: readonly EvalWay[]): EvalEngine[] {
  return ways.map((way) => ({
    name: VARIANTS[way].name,
    async transcribe(path, prompt, signal) {
      const wordTimestamps = await whisper.graph.givesAttentions();
      const transcript = await collect(
        whisper.transcribe(path, {
          language: "en",
          initialPrompt: prompt,
          wordTimestamps,
          ...VARIANTS[way].options,
          signal,
        }),
      );
      return transcript.segments.flatMap(wordsOf);
    },
  }));
}

function wordsOf(segment: Segment): HeardWord[] {
  if (segment.words !== undefined && segment.words.length > 0) {
    return segment.words.map(({ word, start, end }) => ({ text: word.trim(), start, end, isTimed: true }));
  }
  return segment.text
    .split(/\s+/)
    .filter((text) => text !== "")
    .map((text) => ({ text, start: segment.start, end: segment.end, isTimed: false }));
}

export interface WhisperCppOptions {
  /** The folder that holds whisper-cli. */
  readonly binaries: string;
  readonly modelFolder: string;
  /** Where the ggml file and the outputs go. */
  readonly folder: string;
  readonly threads: number;
}

/** With its own defaults (beam of five, temperature fallback), without and with its carried initial prompt. */
export async function whisperCppEngines(options: WhisperCppOptions): Promise<EvalEngine[]> {
  const cli = join(options.binaries, process.platform === "win32" ? "whisper-cli.exe" : "whisper-cli");
  if (!existsSync(cli)) {
    throw new UserError("not_found", `${cli} is missing: --whisper-cpp takes the folder that it was built into.`);
  }
  const model = join(options.folder, "ggml-f16.bin");
  await writeGgml(options.modelFolder, model);
  const engine = (name: string, extra: readonly string[]): EvalEngine => ({
    name,
    async transcribe(path, prompt, signal) {
      const output = join(options.folder, "whisper-cpp");
      const always = ["-m", model, "-t", String(options.threads), "-l", "en", "-ng", "-np", "-ojf", "-of", output];
      await run(cli, [...always, ...(prompt === "" ? [] : ["--prompt", prompt]), ...extra, "-f", path], signal);
      return readWords(await readFile(`${output}.json`, "utf8"));
    },
  });
  return [engine("whisper.cpp", []), engine("whisper.cpp, prompt carried", ["--carry-initial-prompt"])];
}

interface CppToken {
  readonly text: string;
  readonly offsets?: { readonly from: number; readonly to: number };
}

/** A token that begins with a space begins a word; those in brackets are no text. Ref: whisper.cpp examples/cli output_json */
export function readWords(json: string): HeardWord[] {
  const { transcription } = JSON.parse(json) as {
    readonly transcription: readonly { readonly tokens: readonly CppToken[] }[];
  };
  const words: { text: string; start: number; end: number; isTimed: boolean }[] = [];
  for (const { tokens } of transcription) {
    for (const { text, offsets } of tokens) {
      if (/^\[_/.test(text)) continue;
      const [start, end] = offsets ? [offsets.from / 1000, offsets.to / 1000] : [0, 0];
      const last = words.at(-1);
      if (last === undefined || text.startsWith(" ")) {
        words.push({ text: text.trim(), start, end, isTimed: offsets !== undefined });
      } else {
        last.text += text;
        last.end = end;
      }
    }
  }
  return words;
}

async function run(program: string, parameters: readonly string[], signal: AbortSignal): Promise<void> {
  const child = spawn(program, parameters, { stdio: ["ignore", "ignore", "pipe"], signal });
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaint = `${complaint}${chunk}`.slice(-2000);
  });
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  signal.throwIfAborted();
  if (exitCode !== 0) {
    throw new InferenceError("child_died", `${program} failed: ${complaint.trim().split("\n").at(-1) ?? "no reason"}`);
  }
}
