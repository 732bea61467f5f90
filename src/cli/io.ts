// What a command reads and writes: the process's own streams, or a test's.
import type { Readable, Writable } from "node:stream";

/** A stream that may be a terminal; `columns` is its width in characters. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first Ctrl-C: finish what can be finished and return. */
  readonly signal: AbortSignal;
}

/** A command takes what follows its name on the command line and gives the exit code: 0, 1 (failed) or 2 (usage). */
export type Command = (argv: readonly string[], io: Io) => Promise<number>;
