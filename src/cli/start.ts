// `earshot start`: the gateway, from the configuration to its stop, and what it says on the terminal.
import process from "node:process";
import { type App, startApp } from "../app.ts";
import { configHelp, readConfig, secretsOf } from "../config.ts";
import { createLog } from "../log.ts";
import type { Counterparts } from "../platforms.ts";
import type { Io } from "./io.ts";

const HEAD = `Usage: earshot start [options]

Starts the bot: the chat platforms that are set up, the queue, the engine, and a
page on this machine to try everything without an account.

Settings come from options, then the environment, then earshot.config.json in
this folder (the same names in camel case), then defaults:

`;

/** @param counterparts local ones in the platforms' places, in tests. @throws ConfigError, InferenceError */
export async function start(argv: readonly string[], io: Io, counterparts?: Counterparts): Promise<number> {
  if (argv.includes("--help") || argv.includes("-h")) {
    io.stdout.write(`${HEAD}${configHelp()}\n`);
    return 0;
  }
  const config = readConfig({ flags: argv, env: io.env, cwd: process.cwd() });
  const log = createLog(config.logLevel, io.stderr, { names: config.logNames, secrets: secretsOf(config) });
  const app = await startApp(config, log, counterparts);
  io.stdout.write(welcome(app));
  const broken = await Promise.race([stopped(io.signal), app.broken]);
  if (broken !== undefined) {
    await app.stop().catch(() => undefined);
    throw broken;
  }
  io.stdout.write("Stopping: what is short is finished, the rest goes on at the next start …\n");
  await app.stop();
  return 0;
}

function stopped(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

function welcome({ url, platforms, engine, fetching, data }: App): string {
  const lines = [
    "",
    "  Earshot is listening.",
    "",
    `  page       ${url}`,
    `  platforms  ${platforms.join(", ")}`,
    `  model      ${engine.model} on ${engine.device}`,
    `  data       ${data}`,
    ...engine.notes.map((note) => `             ${note}`),
    ...(fetching === undefined ? [] : [`             ${fetching} is being fetched and takes over when it is here.`]),
    "",
    "  Ctrl-C stops it.",
    "",
  ];
  return `${lines.join("\n")}\n`;
}
