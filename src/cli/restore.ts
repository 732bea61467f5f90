// `earshot restore`: puts a backup in the database's place.
import { restore as putBack } from "../storage/backup.ts";
import { parseArguments } from "./arguments.ts";
import { OPTIONS as BACKUP_OPTIONS, gatewayDatabase, stampOf } from "./backup.ts";
import { formatOptions } from "./help.ts";
import type { Io } from "./io.ts";

const HEAD = `Usage: earshot restore FILE

Puts the backup FILE in the place of the gateway's database, which is kept
beside it. Stop the gateway first. A damaged FILE is refused, and changes nothing.

`;

const { database } = BACKUP_OPTIONS;
const OPTIONS = { database };

/** @throws ConfigError, InferenceError */
export async function restore(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, helpWanted, problems } = parseArguments(argv, OPTIONS);
  if (helpWanted) {
    io.stdout.write(HEAD + formatOptions(OPTIONS));
    return 0;
  }
  const [file, ...more] = positionals;
  const wrong = [
    ...problems,
    ...(file === undefined ? ["say which backup: earshot restore FILE."] : []),
    ...more.map((word) => `one FILE is enough, and "${word}" is another.`),
  ];
  if (wrong.length > 0 || file === undefined) {
    for (const problem of wrong) io.stderr.write(`earshot restore: ${problem}\n`);
    return 2;
  }
  const path = gatewayDatabase(values.database, io);
  const aside = putBack(path, file, stampOf(Date.now()));
  io.stdout.write(`${path} is now what was in ${file}. Start the gateway again: earshot start\n`);
  if (aside !== undefined) io.stdout.write(`What was there before is ${aside}: delete it when all is well.\n`);
  return 0;
}
