// /earshot settings | stats | search | forget | help
import { UserError } from "../errors.ts";
import { limitsAt } from "../limits.ts";
import * as messages from "../messages.ts";
import type { Invocation, SearchHit } from "../ports.ts";
import { type Place, scopeKey } from "../recording.ts";
import type { Reply } from "../reply.ts";
import { mayEdit } from "../rights.ts";
import { helpFor } from "./help.ts";
import type { CommandParts } from "./parts.ts";
import { settings } from "./settings.ts";
import { didYouMean } from "./words.ts";

const DEEDS = ["settings", "stats", "search", "forget", "help"] as const;
const DAY_MS = 86_400_000;
const MOST_HITS = 8;

/** @throws UserError */
export async function earshot(
  [deed, ...rest]: readonly string[],
  invocation: Invocation,
  parts: CommandParts,
): Promise<Reply | string> {
  switch (deed?.toLowerCase()) {
    case undefined:
      return helpFor("earshot");
    case "set":
    case "settings":
      return settings(rest, invocation, parts);
    case "stats":
      return stats(invocation, parts);
    case "search":
      return search(rest, invocation, parts);
    case "forget":
      return forget(rest, invocation, parts);
    default:
      throw new UserError(
        "unknown_command",
        `${didYouMean("command /earshot", deed ?? "", DEEDS)}\n\n${helpFor("earshot")}`,
      );
  }
}

async function stats({ place }: Invocation, parts: CommandParts): Promise<string> {
  const { transcripts, cloudPricePerMinute, now } = parts;
  const today = await todayLines(place, parts);
  const all = await transcripts.stats(place, 0);
  if (all.recordings === 0) return ["Nothing has been transcribed here yet.", ...today].join("\n");
  const month = await transcripts.stats(place, now() - 30 * DAY_MS);
  const hours = (seconds: number) => `${(seconds / 3600).toFixed(1)} h`;
  const price = (seconds: number) => `$${((seconds / 60) * cloudPricePerMinute).toFixed(2)}`;
  return [
    `Transcribed: ${hours(all.audioSeconds)} in ${all.recordings === 1 ? "1 recording" : `${all.recordings} recordings`}, ${hours(month.audioSeconds)} of them in the last 30 days.`,
    ...(month.medianWaitMs === undefined
      ? []
      : [`Wait, from the recording to its text: ${messages.roughly(month.medianWaitMs / 1000)} in the median.`]),
    `A cloud API at $${cloudPricePerMinute} a minute would have cost ${price(all.audioSeconds)}, ${price(month.audioSeconds)} of it in the last 30 days.`,
    ...today,
  ].join("\n");
}

/** What is left of the day's minutes, where there is a limit. */
async function todayLines(place: Place, { queue, settings, limits }: CommandParts): Promise<string[]> {
  const { allowance } = await limitsAt(place, settings, limits);
  const used = await queue.usedToday(place);
  return allowance.days.map((limit) => `Today: ${messages.dayUsed(limit, used[limit.of])}`);
}

async function search(words: readonly string[], { place }: Invocation, { transcripts }: CommandParts): Promise<string> {
  const query = words.join(" ");
  if (!/[\p{L}\p{N}]/u.test(query)) {
    throw new UserError("bad_option", "Which words? For example: `/earshot search deadline friday`");
  }
  const hits = await transcripts.search(place, query, MOST_HITS + 1);
  if (hits.length === 0) return `Nothing in this channel's transcripts has "${query}".`;
  const more = hits.length > MOST_HITS ? "\nThere is more: add a word to narrow it down." : "";
  return hits.slice(0, MOST_HITS).map(hitLine).join("\n") + more;
}

function hitLine({ recording, createdAtMs, start, excerpt }: SearchHit): string {
  const day = new Date(createdAtMs).toISOString().slice(0, 10);
  return `- ${recording.name}, ${day}, at ${messages.clock(start)}: ${excerpt.replaceAll("\u0002", "[").replaceAll("\u0003", "]")}`;
}

async function forget(
  [what, confirmation]: readonly string[],
  { place, actor }: Invocation,
  parts: CommandParts,
): Promise<string> {
  const { transcripts } = parts;
  if (what === undefined) {
    throw new UserError(
      "bad_option",
      "Which one? `/earshot forget 1f3a9c` takes the job's id, `/earshot forget all` the whole channel.",
    );
  }
  const isEditor = await mayEdit(actor, place, parts.settings);
  if (what.toLowerCase() === "all") {
    if (!isEditor) throw new UserError("not_allowed", messages.notYours);
    if (confirmation?.toLowerCase() !== "yes") {
      return "This deletes all transcripts of this channel for good. To do it: `/earshot forget all yes`";
    }
    const count = await transcripts.forget({ scope: place }, actor.user);
    return `${count === 1 ? "1 transcript is" : `${count} transcripts are`} deleted for good.`;
  }
  const stored = await transcripts.get(what.toLowerCase());
  const isHere = stored !== undefined && scopeKey(stored.recording.place) === scopeKey(place);
  if (!isHere) return `There is no transcript ${what} in this channel.`;
  if (!isEditor && stored.recording.place.user !== actor.user) throw new UserError("not_allowed", messages.notYours);
  await transcripts.forget({ jobId: stored.jobId }, actor.user);
  return messages.forgotten(stored.recording);
}
