// /transcribe [file | link | latest] [language] [model] [translate] [format…]
import * as messages from "../messages.ts";
import type { Invocation } from "../ports.ts";
import { type Recording, scopeKey, withPlainName } from "../recording.ts";
import type { Reply } from "../reply.ts";
import type { CommandParts } from "./parts.ts";
import { readRequest, type Wish } from "./request.ts";

/** @throws UserError unknown_command, for a word that means nothing */
export async function transcribe(
  words: readonly string[],
  invocation: Invocation,
  { queue, intake, models }: CommandParts,
): Promise<Reply | string> {
  const { request, ...wish } = readRequest(words, models);
  const recordings = await wanted(wish, invocation, queue);
  if (typeof recordings === "string") return recordings;
  const lines: string[] = [];
  for (const recording of recordings.map(withPlainName)) {
    const reception = await intake.ask(recording, request, invocation.actor, invocation.place);
    switch (reception.kind) {
      case "added":
      case "duplicate":
        lines.push(messages.startedJob(recording, reception.kind === "duplicate"));
        break;
      case "refused":
        if (recordings.length === 1) return reception.reply;
        lines.push("text" in reception.reply ? reception.reply.text : "");
        break;
      case "ignored":
        break;
      default:
        reception satisfies never;
    }
  }
  return lines.length === 0 ? messages.nothingToTranscribe : lines.join("\n");
}

async function wanted(
  { link, jobId }: Pick<Wish, "link" | "jobId">,
  invocation: Invocation,
  queue: CommandParts["queue"],
): Promise<readonly Recording[] | string> {
  if (jobId !== undefined) {
    const job = await queue.get(jobId);
    // Nobody learns from here what there is in another channel.
    const isHere = job !== undefined && scopeKey(job.recording.place) === scopeKey(invocation.place);
    return isHere ? [job.recording] : `There is no recording ${jobId} in this channel.`;
  }
  if (link !== undefined) {
    const linked = await invocation.resolveLink?.(link);
    return linked === undefined || linked.length === 0 ? messages.linkHasNoRecording : linked;
  }
  if (invocation.recordings.length > 0) return invocation.recordings;
  const latest = await queue.latest(invocation.place);
  return latest === undefined ? messages.nothingToTranscribe : [latest];
}
