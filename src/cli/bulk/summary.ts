// What became of each recording: a line the moment it is known, and a summary of the whole at the end.
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeFailure, writeWhole } from "../output-files.ts";

const entry = z.object({
  file: z.string(),
  state: z.enum(["done", "failed"]),
  /** Seconds of audio, and of work. */
  duration: z.number().exactOptional(),
  elapsed: z.number().exactOptional(),
  language: z.string().exactOptional(),
  model: z.string().exactOptional(),
  words: z.int().exactOptional(),
  /** Why it failed. */
  message: z.string().exactOptional(),
  at: z.iso.datetime(),
});
export type Entry = z.output<typeof entry>;

const NAME = "earshot-summary";

export interface Summary {
  /** Whether this or an earlier run noted that it was done. */
  knows(file: string): boolean;
  note(entry: Entry): Promise<void>;
  /** Writes earshot-summary.json and .tsv, with what earlier runs in this folder noted. @returns their paths */
  write(): Promise<readonly string[]>;
}

/** Keeps its notes in `earshot-summary.jsonl`, so that a run which is killed loses none. */
export async function openSummary(folder: string): Promise<Summary> {
  const journal = join(folder, `${NAME}.jsonl`);
  const entries = new Map<string, Entry>();
  const before = await readFile(journal, "utf8").catch(() => "");
  for (const line of entriesOf(before)) entries.set(line.file, line);
  // A run that was killed may have left half a line, which must not spoil the next.
  let gap = before === "" || before.endsWith("\n") ? "" : "\n";
  return {
    knows: (file) => entries.get(file)?.state === "done",
    async note(next) {
      entries.set(next.file, next);
      const line = `${gap}${JSON.stringify(next)}\n`;
      gap = "";
      await appendFile(journal, line).catch((cause: unknown) => {
        throw writeFailure(journal, cause);
      });
    },
    async write() {
      const rows = [...entries.values()].sort((one, other) => (one.file < other.file ? -1 : 1));
      const paths = [join(folder, `${NAME}.json`), join(folder, `${NAME}.tsv`)] as const;
      await writeWhole(paths[0], `${JSON.stringify(totals(rows), null, 2)}\n`);
      await writeWhole(paths[1], tsv(rows));
      return paths;
    },
  };
}

function entriesOf(text: string): readonly Entry[] {
  return text.split("\n").flatMap((line) => {
    try {
      return [entry.parse(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}

function totals(rows: readonly Entry[]) {
  const done = rows.filter(({ state }) => state === "done");
  const sum = (of: "duration" | "elapsed" | "words") => done.reduce((total, row) => total + (row[of] ?? 0), 0);
  return {
    recordings: rows.length,
    done: done.length,
    failed: rows.length - done.length,
    audioSeconds: Math.round(sum("duration")),
    words: sum("words"),
    files: rows,
  };
}

const COLUMNS = ["file", "state", "duration", "elapsed", "language", "model", "words", "message"] as const;

function tsv(rows: readonly Entry[]): string {
  const lines = rows.map((row) => COLUMNS.map((column) => cell(row[column])).join("\t"));
  return `${[COLUMNS.join("\t"), ...lines].join("\n")}\n`;
}

/** A spreadsheet must not take a file's name for a formula. */
function cell(value: string | number | undefined): string {
  if (typeof value !== "string") return value === undefined ? "" : String(value);
  const flat = value.replace(/\s+/g, " ");
  return /^[=+\-@]/.test(flat) ? `'${flat}` : flat;
}
