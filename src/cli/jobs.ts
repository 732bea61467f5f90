// `earshot jobs`: what waits, runs, failed and is done; queueing again and cancelling, also beside a running gateway.
import process from "node:process";
import { readConfig } from "../config.ts";
import type { Job, JobState } from "../core/job.ts";
import { openDatabase } from "../storage/database.ts";
import { databasePath } from "../storage/paths.ts";
import { createQueue } from "../storage/queue.ts";
import { type Option, parseArguments, type ValuesOf } from "./arguments.ts";
import { formatOptions } from "./help.ts";
import type { Io } from "./io.ts";
import { choice, flag, integer, orNone, text } from "./kinds.ts";
import { clockText } from "./spans.ts";

const HEAD = `Usage: earshot jobs [list] | show ID | retry ID | cancel ID

  list        the newest jobs; --state failed shows what went wrong
  show ID     everything about one job but its text
  retry ID    queue a failed or cancelled job again, with what was done for it
  cancel ID   end a job that waits or runs

`;

const FOOT = `
The gateway may run meanwhile. The database is earshot.db in the gateway's data
folder: EARSHOT_DATA, or "data" of earshot.config.json in this folder.

Exit code: 0 done; 1 failed, or there is no such job; 2 wrong command line.
`;

const STATES = ["queued", "running", "done", "failed", "cancelled"] as const satisfies readonly JobState[];
const WIDTH = 80;

const what = <T>(option: Omit<Option<T>, "group">): Option<T> => ({ group: "Options", ...option });
const OPTIONS = {
  state: what<JobState | undefined>({
    kind: choice(STATES),
    fallback: undefined,
    fallbackText: "all of them",
    help: "lists only these",
  }),
  limit: what({ kind: integer({ atLeast: 1 }), fallback: 20, help: "how many are listed" }),
  json: what({ kind: flag, fallback: false, help: "prints JSON, one job a line" }),
  database: what({
    kind: orNone(text("FILE", "a file name")),
    fallback: undefined,
    fallbackText: "the gateway's",
    help: "another database",
  }),
};

type Queue = ReturnType<typeof createQueue>;

/** @throws ConfigError when there is no database, or it cannot be used */
export async function jobs(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, helpWanted, problems } = parseArguments(argv, OPTIONS);
  if (helpWanted) {
    io.stdout.write(HEAD + formatOptions(OPTIONS) + FOOT);
    return 0;
  }
  const [command = "list", typedId, ...more] = positionals;
  const wrong = [...problems, ...problemsWith(command, typedId, more)];
  if (wrong.length > 0) {
    for (const problem of wrong) io.stderr.write(`earshot jobs: ${problem}\n`);
    io.stderr.write("All of it is explained by: earshot jobs --help\n");
    return 2;
  }
  const path = values.database ?? databasePath(readConfig({ flags: [], env: io.env, cwd: process.cwd() }).data);
  const database = openDatabase(path, { as: "visitor" });
  try {
    const queue = createQueue(database);
    if (command === "list") return await list(queue, values, io);
    return await withJob(queue, command, (typedId ?? "").toLowerCase(), values.json, io);
  } finally {
    database.close();
  }
}

function problemsWith(command: string, id: string | undefined, more: readonly string[]): string[] {
  if (!["list", "show", "retry", "cancel"].includes(command)) return [`there is no "jobs ${command}".`];
  if (command !== "list" && id === undefined) return [`say which job: earshot jobs ${command} ID.`];
  const surplus = command === "list" && id !== undefined ? [id, ...more] : more;
  return surplus.length > 0 ? [`"jobs ${command}" does not take ${surplus.join(" ")}.`] : [];
}

async function list(queue: Queue, { state, limit, json }: ValuesOf<typeof OPTIONS>, io: Io): Promise<number> {
  const found = await queue.list({ limit, ...(state === undefined ? {} : { state }) });
  if (json) {
    for (const job of found) io.stdout.write(`${JSON.stringify(shown(job))}\n`);
    return 0;
  }
  const counts = await queue.counts();
  const summary = STATES.map((one) => `${counts[one]} ${one}`).join(", ");
  io.stdout.write(found.length === 0 ? `No jobs to list. In all: ${summary}.\n` : `${table(found)}\n${summary}\n`);
  return 0;
}

async function withJob(queue: Queue, command: string, id: string, json: boolean, io: Io): Promise<number> {
  const job = await queue.get(id);
  if (job === undefined) {
    io.stderr.write(`There is no job ${id}. See: earshot jobs list\n`);
    return 1;
  }
  if (command === "show") {
    const ahead = await queue.ahead(id);
    io.stdout.write(json ? `${JSON.stringify(shown(job))}\n` : details(job, ahead));
    return 0;
  }
  const isChanged = command === "retry" ? await queue.retry(id) : await queue.cancel(id);
  if (!isChanged) {
    io.stderr.write(`${refusal(command, job)}\n`);
    return 1;
  }
  const after = await queue.get(id);
  if (json) io.stdout.write(`${JSON.stringify(shown(after ?? job))}\n`);
  else io.stdout.write(command === "retry" ? `Job ${id} is queued again.\n` : `Job ${id} is cancelled.\n`);
  return 0;
}

function refusal(command: string, { id, state }: Job): string {
  if (command === "cancel") return `Job ${id} has ended already: it is ${state}.`;
  return state === "failed" || state === "cancelled"
    ? `Job ${id} stays ${state}: the same recording was asked for again since, in a newer job.`
    : `Job ${id} is ${state}; only what failed or was cancelled can be queued again.`;
}

/** No text of a recording, and no token by which a lease is held. */
function shown({ steps: { checkpoint: _, plan, ...steps }, lease, ...job }: Job): object {
  return {
    ...job,
    steps: plan === undefined ? steps : { ...steps, plan: { model: plan.model, language: plan.language } },
    ...(lease === undefined ? {} : { lease: { worker: lease.worker, untilMs: lease.untilMs } }),
  };
}

function table(found: readonly Job[]): string {
  const rows = found.map((job) => ({ job, cells: cellsOf(job) }));
  const head = ["ID", "STATE", "ADDED (UTC)", "TRIES", "LENGTH", "CHANNEL"];
  const widths = head.map((title, column) =>
    Math.min(20, Math.max(title.length, ...rows.map(({ cells }) => cells[column]?.length ?? 0))),
  );
  const line = (cells: readonly string[], name: string) => {
    const front = cells.map((cell, column) => cut(cell, widths[column] ?? 0).padEnd(widths[column] ?? 0)).join("  ");
    return `${front}  ${cut(name, WIDTH - front.length - 2)}`.trimEnd();
  };
  return [
    line(head, "NAME"),
    ...rows.flatMap(({ job, cells }) => [
      line(cells, plain(job.recording.name)),
      ...(job.failure === undefined ? [] : [`        ${cut(plain(job.failure.message), WIDTH - 8)}`]),
    ]),
  ].join("\n");
}

function cellsOf({ id, state, addedAtMs, attempt, steps, recording }: Job): string[] {
  const seconds = steps.durationSeconds ?? recording.durationSeconds;
  return [
    id,
    state,
    timeText(addedAtMs).slice(5, 16),
    String(attempt),
    seconds === undefined ? "-" : clockText(seconds),
    plain(recording.place.channel),
  ];
}

function details(job: Job, ahead: number): string {
  const { recording, steps, lease, failure } = job;
  const { platform, workspace, channel } = recording.place;
  const seconds = steps.durationSeconds ?? recording.durationSeconds;
  const waiting = job.state === "queued" ? ` (${ahead} before it)` : "";
  const lines: readonly (readonly [string, string | undefined])[] = [
    ["job", job.id],
    ["state", job.state + waiting],
    ["recording", `${plain(recording.name)} (${recording.kind})`],
    ["length", seconds === undefined ? undefined : clockText(seconds)],
    ["from", plain(`${platform}, ${workspace}, ${channel}`)],
    ["added", timeText(job.addedAtMs)],
    ["attempts", String(job.attempt)],
    ["asked for", Object.keys(job.request).length === 0 ? undefined : JSON.stringify(job.request)],
    ["model", steps.plan?.model],
    ["done so far", doneText(job)],
    ["worked on by", lease === undefined ? undefined : `${lease.worker}, until ${timeText(lease.untilMs)}`],
    ["failure", failure === undefined ? undefined : `${failure.code}, ${timeText(failure.atMs)}`],
    ["", failure === undefined ? undefined : plain(failure.message)],
  ];
  const given = lines.filter((line): line is readonly [string, string] => line[1] !== undefined);
  return given.map(([name, value]) => `${name.padEnd(14)}${value}\n`).join("");
}

function doneText({ steps }: Job): string | undefined {
  const done = [
    steps.mediaPath === undefined ? [] : ["downloaded"],
    steps.isTranscribed ? ["transcribed"] : steps.checkpoint === undefined ? [] : ["partly transcribed"],
    steps.isAnswered ? ["answered"] : [],
    steps.sentFiles?.length ? [`${steps.sentFiles.length} files sent`] : [],
  ].flat();
  return done.length === 0 ? undefined : done.join(", ");
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Names come from other people: nothing in them may move the cursor. */
function plain(name: string): string {
  return name.replace(/[\p{Cc}\p{Cf}]/gu, " ");
}

function cut(value: string, width: number): string {
  return value.length <= width ? value : `${value.slice(0, width - 1)}…`;
}
