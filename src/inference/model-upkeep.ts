// Checks the models on disk against their manifests, and removes them.
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { InferenceError, UserError } from "../core/errors.ts";
import { type CatalogModel, findCatalogModel } from "./catalog.ts";
import { manifestFile, readManifest } from "./model-files.ts";
import { demoFolder, type Environment, modelsFolder } from "./models.ts";

/** @throws UserError not_found for any name that is not in the catalog, a path above all */
export function catalogModel(name: string): CatalogModel {
  const model = findCatalogModel(name);
  if (model) return model;
  throw new UserError("not_found", `There is no model "${name}" in the catalog: see "earshot models list".`);
}

export interface Verification {
  readonly files: number;
  /** One sentence for each file that is not what it was when downloaded. */
  readonly problems: readonly string[];
}

/**
 * Compares every file of a model with its manifest.
 * @param name catalog name or "demo"
 * @throws InferenceError model_missing when the model is not on disk as a whole
 */
export async function verifyModel(name: string, env: Environment = process.env): Promise<Verification> {
  const path = name === "demo" ? demoFolder : join(modelsFolder(env), catalogModel(name).name);
  const manifest = readManifest(path);
  if (!manifest) {
    const how = name === "demo" ? "node scripts/setup.mjs --write-checksums" : `earshot models pull ${name}`;
    throw new InferenceError("model_missing", `${path} has no ${manifestFile} to verify it by: run "${how}".`);
  }
  const problems: string[] = [];
  for (const file of manifest.files) {
    const at = join(path, file.path);
    if (!existsSync(at)) problems.push(`${at} is missing.`);
    else if ((await sizeOf(at)) !== file.bytes) problems.push(`${at} has the wrong size.`);
    else if ((await hashFile(at, "sha256")) !== file.sha256) problems.push(`${at} has the wrong checksum.`);
  }
  return { files: manifest.files.length, problems };
}

/**
 * Deletes a model of the catalog, or what an unfinished download left of it.
 * @returns the folder that is gone
 * @throws UserError not_found for any other name, a path above all
 */
export async function removeModel(name: string, env: Environment = process.env): Promise<string> {
  const path = join(modelsFolder(env), catalogModel(name).name);
  if (!existsSync(path)) throw new UserError("not_found", `The model ${name} is not on this machine.`);
  try {
    // Out of sight first, so that a removal that is stopped half-way leaves no half of a model.
    const trash = `${path}.removed`;
    await rm(trash, { recursive: true, force: true });
    await rename(path, trash);
    await rm(trash, { recursive: true });
  } catch (error) {
    throw diskError(error, path);
  }
  return path;
}

/** Hex digest of a prefix and the content of a file. */
export async function hashFile(path: string, algorithm: "sha1" | "sha256", prefix = ""): Promise<string> {
  const hash = createHash(algorithm).update(prefix);
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Bytes of a file, 0 when there is none. */
export async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** The sentence for a disk that is full or closed to us; any other error as it came. */
export function diskError(error: unknown, path: string): unknown {
  const code = codeOf(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new InferenceError(
      "disk_full",
      `The disk of ${path} is full: make room, or set EARSHOT_MODELS to another one.`,
      { cause: error },
    );
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS" || code === "ENOTDIR") {
    return new UserError(
      "not_writable",
      `${path} cannot be written: allow it, or set EARSHOT_MODELS to a folder of yours.`,
      { cause: error },
    );
  }
  return error;
}
