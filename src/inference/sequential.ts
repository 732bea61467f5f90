// Window after window, each reading the text before it. Ref: openai/whisper transcribe.py.

import type { Segment } from "../core/transcript.ts";
import { N_FRAMES } from "./audio.ts";
import { defined } from "./defined.ts";
import { encodeWindows } from "./encode-windows.ts";
import { decodeWithFallback } from "./fallback.ts";
import type { AudioFeatures } from "./graph.ts";
import { decodeGuarded, type GuardedResult, type GuardedRow } from "./guarded-decoding.ts";
import { decodingOptions, type Hearing, languageOf, reach, readWindow, writeDown } from "./hearing.ts";
import { windowPrompt } from "./prompt.ts";

/** A window decoded hotter than this does not prompt the next. */
const PROMPT_RESET_TEMPERATURE = 0.5;
/** Tokens of the text before in which a loop may have begun. */
const LOOP_HISTORY = 224;

/** Yields segments as they are finished. */
export async function* sequential(hearing: Hearing): AsyncGenerator<Segment, void, void> {
  const { model, options, prompt, mel, heard, clips } = hearing;
  const { checkpoint } = options.resume ?? {};
  const history = hearing.segments.flatMap((segment) => segment.tokens);
  let resetSince = checkpoint?.promptResetSince;
  let lastSpeechTimestamp = checkpoint?.lastSpeechTimestamp ?? 0;

  for (const clip of clips) {
    let seek = Math.max(clip.start, hearing.from);
    while (seek < clip.end) {
      options.signal?.throwIfAborted();
      const window = { seek, size: Math.min(N_FRAMES, heard.frames - seek, clip.end - seek) };
      const frames = await heard.window(mel, seek, window.size);
      const features = await encodeWindows(model, frames, [window.size], options);
      const language = await languageOf(hearing, features, 0, seek);
      const row = {
        index: 0,
        decoding: {
          ...decodingOptions(options),
          language,
          prompt: windowPrompt(prompt, history, resetSince),
          seed: heard.recorded(seek),
        },
        initialPrompt: windowPrompt(prompt, [], resetSince),
        history: history.slice(resetSince ?? 0).slice(-LOOP_HISTORY),
      };
      const result = await decodeOne(hearing, features, row);
      const text = await readWindow(hearing, features, 0, window, result, language, lastSpeechTimestamp);
      features.release();
      for (const segment of writeDown(hearing, text)) {
        history.push(...segment.tokens);
        yield segment;
      }
      seek = text.nextSeek;
      lastSpeechTimestamp = text.lastSpeechTimestamp;
      if (!text.isSilent && !text.again) {
        const hot = result.temperature > PROMPT_RESET_TEMPERATURE || result.wasCut;
        if (hot || options.conditionOnPreviousText === false) resetSince = history.length;
      }
      await reach(hearing, seek, { lastSpeechTimestamp, ...defined({ promptResetSince: resetSince }) });
    }
  }
}

async function decodeOne(hearing: Hearing, features: AudioFeatures, row: GuardedRow): Promise<GuardedResult> {
  const { model, options, speech } = hearing;
  if (speech !== undefined) return (await decodeGuarded(model, features, [row], options))[0]!;
  const [result] = await decodeWithFallback(model, features, [row], options);
  return { ...result!, notes: [] };
}
