// `earshot backup`: a copy of the database while the gateway runs, and whether a database or a copy is whole.
import process from "node:process";
import { readConfig } from "../config.ts";
import { backUp, problemsOf } from "../storage/backup.ts";
import { databasePath } from "../storage/paths.ts";
import { type Option, parseArguments } from "./arguments.ts";
import { formatOptions } from "./help.ts";
import type { Io } from "./io.ts";
import { flag, orNone, text } from "./kinds.ts";

const HEAD = `Usage: earshot backup [FILE] | --check [FILE]

Copies the database into FILE, by default earshot-DATE.db in this folder. The
gateway may run meanwhile. The copy holds all settings, glossaries, jobs and
transcripts, and no tokens; it is readable for you alone, and is read back whole
before this ends. The way back is: earshot restore FILE

`;

const FOOT = `
Exit code: 0 done, or whole; 1 failed, or damaged; 2 wrong command line.
`;

const what = <T>(option: Omit<Option<T>, "group">): Option<T> => ({ group: "Options", ...option });
export const OPTIONS = {
  check: what({ kind: flag, fallback: false, help: "copies nothing: reads the database, or FILE, from end to end" }),
  database: what({
    kind: orNone(text("FILE", "a file name")),
    fallback: undefined,
    fallbackText: "the gateway's",
    help: "another database",
  }),
};

/** @throws ConfigError, InferenceError */
export async function backup(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, helpWanted, problems } = parseArguments(argv, OPTIONS);
  if (helpWanted) {
    io.stdout.write(HEAD + formatOptions(OPTIONS) + FOOT);
    return 0;
  }
  const [file, ...more] = positionals;
  const wrong = [...problems, ...more.map((word) => `one FILE is enough, and "${word}" is another.`)];
  if (wrong.length > 0) {
    for (const problem of wrong) io.stderr.write(`earshot backup: ${problem}\n`);
    return 2;
  }
  const path = gatewayDatabase(values.database, io);
  if (values.check) return check(file ?? path, io);
  const toPath = file ?? `earshot-${stampOf(Date.now())}.db`;
  const bytes = backUp(path, toPath);
  io.stdout.write(`${toPath} holds all of ${path} (${(bytes / 1e6).toFixed(1)} MB) and was read back whole.\n`);
  return 0;
}

function check(path: string, io: Io): number {
  const problems = problemsOf(path);
  if (problems.length === 0) {
    io.stdout.write(`${path} is whole.\n`);
    return 0;
  }
  io.stderr.write(`${path} is damaged:\n${problems.map((problem) => `  ${problem}\n`).join("")}`);
  io.stderr.write("Put a backup in its place: earshot restore FILE\n");
  return 1;
}

export function gatewayDatabase(named: string | undefined, io: Io): string {
  return named ?? databasePath(readConfig({ flags: [], env: io.env, cwd: process.cwd() }).data);
}

/** 2026-11-25T08-30-00 */
export function stampOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replaceAll(":", "-");
}
