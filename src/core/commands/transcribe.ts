// /transcribe [file | link | latest] [language] [model] [translate] [format…]
import { UserError } from "../errors.ts";
import type { JobRequest } from "../job.ts";
import { LANGUAGES, languageCode } from "../languages.ts";
import * as messages from "../messages.ts";
import type { Invocation } from "../ports.ts";
import type { Recording } from "../recording.ts";
import type { Reply } from "../reply.ts";
import { FORMATS, type Format } from "../settings.ts";
import type { CommandParts } from "./parts.ts";
import { didYouMean } from "./words.ts";

/** What people say around a wish when they mention the bot; none of it is a language, a model or a format. */
const FILLERS = new Set(
  "transcribe please pls this that it the a an in into to as with and for me us file files message recording voice note model language using".split(
    " ",
  ),
);

/** @throws UserError unknown_command, for a word that means nothing */
export async function transcribe(
  words: readonly string[],
  invocation: Invocation,
  { queue, intake, models }: CommandParts,
): Promise<Reply | string> {
  const { request, link } = readRequest(words, models);
  const recordings = await wanted(link, invocation, queue);
  if (typeof recordings === "string") return recordings;
  const lines: string[] = [];
  for (const recording of recordings) {
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
  return lines.join("\n");
}

async function wanted(
  link: string | undefined,
  invocation: Invocation,
  queue: CommandParts["queue"],
): Promise<readonly Recording[] | string> {
  if (link !== undefined) {
    const linked = await invocation.resolveLink?.(link);
    return linked === undefined || linked.length === 0 ? messages.linkHasNoRecording : linked;
  }
  if (invocation.recordings.length > 0) return invocation.recordings;
  const latest = await queue.latest(invocation.place);
  return latest === undefined ? messages.nothingToTranscribe : [latest];
}

/** @throws UserError unknown_command */
export function readRequest(
  words: readonly string[],
  models: readonly string[],
): { readonly request: JobRequest; readonly link?: string } {
  let language: string | undefined;
  let model: string | undefined;
  let translate: boolean | undefined;
  let link: string | undefined;
  const formats: Format[] = [];
  for (const raw of words) {
    if (/^<?https?:\/\//i.test(raw)) {
      link = raw.replace(/^<|[>.,]*$/g, "");
      continue;
    }
    const word = raw.replace(/^[.,:;!?()]+|[.,:;!?()]+$/g, "").toLowerCase();
    if (word === "" || word === "latest" || word === "last" || FILLERS.has(word)) continue;
    const format = FORMATS.find((name) => name === word.replace(/^\./, ""));
    const code = languageCode(word);
    if (format !== undefined) formats.push(format);
    else if (word === "translate" || word === "translated") translate = true;
    else if (models.includes(word) || word === "auto") model = word;
    else if (code !== undefined) language = code;
    else {
      const known = [
        ...Object.values(LANGUAGES).map((name) => name.toLowerCase()),
        ...models,
        ...FORMATS,
        "translate",
        "latest",
      ];
      throw new UserError(
        "unknown_command",
        `${didYouMean("language, model or format", raw, known)} For example: /transcribe latest german srt`,
      );
    }
  }
  return {
    request: {
      ...(language === undefined ? {} : { language }),
      ...(model === undefined ? {} : { model }),
      ...(translate === undefined ? {} : { translate }),
      ...(formats.length === 0 ? {} : { formats }),
    },
    ...(link === undefined ? {} : { link }),
  };
}
