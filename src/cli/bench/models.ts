// The models that are measured: the demo model, and true shapes with random weights, made when they are first needed.

import { existsSync } from "node:fs";
import { cp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { demoFolder } from "../../inference/models.ts";
import { RANDOM_MODEL_NAMES, writeRandomModel } from "../../inference/onnx/random-model.ts";

export const MODEL_NAMES = ["demo", ...RANDOM_MODEL_NAMES] as const;
export type BenchModelName = (typeof MODEL_NAMES)[number];

const SEED = 1;
const DEMO_FILES = ["config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json", "onnx"];
const COPY = { recursive: true, preserveTimestamps: true } as const;

/**
 * The folder of a model, in Hugging Face's public layout.
 * @param parent where the random models are kept
 * @param onMake called before one is written, which takes seconds (tiny) to minutes (large-v3-turbo)
 */
export async function benchModel(name: BenchModelName, parent: string, onMake: () => void): Promise<string> {
  const folder = resolve(parent, name);
  if (name === "demo") {
    // A copy, because the fast layout is written beside the graphs.
    for (const file of DEMO_FILES) await cp(join(demoFolder, file), join(folder, file), COPY);
    return folder;
  }
  if (existsSync(join(folder, "config.json"))) return folder;
  onMake();
  const unfinished = `${folder}.part`;
  await rm(unfinished, { recursive: true, force: true });
  await writeRandomModel(unfinished, name, { seed: SEED });
  await rename(unfinished, folder);
  return folder;
}
