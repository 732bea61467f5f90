// Brings models onto this machine. A download becomes a model in its last step only.
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, rmdir, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { InferenceError } from "../core/errors.ts";
import type { CatalogModel } from "./catalog.ts";
import { type ModelSource, modelSource, type RemoteFile, retrying, TransientError } from "./hub.ts";
import { chooseGraphs, graphPaths, type Manifest, manifestFile, type Precision, readManifest } from "./model-files.ts";
import { catalogModel, codeOf, diskError, hashFile, sizeOf } from "./model-upkeep.ts";
import { type Environment, modelsFolder } from "./models.ts";
import type { Device } from "./session.ts";

export interface Progress {
  readonly file: string;
  /** Of all files together, those bytes included that were there already. */
  readonly bytes: number;
  readonly totalBytes: number;
  /** Mean of this download so far. */
  readonly bytesPerSecond: number;
}

export interface PullOptions {
  readonly device: Device;
  /** Default: the best for the device. */
  readonly precision?: Precision | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  readonly env?: Environment;
  /** Gives up when the list of files has not come by then. Default: several tries, over a quarter of a minute. */
  readonly reachMs?: number;
  /** First wait after a failed try; doubles with each. */
  readonly backoffMs?: number;
}

export interface PulledModel {
  readonly name: string;
  readonly path: string;
  readonly repo: string;
  readonly precision: string;
  /** Bytes that had to be fetched; 0 when all files were there and right. */
  readonly fetchedBytes: number;
}

const configFiles = ["config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json"];

/** What must stay free beside a download, for the transcripts of the meantime. */
const spareBytes = 64 * 1024 ** 2;

/**
 * Downloads a model, or what is missing or wrong of it. Can be stopped and called again: what was fetched is kept.
 * @throws InferenceError download_failed, disk_full; UserError not_found, not_writable; the signal's reason when aborted
 */
export async function pullModel(name: string, options: PullOptions): Promise<PulledModel> {
  const { signal, env = process.env, backoffMs = 1000 } = options;
  const model = catalogModel(name);
  const source = modelSource(env, backoffMs);
  const { repo, files, precision } = await withinReach(source.name, options, (reach) =>
    chooseFiles(model, source, { ...options, signal: reach }),
  );

  const path = join(modelsFolder(env), model.name);
  const unlock = await lock(path, model.name);
  try {
    const missing: RemoteFile[] = [];
    for (const file of files) if (!(await isRight(join(path, file.path), file))) missing.push(file);
    await checkFreeSpace(path, missing);

    const fetchedBytes = missing.reduce((sum, file) => sum + file.bytes, 0);
    const report = reporter(fetchedBytes, options.onProgress);
    let before = 0;
    for (const file of missing) {
      const part = `${join(path, file.path)}.part`;
      await retrying(signal, backoffMs, (progressed) =>
        fetchPart(source, repo, file, part, signal, (bytes) => {
          progressed();
          report(file.path, before + bytes);
        }),
      );
      before += file.bytes;
    }
    const fetched = missing.map((file) => join(path, file.path));
    for (const target of fetched) await rename(`${target}.part`, target);
    await writeManifest(path, model.name, repo, files);
    return { name: model.name, path, repo, precision, fetchedBytes };
  } finally {
    await unlock();
  }
}

/** @throws InferenceError download_failed when `reachMs` went by */
async function withinReach<T>(
  source: string,
  { reachMs, signal }: Pick<PullOptions, "reachMs" | "signal">,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (reachMs === undefined) return task(signal);
  const late = AbortSignal.timeout(reachMs);
  try {
    return await task(AbortSignal.any([signal, late]));
  } catch (cause) {
    if (signal.aborted || !late.aborted) throw cause;
    throw new InferenceError(
      "download_failed",
      `${source} cannot be reached: try again later, or set HF_ENDPOINT or EARSHOT_MIRROR to a place that holds the models.`,
      { cause },
    );
  }
}

/** The first repository that has what is needed; some exist without their graphs. */
async function chooseFiles(
  model: CatalogModel,
  source: ModelSource,
  { precision, device, signal }: PullOptions,
): Promise<{ repo: string; files: readonly RemoteFile[]; precision: string }> {
  let incomplete: string | undefined;
  for (const repo of model.repos) {
    const listed = await source.list(repo, signal);
    if (!listed) continue;
    const byPath = new Map(listed.map((file) => [file.path, file]));
    const graphs = chooseGraphs(new Set(byPath.keys()), precision, device);
    const missing = "missing" in graphs ? graphs.missing : configFiles.find((file) => !byPath.has(file));
    if ("missing" in graphs || missing !== undefined) {
      incomplete ??= `${repo} at ${source.name} has no ${missing}`;
      continue;
    }
    const paths = graphPaths(graphs);
    const isGraphOrWeights = (path: string) => paths.includes(path.replace(/_data(_\d+)?$/, ""));
    const files = listed.filter(({ path }) => configFiles.includes(path) || isGraphOrWeights(path));
    return { repo, files, precision: graphs.precision };
  }
  const what = incomplete ?? `${source.name} has none of ${model.repos.join(", ")}`;
  const how =
    incomplete && precision ? "leave out --precision or name another one" : "check HF_ENDPOINT or EARSHOT_MIRROR";
  throw new InferenceError("download_failed", `${what}: ${how}.`);
}

/** Two downloads of one model would write into the same files. */
async function lock(path: string, name: string): Promise<() => Promise<void>> {
  const file = join(path, ".lock");
  try {
    await mkdir(path, { recursive: true });
    const holder = Number(await readFile(file, "utf8").catch(() => ""));
    if (isRunning(holder)) {
      throw new InferenceError("download_failed", `Process ${holder} is downloading ${name} already: wait for it.`);
    }
    await rm(file, { force: true });
    await writeFile(file, String(process.pid), { flag: "wx" });
  } catch (error) {
    throw diskError(error, path);
  }
  return async () => {
    await rm(file, { force: true });
    // Only an empty folder goes: what was fetched is kept for the next try.
    await rmdir(path).catch(() => undefined);
  };
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

async function checkFreeSpace(path: string, missing: readonly RemoteFile[]): Promise<void> {
  const there = await Promise.all(missing.map((file) => sizeOf(`${join(path, file.path)}.part`)));
  const needed = missing.reduce((sum, file, i) => sum + Math.max(0, file.bytes - (there[i] ?? 0)), 0);
  const { bavail, bsize } = await statfs(path);
  if (needed === 0 || needed + spareBytes <= bavail * bsize) return;
  throw new InferenceError(
    "disk_full",
    `${path} has ${megabytes(bavail * bsize)} free and the download needs ${megabytes(needed + spareBytes)}: make room, or set EARSHOT_MODELS to another disk.`,
  );
}

/** Fetches a file into its .part file, going on where it ends, and checks it. */
async function fetchPart(
  source: ModelSource,
  repo: string,
  file: RemoteFile,
  part: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<void> {
  await mkdir(dirname(part), { recursive: true });
  const there = await sizeOf(part);
  if (there > file.bytes) await rm(part);
  const resumed = there > 0 && there <= file.bytes;
  if (there !== file.bytes || file.bytes === 0)
    await append(source, repo, file, part, resumed ? there : 0, signal, onBytes);
  if (await isRight(part, file)) return;
  await rm(part);
  // What was there before may be of an older version of the file; then the whole of it has not been tried yet.
  if (resumed) throw new TransientError(`${file.path} changed while it was downloaded`, 0);
  throw new InferenceError(
    "download_failed",
    `${file.path} of ${repo} arrived from ${source.name} with the wrong checksum and was thrown away: try again, or use another HF_ENDPOINT.`,
  );
}

async function append(
  source: ModelSource,
  repo: string,
  file: RemoteFile,
  part: string,
  fromByte: number,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { start, content } = await source.open(repo, file.path, fromByte, signal);
  if (start !== fromByte && start !== 0)
    throw new TransientError(`${source.name} sent the wrong part of ${file.path}`, 0);
  try {
    const output = await open(part, start === 0 ? "w" : "a");
    try {
      let bytes = start;
      for await (const chunk of content) {
        signal.throwIfAborted();
        await output.write(chunk);
        bytes += chunk.byteLength;
        onBytes(bytes);
      }
      if (bytes < file.bytes) throw new TransientError(`${source.name} sent only a part of ${file.path}`);
    } finally {
      await output.close();
    }
  } catch (error) {
    throw diskError(error, part);
  }
}

async function isRight(path: string, file: RemoteFile): Promise<boolean> {
  if ((await sizeOf(path)) !== file.bytes || !existsSync(path)) return false;
  if (file.sha256) return (await hashFile(path, "sha256")) === file.sha256;
  if (file.gitBlobId) return (await hashFile(path, "sha1", `blob ${file.bytes}\0`)) === file.gitBlobId;
  // A mirror folder has no checksums: a finished file is compared by size, and the manifest gets the sha256 of the copy.
  return true;
}

/** The precisions of earlier downloads stay, as long as they come from the same repository. */
async function writeManifest(path: string, name: string, repo: string, files: readonly RemoteFile[]): Promise<void> {
  const before = readManifest(path);
  const names = new Set(files.map((file) => file.path));
  const others = before?.files.filter((file) => !names.has(file.path)) ?? [];
  const kept = before?.repo === repo ? others : [];
  const entries: Manifest["files"] = [...kept];
  for (const file of files) {
    const sha256 = file.sha256 ?? (await hashFile(join(path, file.path), "sha256"));
    entries.push({ path: file.path, bytes: file.bytes, sha256 });
  }
  const manifest: Manifest = { name, repo, files: entries };
  const temporary = join(path, `${manifestFile}.tmp`);
  await writeFile(temporary, `${JSON.stringify(manifest, null, 2)}\n`);
  await rename(temporary, join(path, manifestFile));
  for (const file of others) if (!kept.includes(file)) await rm(join(path, file.path), { force: true });
}

function reporter(totalBytes: number, onProgress: PullOptions["onProgress"]) {
  const startedMs = performance.now();
  let resumedBytes: number | undefined;
  return (file: string, bytes: number) => {
    resumedBytes ??= bytes;
    const seconds = Math.max(performance.now() - startedMs, 1) / 1000;
    onProgress?.({ file, bytes, totalBytes, bytesPerSecond: Math.max(0, bytes - resumedBytes) / seconds });
  };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
