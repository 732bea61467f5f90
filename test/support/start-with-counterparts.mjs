// `earshot start` with local counterparts in the platforms' places; where they are comes as JSON in the first argument.
import process from "node:process";
import { describeFailure } from "../../dist/cli/failure.js";
import { start } from "../../dist/cli/start.js";

const [counterparts = "{}", ...argv] = process.argv.slice(2);
const { stdin, stdout, stderr, env } = process;
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
let exitCode = 1;
try {
  exitCode = await start(argv, { stdin, stdout, stderr, env, signal: stop.signal }, JSON.parse(counterparts));
} catch (error) {
  stderr.write(`${describeFailure(error, env)}\n`);
}
// As the command itself says that it was stopped.
process.exit(stop.signal.aborted ? 143 : exitCode);
