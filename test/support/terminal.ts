// What a command is given to read and write, kept for looking at.
import { Readable, Writable } from "node:stream";
import type { Io, Output } from "../../src/cli/io.ts";

export interface Terminal {
  readonly io: Io;
  stdout(): string;
  stderr(): string;
  /** Both in the order in which they were written. */
  screen(): string;
  readonly interrupt: AbortController;
}

export interface TerminalOptions {
  readonly stdin?: Readable;
  readonly stdinIsTTY?: boolean;
  /** Makes stderr a terminal of this many columns. */
  readonly columns?: number;
  /** Called with all that stdout has got, after each write. */
  readonly onStdout?: (text: string, interrupt: AbortController) => void;
  readonly env?: Io["env"];
}

export function terminal(options: TerminalOptions = {}): Terminal {
  const interrupt = new AbortController();
  const written: { stream: "stdout" | "stderr"; text: string }[] = [];
  const textOf = (stream: "stdout" | "stderr") =>
    written.flatMap((piece) => (piece.stream === stream ? [piece.text] : [])).join("");
  const output = (stream: "stdout" | "stderr"): Output =>
    new Writable({
      decodeStrings: false,
      write(text: string, _encoding, done) {
        written.push({ stream, text });
        if (stream === "stdout") options.onStdout?.(textOf("stdout"), interrupt);
        done();
      },
    });
  const { columns } = options;
  const stdin = options.stdin ?? Readable.from([]);
  return {
    io: {
      stdin: options.stdinIsTTY ? Object.assign(stdin, { isTTY: true }) : stdin,
      stdout: output("stdout"),
      stderr: columns === undefined ? output("stderr") : Object.assign(output("stderr"), { isTTY: true, columns }),
      env: options.env ?? {},
      signal: interrupt.signal,
    },
    stdout: () => textOf("stdout"),
    stderr: () => textOf("stderr"),
    screen: () => written.map((piece) => piece.text).join(""),
    interrupt,
  };
}
