// Earshot under measurement.

import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { AlignableModel } from "../../inference/alignment.ts";
import { decode } from "../../inference/decoding.ts";
import { openFastLayout } from "../../inference/fast-layout.ts";
import type { ModelDimensions } from "../../inference/graph.ts";
import { logMelSpectrogram } from "../../inference/mel.ts";
import { readModelConfig } from "../../inference/model-config.ts";
import { graphFiles, weightBytes } from "../../inference/model-files.ts";
import { findFastLayout } from "../../inference/onnx/optimize.ts";
import { openPublicLayout } from "../../inference/public-layout.ts";
import { loadTokenizer } from "../../inference/tokenizer.ts";
import { collect, transcribe } from "../../inference/transcribe.ts";
import type { ChildOptions } from "./child.ts";
import { answerParent, type ChildEngine } from "./child-loop.ts";
import { timed } from "./stopwatch.ts";
import { noise, PROMPT_TOKENS, type Round, type Speech, type SpeechFiles, TOKENS, WINDOW_TOKENS } from "./work.ts";

/** Time spent in the graphs since the process began. */
let inGraphsMs = 0;
const onRun = (milliseconds: number) => {
  inGraphsMs += milliseconds;
};

async function load(options: ChildOptions): Promise<ChildEngine> {
  const { dims, isMultilingual, alignmentHeads } = await readModelConfig(options.folder);
  const tokenizer = await loadTokenizer(join(options.folder, "tokenizer.json"), isMultilingual);
  const { graph, bytes } = await openGraphs(options, dims, tokenizer.sot);
  const model = { dims, tokenizer, graph, alignmentHeads };
  return {
    description: graph.description,
    weightBytes: bytes,
    round: () => round(model),
    speech: (files) => speech(model, files),
  };
}

/** Named layouts instead of the one that loadWhisper would choose, because they are to be compared. */
async function openGraphs({ folder, device, threads, graphs }: ChildOptions, dims: ModelDimensions, sot: number) {
  if (graphs.layout === "public") {
    const files = graphFiles(folder, graphs.precision, device);
    return {
      graph: await openPublicLayout(files, dims, { device, threads, onRun }, files.precision),
      bytes: weightBytes(files),
    };
  }
  const files = await findFastLayout(folder, graphs.precision);
  if (files === undefined) throw new Error(`${folder} has no fast layout`);
  return {
    graph: await openFastLayout(files, dims, { device, threads, onRun }, sot),
    bytes: folderBytes(dirname(files.encoder)),
  };
}

function folderBytes(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

async function round(model: AlignableModel): Promise<Round> {
  const samples = noise();
  const [mel, melMs] = await timed(() => firstWindow(model, samples));
  const [features, encode] = await timed(() => model.graph.encode(mel, 1));

  const text = Array.from({ length: PROMPT_TOKENS }, (_, i) => (i * 7) % 1000);
  const decodeTokens = (sampleLen: number, prompt: readonly number[]) =>
    decode(model, features, 0, {
      language: "en",
      withoutTimestamps: true,
      sampleLen,
      prompt,
      // The text never ends, so that its length is the same in every engine.
      suppressTokens: [-1, model.tokenizer.eot],
    });
  const [, one] = await timed(() => decodeTokens(1, []));
  const [, many] = await timed(() => decodeTokens(1 + TOKENS, []));
  const [, prompt] = await timed(() => decodeTokens(1, text));

  const before = inGraphsMs;
  const [, window] = await timed(async () => {
    await model.graph.encode(await firstWindow(model, samples), 1);
    await decodeTokens(WINDOW_TOKENS, text);
  });
  const outside = 1 - (inGraphsMs - before) / window;
  return { mel: melMs, encode, token: (many - one) / TOKENS, prompt, window, outside };
}

async function firstWindow({ dims }: AlignableModel, samples: Float32Array): Promise<Float32Array> {
  const spectrogram = await logMelSpectrogram(chunks(samples), dims.nMels);
  const mel = await spectrogram.window(0, 2 * dims.nAudioCtx);
  await spectrogram.close();
  return mel;
}

async function* chunks(samples: Float32Array): AsyncGenerator<Float32Array> {
  yield samples;
}

/** One temperature and no conditions on the text, so that every engine does the same work. */
const PLAIN = { language: "en", temperature: 0, compressionRatioThreshold: null, logprobThreshold: null } as const;

async function speech(model: AlignableModel, { paths, longPath }: SpeechFiles): Promise<Speech> {
  const transcription = transcribe(model, longPath, PLAIN);
  const [, firstSegmentMs] = await timed(() => transcription.next());
  await transcription.return({ text: "", segments: [], language: "en", duration: 0 });

  const [texts, wallMs] = await timed(async () => {
    const heard: string[] = [];
    for (const path of paths) heard.push((await collect(transcribe(model, path, PLAIN))).text);
    return heard;
  });
  return { texts, wallMs, firstSegmentMs };
}

await answerParent(load);
