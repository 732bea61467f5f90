// Several windows at once, each cut in silence and with the same prompt; none reads the text of another.
//
// The windows of a batch are gone through as openai/whisper goes through a clip: what the model did not get to in one
// round is heard in the next, so that no text is lost.

import type { GuardNote, Segment } from "../core/transcript.ts";
import { FRAMES_PER_SECOND, N_FRAMES } from "./audio.ts";
import { encodeWindows } from "./encode-windows.ts";
import { decodeGuarded } from "./guarded-decoding.ts";
import { decodingOptions, type Hearing, languageOf, reach, readWindow, writeDown } from "./hearing.ts";
import { windowPrompt } from "./prompt.ts";
import type { Span } from "./speech-regions.ts";
import { speechWindows } from "./speech-windows.ts";

/** What is left of a window is heard again when this much speech is in it. */
const WORTH_HEARING_SECONDS = 0.2;

interface OpenWindow extends Span {
  /** Frame from which it is still to be heard. */
  seek: number;
  lastSpeechTimestamp: number;
  readonly segments: Segment[];
  readonly guards: GuardNote[];
}

/** Yields segments when their batch is finished. */
export async function* batched(hearing: Hearing, batchSize: number): AsyncGenerator<Segment, void, void> {
  const { heard, options, speech } = hearing;
  const { regions, pauses } = speech!;
  const windows = speechWindows(regions, pauses, heard.frames).filter(({ end }) => end > hearing.from);
  for (let first = 0; first < windows.length; first += batchSize) {
    const batch = windows.slice(first, first + batchSize).map(({ start, end }): OpenWindow => {
      const seek = Math.max(start, hearing.from);
      return { start, end, seek, lastSpeechTimestamp: seek / FRAMES_PER_SECOND, segments: [], guards: [] };
    });
    for (let open = batch; open.length > 0; open = open.filter(({ seek, end }) => isWorthHearing(hearing, seek, end))) {
      options.signal?.throwIfAborted();
      await hearOnce(hearing, open);
    }
    for (const { segments, guards } of batch) yield* writeDown(hearing, { segments, guards });
    const { end, lastSpeechTimestamp } = batch.at(-1)!;
    const isLast = first + batchSize >= windows.length;
    await reach(hearing, isLast ? heard.frames : end, { way: "batched", batchSize, lastSpeechTimestamp });
  }
}

function isWorthHearing({ speech }: Hearing, seek: number, end: number): boolean {
  return speech!.speechWithin(seek / FRAMES_PER_SECOND, end / FRAMES_PER_SECOND) >= WORTH_HEARING_SECONDS;
}

/** One round: each window from where it is, all of them together. */
async function hearOnce(hearing: Hearing, open: readonly OpenWindow[]): Promise<void> {
  const { model, mel, heard, options, prompt } = hearing;
  const size = mel.nMels * N_FRAMES;
  const frames = new Float32Array(open.length * size);
  for (const [i, { seek, end }] of open.entries()) {
    await heard.window(mel, seek, end - seek, frames.subarray(i * size, (i + 1) * size));
  }
  const sizes = open.map(({ seek, end }) => end - seek);
  const features = await encodeWindows(model, frames, sizes, options);
  const languages: string[] = [];
  for (const [index, { seek }] of open.entries()) languages.push(await languageOf(hearing, features, index, seek));
  const initialPrompt = windowPrompt({ ...prompt, carry: true }, [], undefined);
  const rows = open.map(({ seek }, index) => ({
    index,
    decoding: {
      ...decodingOptions(options),
      language: languages[index]!,
      prompt: initialPrompt,
      seed: heard.recorded(seek),
    },
    initialPrompt,
    history: [],
  }));
  const results = await decodeGuarded(model, features, rows, options);
  for (const [index, one] of open.entries()) {
    const window = { seek: one.seek, size: one.end - one.seek };
    const text = await readWindow(
      hearing,
      features,
      index,
      window,
      results[index]!,
      languages[index]!,
      one.lastSpeechTimestamp,
    );
    one.segments.push(...text.segments);
    one.guards.push(...text.guards);
    one.lastSpeechTimestamp = text.lastSpeechTimestamp;
    // A window that gets nowhere must not be heard for ever.
    one.seek = text.nextSeek > one.seek ? text.nextSeek : one.end;
  }
  features.release();
}
