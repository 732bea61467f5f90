// The process that opens the bench's database as a gateway does, uses it, and tells how long things took.
import process from "node:process";
import type { Scope } from "../../core/recording.ts";
import { openDatabase } from "../../storage/database.ts";
import { createQueue } from "../../storage/queue.ts";
import { createTranscriptStore } from "../../storage/transcripts.ts";
import { wordOfRank } from "./gateway.ts";

export interface GatewayFigures {
  /** Milliseconds of each call. */
  readonly times: Readonly<Record<string, readonly number[]>>;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

const ROUNDS = 100;
const QUIET: Scope = { platform: "slack", workspace: "T1", channel: "C1" };
const BUSY: Scope = { ...QUIET, channel: "C0" };

async function measure(path: string): Promise<GatewayFigures> {
  const bytesBefore = process.memoryUsage().rss;
  const database = openDatabase(path);
  const queue = createQueue(database);
  const transcripts = createTranscriptStore(database);
  const times: Record<string, number[]> = {};
  const timed = async (name: string, work: (round: number) => Promise<unknown>) => {
    const all: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const startedAt = performance.now();
      await work(round);
      all.push(performance.now() - startedAt);
    }
    times[name] = all;
  };
  const search = (scope: Scope, words: (round: number) => string) => (round: number) =>
    transcripts.search(scope, words(round), 20);

  await timed("search, a frequent word, busy channel", search(BUSY, wordOfRank));
  await timed("search, a frequent word, quiet channel", search(QUIET, wordOfRank));
  await timed(
    "search, a rare word, quiet channel",
    search(QUIET, (round) => wordOfRank(15_000 + round)),
  );
  await timed(
    "search, two words, busy channel",
    search(BUSY, (round) => `${wordOfRank(round)} ${wordOfRank(round + 300)}`),
  );
  await timed(
    "search, two letters of a word, quiet channel",
    search(QUIET, (round) => wordOfRank(round % 50)),
  );
  await timed(
    "search, a word that nobody said",
    search(BUSY, () => "xylophone"),
  );
  const [waiting] = await queue.list({ state: "queued", limit: 1 });
  await timed("place of the last job in the queue", () => queue.ahead(waiting?.id ?? ""));
  await timed("numbers of jobs by state", () => queue.counts());
  await timed("claim", () => queue.claim("bench", 60_000, "any"));
  await timed("claim in the short lane", () => queue.claim("bench", 60_000, "short"));
  const bytesAfter = process.memoryUsage().rss;
  database.close();
  return { times, bytesBefore, bytesAfter };
}

const [path] = process.argv.slice(2);
if (path !== undefined && process.send !== undefined) {
  process.send(await measure(path));
  process.disconnect();
}
