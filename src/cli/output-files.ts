// The files that a transcription leaves: their names, and writing them whole or not at all.
import { randomUUID } from "node:crypto";
import { access, constants, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, parse, resolve } from "node:path";
import { InferenceError, UserError } from "../core/errors.ts";

/** Where a recording's output goes: `talks/monday.mp3` -> `FOLDER/monday.txt`; standard input `-` -> `FOLDER/stdin.txt`. */
export function outputPath(file: string, folder: string, format: string): string {
  return join(folder, `${file === "-" ? "stdin" : parse(file).name}.${format}`);
}

/** A sentence for each output that would overwrite another one or a recording. */
export function outputClashes(files: readonly string[], folder: string, formats: readonly string[]): string[] {
  const problems: string[] = [];
  const recordings = new Set(files.filter((file) => file !== "-").map((file) => resolve(file)));
  const fileByOutput = new Map<string, string>();
  for (const file of files) {
    for (const format of formats) {
      const output = outputPath(file, folder, format);
      const other = fileByOutput.get(output);
      fileByOutput.set(output, file);
      if (recordings.has(resolve(output))) {
        problems.push(`The output ${output} would overwrite a recording: choose another folder with --output_dir.`);
      } else if (other !== undefined) {
        problems.push(`${other} and ${file} would both be written to ${output}: transcribe them into two folders.`);
        break;
      }
    }
  }
  return problems;
}

/** Makes the folder when it is missing. @throws UserError not_writable; InferenceError disk_full */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (cause) {
    throw writeFailure(folder, cause);
  }
}

/** @throws UserError not_writable; InferenceError disk_full: then nothing was left behind */
export async function writeWhole(path: string, text: string): Promise<void> {
  const unfinished = join(dirname(path), `.${basename(path)}.${randomUUID()}.part`);
  try {
    await writeFile(unfinished, text, { flag: "wx" });
    await rename(unfinished, path);
  } catch (cause) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw writeFailure(path, cause);
  }
}

/** Sentence for an error of the file system. EFBIG is a limit of the process (ulimit -f) or of the disk's format. */
export function writeFailure(path: string, cause: unknown): UserError | InferenceError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  if (["ENOSPC", "EDQUOT", "EFBIG"].includes(code)) {
    return new InferenceError(
      "disk_full",
      `There is no room to write ${path} (${code}): free some space, or choose another folder with --output_dir.`,
      { cause },
    );
  }
  return new UserError(
    "not_writable",
    `${path} cannot be written (${code}): choose another folder with --output_dir.`,
    { cause },
  );
}
