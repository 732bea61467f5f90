// @huggingface/transformers under measurement, from a folder that somebody installed it into.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { graphFiles, weightBytes } from "../../inference/model-files.ts";
import type { ChildOptions } from "./child.ts";
import { answerParent, type ChildEngine } from "./child-loop.ts";
import { operatorClock, timed } from "./stopwatch.ts";
import { samplesOf } from "./wav.ts";
import { noise, PROMPT_TOKENS, type Round, type Speech, type SpeechFiles, TOKENS, WINDOW_TOKENS } from "./work.ts";

/** What is used of the package. Ref: huggingface/transformers.js 4.3 */
interface Transformers {
  readonly env: { version: string; localModelPath: string; allowRemoteModels: boolean };
  readonly WhisperFeatureExtractor: { from_pretrained(name: string): Promise<unknown> };
  readonly WhisperProcessor: new (config: object, components: object) => Processor;
  readonly WhisperTokenizer: new (json: unknown, config: object) => unknown;
  readonly WhisperForConditionalGeneration: { from_pretrained(name: string, options: object): Promise<WhisperModel> };
  readonly AutomaticSpeechRecognitionPipeline: new (parts: object) => Recognizer;
  readonly WhisperTextStreamer: new (tokenizer: unknown, options: object) => object;
}

type Processor = (samples: Float32Array) => Promise<{ readonly input_features: unknown }>;
type Recognizer = (samples: Float32Array, options: object) => Promise<{ readonly text: string }>;

interface WhisperModel {
  readonly sessions: Readonly<Record<string, { run(feeds: object): Promise<unknown> }>>;
  readonly generation_config: { readonly decoder_start_token_id: number };
  generate(options: object): Promise<unknown>;
}

interface Loaded {
  readonly package: Transformers;
  readonly model: WhisperModel;
  readonly processor: Processor;
  readonly folder: string;
  readonly clock: { readonly elapsedMs: number };
}

async function load({ folder, device, threads, graphs, peers }: ChildOptions): Promise<ChildEngine> {
  if (graphs.layout !== "public") throw new Error("it reads the public layout only");
  const { precision } = graphs;
  const require = createRequire(join(peers ?? folder, "package.json"));
  const path = require.resolve("@huggingface/transformers");
  const clock = operatorClock(path);
  const transformers = require(path) as Transformers;
  transformers.env.allowRemoteModels = false;
  transformers.env.localModelPath = dirname(folder);
  const name = basename(folder);
  const model = await transformers.WhisperForConditionalGeneration.from_pretrained(name, {
    device,
    dtype: precision,
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  });
  const extractor = await transformers.WhisperFeatureExtractor.from_pretrained(name);
  const processor = new transformers.WhisperProcessor({}, { feature_extractor: extractor });
  const loaded = { package: transformers, model, processor, folder, clock };
  const files = graphFiles(folder, precision, device);
  return {
    description: `${transformers.env.version}, ${precision}, public layout`,
    weightBytes: weightBytes(files),
    round: () => round(loaded),
    speech: (files) => speech(loaded, files),
  };
}

async function round({ model, processor, clock }: Loaded): Promise<Round> {
  const samples = noise();
  const [{ input_features: inputs }, mel] = await timed(() => processor(samples));
  const encoder = model.sessions["model"];
  if (encoder === undefined) throw new Error("its model has no encoder by the expected name");

  // The package runs its encoder inside generate(): the time of that one call is taken out of the whole.
  let encode = 0;
  const { run } = encoder;
  encoder.run = async (feeds) => {
    const [output, elapsed] = await timed(() => run.call(encoder, feeds));
    encode = elapsed;
    return output;
  };
  const start = model.generation_config.decoder_start_token_id;
  const initial = [start, start + 1, start + 2, start + 3];
  const text = [start + 4, ...Array.from({ length: PROMPT_TOKENS }, (_, i) => (i * 7) % 1000), ...initial];
  const generate = (inputs: unknown, count: number, decoder_input_ids: readonly number[]) =>
    model.generate({
      inputs,
      decoder_input_ids,
      max_new_tokens: count,
      min_new_tokens: count,
      return_timestamps: false,
    });
  const decodeOnly = async (count: number, ids: readonly number[]) => {
    const [, whole] = await timed(() => generate(inputs, count, ids));
    return whole - encode;
  };
  const one = await decodeOnly(1, initial);
  const many = await decodeOnly(1 + TOKENS, initial);
  const prompt = await decodeOnly(1, text);

  const before = clock.elapsedMs;
  const [, window] = await timed(async () => {
    const { input_features } = await processor(samples);
    await generate(input_features, WINDOW_TOKENS, text);
  });
  const outside = 1 - (clock.elapsedMs - before) / window;
  encoder.run = run;
  return { mel, encode, token: (many - one) / TOKENS, prompt, window, outside };
}

async function speech(
  { package: transformers, model, processor, folder }: Loaded,
  files: SpeechFiles,
): Promise<Speech> {
  const json = JSON.parse(await readFile(join(folder, "tokenizer.json"), "utf8")) as unknown;
  const tokenizer = new transformers.WhisperTokenizer(json, { tokenizer_class: "WhisperTokenizer" });
  const recognize = new transformers.AutomaticSpeechRecognitionPipeline({
    task: "automatic-speech-recognition",
    model,
    tokenizer,
    processor,
  });
  let firstSegmentMs = Number.NaN;
  const startedAt = performance.now();
  const streamer = new transformers.WhisperTextStreamer(tokenizer, {
    skip_prompt: true,
    callback_function: () => {},
    on_chunk_end: () => {
      if (Number.isNaN(firstSegmentMs)) firstSegmentMs = performance.now() - startedAt;
    },
  });
  const options = { language: "en", return_timestamps: true };
  await recognize(await samplesOf(files.longPath), { ...options, chunk_length_s: 30, streamer });

  const [texts, wallMs] = await timed(async () => {
    const heard: string[] = [];
    for (const path of files.paths) heard.push((await recognize(await samplesOf(path), options)).text);
    return heard;
  });
  return { texts, wallMs, firstSegmentMs };
}

await answerParent(load);
