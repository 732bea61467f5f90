import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Transcript } from "../../src/core/transcript.ts";
import { demoFolder } from "../../src/inference/models.ts";
import { collect, type TranscribeOptions } from "../../src/inference/transcribe.ts";
import { loadWhisper } from "../../src/inference/whisper.ts";
import { splitDecoder, withHalfValues, writeLayout } from "../support/layouts.ts";
import { speechPath } from "../support/speech.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-layout-"));
  await writeLayout(join(folder, "pair"), (encoder, decoder) => {
    const { first, withPast } = splitDecoder(decoder);
    return { encoder_model: encoder, decoder_model: first, decoder_with_past_model: withPast };
  });
  await writeLayout(join(folder, "half"), (encoder, decoder) => ({
    encoder_model: withHalfValues(encoder),
    decoder_model_merged: withHalfValues(decoder),
  }));
});
afterAll(() => rm(folder, { recursive: true }));

/** A recording of several sentences in the demo model's own words and voices. */
const UNDERSTOOD = join(demoFolder, "eval", "multi_001.flac");

async function run(model: string, options: TranscribeOptions, path = speechPath("multi_002")): Promise<Transcript> {
  const whisper = await loadWhisper(model, { device: "cpu", threads: 1 });
  try {
    return await collect(whisper.transcribe(path, options));
  } finally {
    await whisper.close();
  }
}

const CASES: [string, TranscribeOptions][] = [
  ["greedy, with a prompt", { temperature: 0, initialPrompt: "Glossary: Zentrix, Korvex." }],
  ["beams", { temperature: 0, beamSize: 3 }],
  ["samples", { temperature: 0.4, bestOf: 3 }],
];

describe("the public layout", () => {
  it.each(CASES)("gives the same from a pair of decoders as from the merged one: %s", async (_, options) => {
    expect(await run(join(folder, "pair"), options)).toEqual(await run("demo", options));
  });

  it.each(CASES.slice(0, 2))("runs with half precision at its borders, to the same text: %s", async (_, options) => {
    // Where the model only guesses, rounding may tip a beam.
    const half = await run(join(folder, "half"), options, UNDERSTOOD);
    const single = await run("demo", options, UNDERSTOOD);
    expect(half.text).toBe(single.text);
    expect(half.segments[0]!.avgLogprob).toBeCloseTo(single.segments[0]!.avgLogprob, 1);
    expect(half.segments[0]!.avgLogprob).not.toBe(single.segments[0]!.avgLogprob);
  });
});
