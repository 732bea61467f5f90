// `earshot audit`: who changed settings and glossaries, and who deleted; never what it said.
import { type AuditEntry, createAudit } from "../storage/audit.ts";
import { openDatabase } from "../storage/database.ts";
import { type Option, parseArguments } from "./arguments.ts";
import { gatewayDatabase } from "./backup.ts";
import { formatOptions } from "./help.ts";
import type { Io } from "./io.ts";
import { flag, integer, orNone, text } from "./kinds.ts";

const HEAD = `Usage: earshot audit [options]

Lists who changed settings and glossaries and who deleted transcripts, newest
first: when, who (the platform's id of the person), where, and what kind of
thing. What it said is not kept.

`;

const what = <T>(option: Omit<Option<T>, "group">): Option<T> => ({ group: "Options", ...option });
const OPTIONS = {
  limit: what({ kind: integer({ atLeast: 1 }), fallback: 50, help: "how many are listed" }),
  json: what({ kind: flag, fallback: false, help: "prints JSON, one entry a line" }),
  database: what({
    kind: orNone(text("FILE", "a file name")),
    fallback: undefined,
    fallbackText: "the gateway's",
    help: "another database",
  }),
};

/** @throws ConfigError when there is no database, or it cannot be used */
export async function audit(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, helpWanted, problems } = parseArguments(argv, OPTIONS);
  if (helpWanted) {
    io.stdout.write(HEAD + formatOptions(OPTIONS));
    return 0;
  }
  const wrong = [...problems, ...positionals.map((word) => `it does not take "${word}".`)];
  if (wrong.length > 0) {
    for (const problem of wrong) io.stderr.write(`earshot audit: ${problem}\n`);
    return 2;
  }
  const database = openDatabase(gatewayDatabase(values.database, io), { as: "visitor" });
  try {
    const entries = createAudit(database).list(values.limit);
    if (entries.length === 0 && !values.json) io.stdout.write("Nobody has changed or deleted anything yet.\n");
    for (const entry of entries) io.stdout.write(values.json ? `${JSON.stringify(entry)}\n` : line(entry));
    return 0;
  } finally {
    database.close();
  }
}

function line({ atMs, by, platform, workspace, channel, what }: AuditEntry): string {
  const at = new Date(atMs).toISOString().slice(0, 19).replace("T", " ");
  const where = [platform, workspace, channel || "(all channels)"].map(plain).join("/");
  return `${at}  ${plain(by) || "(whoever deleted the message)"}  ${where}  ${plain(what)}\n`;
}

/** Ids come from other systems: nothing in them may move the cursor. */
function plain(word: string): string {
  return word.replace(/[\p{Cc}\p{Cf}]/gu, " ");
}
