// A voice note through the inference child, as the bot asks for it: cold, and with the model kept warm.

import type { TranscriberOptions } from "../../core/ports.ts";
import { createLocalTranscriber } from "../../inference/local-transcriber.ts";
import { timed } from "./stopwatch.ts";

export interface VoiceNoteFigures {
  /** Start of the child, loading and first answer. */
  readonly coldMs: number;
  /** From the question to the whole answer, the model being loaded. */
  readonly warmMs: readonly number[];
}

/** @param model folder of a model that comes to an end of itself */
export async function measureVoiceNote(
  model: string,
  path: string,
  threads: number,
  count: number,
  signal: AbortSignal,
): Promise<VoiceNoteFigures> {
  const transcriber = createLocalTranscriber({ device: "cpu", threads });
  const options: TranscriberOptions = { model, language: "en", task: "transcribe", initialPrompt: "", isShort: true };
  const on = { progress: () => {}, window: async () => {} };
  const ask = async () => (await timed(() => transcriber.transcribe(path, options, on, signal)))[1];
  try {
    const coldMs = await ask();
    const warmMs: number[] = [];
    for (let i = 0; i < count; i++) warmMs.push(await ask());
    return { coldMs, warmMs };
  } finally {
    await transcriber.close();
  }
}
