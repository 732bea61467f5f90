#!/usr/bin/env node
// The command `earshot`: finds the subcommand, gives it the terminal, and turns what comes back into the exit code.
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { describeFailure } from "./cli/failure.ts";
import type { Command } from "./cli/io.ts";
import { editDistance, slipDistance } from "./core/edit-distance.ts";

const COMMANDS: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>> = {
  start: {
    summary: "start the bot, and a page on this machine to try it",
    load: async () => (await import("./cli/start.ts")).start,
  },
  worker: {
    summary: "transcribe for a pool of machines",
    load: async () => (await import("./cli/worker.ts")).worker,
  },
  transcribe: {
    summary: "turn recordings into text, subtitles or JSON",
    load: async () => (await import("./cli/transcribe.ts")).transcribe,
  },
  models: {
    summary: "list, download, check and remove models",
    load: async () => (await import("./cli/models.ts")).models,
  },
  doctor: {
    summary: "check this machine: ffmpeg, devices, models",
    load: async () => (await import("./cli/doctor.ts")).doctor,
  },
  jobs: {
    summary: "list, show, retry and cancel what the gateway works on",
    load: async () => (await import("./cli/jobs.ts")).jobs,
  },
  backup: {
    summary: "copy the gateway's database while it runs, or check it",
    load: async () => (await import("./cli/backup.ts")).backup,
  },
  restore: {
    summary: "put a backup in the database's place",
    load: async () => (await import("./cli/restore.ts")).restore,
  },
  audit: {
    summary: "list who changed settings and who deleted",
    load: async () => (await import("./cli/audit.ts")).audit,
  },
  bench: {
    summary: "measure how fast this machine transcribes",
    load: async () => (await import("./cli/bench.ts")).bench,
  },
  eval: {
    summary: "measure how well long recordings are written down",
    load: async () => (await import("./cli/eval.ts")).evaluate,
  },
};

const HELP = `Usage: earshot <command> [options]

Whisper transcription on your own machine.

Commands:
${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`)
  .join("\n")}

  earshot <command> --help    explains a command
  earshot --version           prints the version
`;

async function main([name = "--help", ...argv]: readonly string[]): Promise<number> {
  if (name === "--version" || name === "-V") {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    process.stdout.write(`earshot ${version}\n`);
    return 0;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(HELP);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    process.stderr.write(`${unknownCommand(name)}\n\n${HELP}`);
    return 2;
  }
  const { stdin, stdout, stderr, env } = process;
  const run = await command.load();
  return run(argv, { stdin, stdout, stderr, env, signal: stopSignal.signal });
}

function unknownCommand(name: string): string {
  if (existsSync(name)) return `To transcribe ${name}: earshot transcribe ${name}`;
  const near = Object.keys(COMMANDS).find((command) => editDistance(name, command) <= slipDistance(name));
  return `There is no command "${name}".${near === undefined ? "" : ` Did you mean ${near}?`}`;
}

const stopSignal = new AbortController();
let stoppedWith: number | undefined;

function stop(exitCode: number): void {
  stoppedWith ??= exitCode;
  stopSignal.abort();
}

// With `once`, a second Ctrl-C meets the system's own disposition and ends the process even inside of native code.
process.once("SIGINT", () => {
  process.stderr.write("\nStopping; Ctrl-C again stops at once.\n");
  stop(130);
});
process.once("SIGTERM", () => stop(143));
// Whoever read the output has gone, or its disk is full: there is nobody left to work for.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") process.stderr.write(`The output cannot be written (${error.code}).\n`);
  stop(error.code === "EPIPE" ? 141 : 1);
});
process.stderr.on("error", () => stop(1));

let exitCode: number;
try {
  exitCode = await main(process.argv.slice(2));
} catch (error) {
  exitCode = 1;
  if (!stopSignal.signal.aborted) process.stderr.write(`${describeFailure(error, process.env)}\n`);
}
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write("", resolve))),
);
process.exit(stoppedWith ?? exitCode);
