// Models on disk: where they lie and which one a name means.
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { InferenceError } from "../core/errors.ts";
import { type CatalogModel, catalogModels, findCatalogModel } from "./catalog.ts";
import { graphFiles, type Manifest, readManifest, weightBytes } from "./model-files.ts";
import type { Device } from "./session.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ModelFolder {
  /** Catalog name, "demo", or the folder's own name. */
  readonly name: string;
  /** Absolute path of the folder that holds config.json and onnx/. */
  readonly path: string;
  readonly isDemo: boolean;
  /** Sentences that belong with every answer made by this model, such as that it is the demo model. */
  readonly notes: readonly string[];
}

/** The model that ships with Earshot, at the same place seen from src/ and from dist/. */
export const demoFolder = fileURLToPath(new URL("../../models/demo", import.meta.url));

/** EARSHOT_MODELS, or earshot/models in the user's data folder (XDG_DATA_HOME). */
export function modelsFolder(env: Environment = process.env): string {
  const chosen = env["EARSHOT_MODELS"];
  if (chosen) return resolve(chosen);
  return join(env["XDG_DATA_HOME"] || join(homedir(), ".local", "share"), "earshot", "models");
}

export interface InstalledModel {
  readonly model: CatalogModel;
  readonly path: string;
  readonly manifest: Manifest;
  readonly bytes: number;
}

/** The catalog's models that are on disk as a whole, in the catalog's order. */
export function installedModels(env: Environment = process.env): InstalledModel[] {
  return catalogModels.flatMap((model) => {
    const path = join(modelsFolder(env), model.name);
    const manifest = readManifest(path);
    if (!manifest) return [];
    return [{ model, path, manifest, bytes: manifest.files.reduce((sum, file) => sum + file.bytes, 0) }];
  });
}

/** The catalog name of the model to download for a device. */
export function recommendedModel(device: Device): string {
  return device === "cpu" ? "base" : "large-v3-turbo";
}

/**
 * Memory that a model takes, in bytes: at most 1.3 times its weights and 300 MB, the engine's own bound.
 * @param weights size of the loaded graphs in bytes
 */
export function memoryNeed(weights: number): number {
  return Math.round(1.3 * weights) + 300 * 1024 ** 2;
}

function bestInstalled(device: Device, memoryBytes: number, env: Environment): InstalledModel | undefined {
  const fitting = installedModels(env)
    .reverse()
    .filter(({ path }) => {
      try {
        return memoryNeed(weightBytes(graphFiles(path, undefined, device))) <= memoryBytes;
      } catch (error) {
        if (error instanceof InferenceError) return false;
        throw error;
      }
    });
  // An English-only model turns any other language into nonsense, so it is chosen only when there is nothing else.
  return fitting.find(({ model }) => model.languages !== "en") ?? fitting[0];
}

export interface ResolveOptions {
  readonly device: Device;
  /** Memory that "auto" may fill. Default: what this process can still get, which is right for the CPU. */
  readonly memoryBytes?: number;
  readonly env?: Environment;
}

/**
 * The folder that a model name means: a catalog name, "demo", "auto" (the best on disk that fits, else the demo model),
 * or a path.
 * @throws InferenceError model_missing, saying how to get the model
 */
export async function resolveModel(name: string, options: ResolveOptions): Promise<ModelFolder> {
  const { device, memoryBytes = process.availableMemory(), env = process.env } = options;
  if (name === "auto") {
    const best = bestInstalled(device, memoryBytes, env);
    if (best) return { name: best.model.name, path: best.path, isDemo: false, notes: [] };
  }
  if (name === "auto" || name === "demo") {
    const note = `Demo model: understands only its own small vocabulary; run "earshot models pull ${recommendedModel(device)}" for a real one.`;
    return { name: "demo", path: demoFolder, isDemo: true, notes: [note] };
  }
  const model = findCatalogModel(name);
  if (model) {
    const path = join(modelsFolder(env), model.name);
    if (readManifest(path)) return { name: model.name, path, isDemo: false, notes: [] };
    throw new InferenceError(
      "model_missing",
      `The model ${model.name} is not on this machine: run "earshot models pull ${model.name}".`,
    );
  }
  const path = resolve(name);
  if (existsSync(join(path, "config.json"))) return { name: basename(path), path, isDemo: false, notes: [] };
  throw new InferenceError(
    "model_missing",
    `There is no model "${name}": give a name from "earshot models list", or a folder that holds config.json and onnx/.`,
  );
}
