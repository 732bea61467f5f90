// Which recordings a folder, a pattern or a list stands for, and where the files of each go.
import { readFile, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { escapePath, glob, isDynamicPattern } from "tinyglobby";
import { UserError } from "../../core/errors.ts";
import { kindByName } from "../../core/recording.ts";

export interface BulkRecording {
  /** Absolute. */
  readonly path: string;
  /** As people find it again: from the folder that was named. */
  readonly name: string;
  /** Where its files go, without their ending. */
  readonly stem: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** A recording and the folder under which its place is kept. */
interface Found {
  readonly path: string;
  readonly base: string;
}

/** Whether a word of the command line stands for many recordings: a folder, a pattern, or a list such as @calls.txt. */
export async function standsForMany(word: string): Promise<boolean> {
  const known = await stat(word).catch(() => undefined);
  if (known !== undefined) return known.isDirectory();
  return word.startsWith("@") || isDynamicPattern(word);
}

/**
 * Sorted by path, each recording once. Recordings of one folder that differ in their ending alone keep it:
 * `call.mp3` and `call.wav` -> `call.mp3.txt` and `call.wav.txt`.
 * @param outputFolder the folder's tree is made again there; beside the recordings when undefined
 * @throws UserError not_found
 */
export async function findRecordings(
  words: readonly string[],
  outputFolder: string | undefined,
): Promise<readonly BulkRecording[]> {
  const baseByPath = new Map<string, string>();
  for (const word of words) for (const { path, base } of await foundBy(word)) baseByPath.set(path, base);
  const paths = [...baseByPath.keys()].sort();
  const byStem = new Map<string, number>();
  const stemOf = (path: string, isPlain: boolean) => {
    const base = baseByPath.get(path) ?? dirname(path);
    const inside = outputFolder === undefined ? path : join(outputFolder, below(base, path));
    return isPlain ? inside.replace(/(?<=[^/\\])\.[^./\\]+$/, "") : inside;
  };
  for (const path of paths) byStem.set(stemOf(path, true), (byStem.get(stemOf(path, true)) ?? 0) + 1);
  return Promise.all(
    paths.map(async (path) => {
      const { size: bytes, mtimeMs: modifiedMs } = await statOf(path);
      const isPlain = byStem.get(stemOf(path, true)) === 1;
      return {
        path,
        name: below(baseByPath.get(path) ?? dirname(path), path),
        stem: stemOf(path, isPlain),
        bytes,
        modifiedMs,
      };
    }),
  );
}

async function foundBy(word: string): Promise<readonly Found[]> {
  const known = await stat(word).catch(() => undefined);
  if (known?.isDirectory()) return inFolder(resolve(word));
  if (known !== undefined) return [{ path: resolve(word), base: dirname(resolve(word)) }];
  if (word.startsWith("@")) return inList(word.slice(1));
  if (!isDynamicPattern(word)) throw missing(word);
  const paths = await glob(word.replaceAll("\\", "/"), { absolute: true, followSymbolicLinks: false });
  const matches = paths.filter(kindByName);
  if (matches.length === 0) throw new UserError("not_found", `No recording matches ${word}.`);
  const base = resolve(word.slice(0, word.search(/[*?[{(!]/)).replace(/[^/\\]*$/, "") || ".");
  return matches.map((path) => ({ path: resolve(path), base }));
}

async function inFolder(folder: string): Promise<readonly Found[]> {
  const paths = await glob("**/*", { cwd: escapePath(folder), absolute: true, followSymbolicLinks: false });
  const recordings = paths.filter(kindByName);
  if (recordings.length === 0) {
    throw new UserError("not_found", `There are no audio or video files in ${folder}, by their names.`);
  }
  return recordings.map((path) => ({ path: resolve(path), base: folder }));
}

/** One recording a line, from the list's own folder; empty lines and those that begin with # are passed over. */
async function inList(list: string): Promise<readonly Found[]> {
  const text = await readFile(list, "utf8").catch((cause: unknown) => {
    throw new UserError("not_found", `The list ${list} cannot be read: name an existing file after the @.`, { cause });
  });
  const base = dirname(resolve(list));
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const paths = lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => resolve(base, line));
  if (paths.length === 0) throw new UserError("not_found", `The list ${list} names no recording: one on each line.`);
  return paths.map((path) => ({ path, base }));
}

/** A path as seen from a folder, which never leads out of it: what lies elsewhere keeps its whole path. */
function below(base: string, path: string): string {
  const inside = relative(base, path);
  const leadsOut = inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside);
  return leadsOut ? path.replace(/^([a-z]):/i, "$1").replace(/^[/\\]+/, "") : inside;
}

async function statOf(path: string) {
  return stat(path).catch(() => {
    throw missing(path);
  });
}

function missing(path: string): UserError {
  return new UserError("not_found", `${path} does not exist: correct its name, or take it from the list.`);
}
