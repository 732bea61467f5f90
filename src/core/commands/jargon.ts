// /jargon list | add | remove | prompt | pairs | import | export | try
import { UserError } from "../errors.ts";
import { buildPrompt, checkFits, folded, type Glossary, type GlossaryChange, withChange } from "../glossary.ts";
import * as messages from "../messages.ts";
import type { Invocation, Level } from "../ports.ts";
import { scopeKey } from "../recording.ts";
import type { Reply } from "../reply.ts";
import { mayEdit } from "../rights.ts";
import { effectiveSettings } from "../settings.ts";
import { exportGlossary, importGlossary, type NewTerm, oneLine, readPair, readTerm } from "./glossary-text.ts";
import { helpFor } from "./help.ts";
import type { CommandParts } from "./parts.ts";
import { didYouMean, levelOfText, nearest, splitList, unquoted } from "./words.ts";

const DEEDS = ["list", "add", "remove", "prompt", "pairs", "import", "export", "try", "help"] as const;
/** Entries of a list that a chat still shows well. */
const MOST_LISTED = 40;

/** @throws UserError */
export async function jargon(
  [deed = "list"]: readonly string[],
  invocation: Invocation,
  parts: CommandParts,
): Promise<Reply | string> {
  // The rest keeps its quotes, commas and line ends.
  const { level, rest } = levelOfText(invocation.text.trim().replace(/^\S+/, ""));
  const glossary = await parts.glossary.of(invocation.place);
  switch (deed.toLowerCase()) {
    case "list":
      return listed(glossary, invocation, parts);
    case "add":
      return added(rest, level, glossary, invocation, parts);
    case "remove":
      return removed(rest, level, glossary, invocation, parts);
    case "prompt":
      return prompted(rest, level, glossary, invocation, parts);
    case "pairs":
      return paired(rest, level, glossary, invocation, parts);
    case "import":
      return imported(rest, level, glossary, invocation, parts);
    case "export":
      return exported(glossary, level);
    case "try":
      return tried(rest, invocation, parts);
    default:
      throw new UserError("unknown_command", `${didYouMean("command /jargon", deed, DEEDS)}\n\n${helpFor("jargon")}`);
  }
}

/** All of the changes or none: what they make together is checked first. */
async function change(
  asked: readonly GlossaryChange[],
  level: Level,
  glossary: Glossary,
  invocation: Invocation,
  parts: CommandParts,
): Promise<void> {
  const { place, actor } = invocation;
  if (!(await mayEdit(actor, place, parts.settings, level))) {
    const own = level === "channel" ? await parts.settings.channel(place) : {};
    const { editors } = effectiveSettings(await parts.settings.workspace(place), own);
    throw new UserError("not_allowed", messages.notAllowed(editors));
  }
  const after = asked.reduce((before, one) => withChange(before, level, one), glossary);
  const { settings, tokens } = await settingsAndTokens(invocation, parts);
  if (asked.some(makesLonger)) await checkFits(after, settings, tokens);
  for (const one of asked) await parts.glossary.change(place, level, one, actor.user);
}

/** Whoever takes something away must be able to, even while there is too much. */
function makesLonger(asked: GlossaryChange): boolean {
  return asked.kind === "add" || (asked.kind === "prompt" && asked.text !== "");
}

async function settingsAndTokens({ place }: Invocation, parts: CommandParts) {
  const settings = effectiveSettings(await parts.settings.workspace(place), await parts.settings.channel(place));
  return { settings, tokens: parts.tokens(settings.model) };
}

async function room(invocation: Invocation, parts: CommandParts): Promise<string> {
  const { settings, tokens } = await settingsAndTokens(invocation, parts);
  const { used, leftOut } = await buildPrompt(await parts.glossary.of(invocation.place), settings, tokens);
  const more = leftOut.length === 0 ? "" : ` ${messages.termsLeftOut(leftOut.map((term) => term.text))}`;
  return `${used} of ${tokens.budget} tokens are used.${more}`;
}

async function listed(glossary: Glossary, invocation: Invocation, parts: CommandParts): Promise<string> {
  const { terms, pairs, prompt } = glossary;
  if (terms.length === 0 && pairs.length === 0 && prompt === "") {
    return "This channel has no words of its own yet. Add names and terms as they are to be spelled: `/jargon add Qavylow, Zentrix`";
  }
  const mark = (level: Level) => (level === "workspace" ? " (all channels)" : "");
  const entries = [
    ...terms.map(({ text, soundsLike, level }) => `- ${[text, ...soundsLike].join(" = ")}${mark(level)}`),
    ...pairs.map(({ wrong, right, level }) => `- ${wrong} → ${right}${mark(level)}`),
  ];
  const more = entries.length - MOST_LISTED;
  return [
    ...(prompt === "" ? [] : [`Prompt: ${prompt}`]),
    ...entries.slice(0, MOST_LISTED),
    ...(more > 0 ? [`… and ${more} more: \`/jargon export\``] : []),
    await room(invocation, parts),
  ].join("\n");
}

type Change = (
  rest: string,
  level: Level,
  glossary: Glossary,
  invocation: Invocation,
  parts: CommandParts,
) => Promise<string>;

/** "Qavylow = kah vee low, Zentrix" */
const added: Change = async (rest, level, glossary, invocation, parts) => {
  const entries = required(splitList(rest), "/jargon add Qavylow, Zentrix").map(readTerm);
  const terms = withKnownForms(entries, level, glossary);
  await change([{ kind: "add", terms }], level, glossary, invocation, parts);
  return `Added${where(level)}: ${terms.map(({ text }) => text).join(", ")}. ${await room(invocation, parts)} See what it does: \`/jargon try\``;
};

/** A term that is added again keeps the forms that it had. */
function withKnownForms(entries: readonly NewTerm[], level: Level, { terms }: Glossary): NewTerm[] {
  const byName = new Map<string, NewTerm>();
  for (const { text, soundsLike } of entries) {
    const name = folded(text);
    const known = byName.get(name) ?? terms.find((term) => term.level === level && folded(term.text) === name);
    const forms = new Map([...(known?.soundsLike ?? []), ...soundsLike].map((form) => [folded(form), form]));
    byName.set(name, { text, soundsLike: [...forms.values()] });
  }
  return [...byName.values()];
}

const removed: Change = async (rest, level, glossary, invocation, parts) => {
  const names = required(splitList(rest), "/jargon remove Zentrix").map(unquoted);
  const terms = names.map((name) => existing(name, level, glossary.terms, ({ text }) => text, "/jargon remove"));
  await change([{ kind: "remove", terms }], level, glossary, invocation, parts);
  return `Removed${where(level)}: ${terms.join(", ")}. ${await room(invocation, parts)}`;
};

/** The entry as it is spelled. @throws UserError not_found, saying where it is or what may have been meant */
function existing<Entry extends { readonly level: Level }>(
  name: string,
  level: Level,
  entries: readonly Entry[],
  nameOf: (entry: Entry) => string,
  command: string,
): string {
  const alike = entries.filter((entry) => folded(nameOf(entry)) === folded(name));
  const found = alike.find((entry) => entry.level === level);
  if (found !== undefined) return nameOf(found);
  if (alike.length > 0) {
    const option = level === "channel" ? " --workspace" : "";
    const place = level === "channel" ? "of all channels" : "of this channel alone";
    throw new UserError("not_found", `"${name}" is ${place}: \`${command} ${name}${option}\``);
  }
  const near = nearest(
    name,
    entries.map((entry) => nameOf(entry)),
  );
  const hint = near === undefined ? "See `/jargon list`." : `Did you mean ${near}?`;
  throw new UserError("not_found", `"${name}" is not in the list. ${hint}`);
}

const prompted: Change = async (rest, level, glossary, invocation, parts) => {
  if (rest === "") {
    return glossary.prompt === ""
      ? "There is no prompt yet. For example: `/jargon prompt Notes of a stand-up at Zentrix.`"
      : `Prompt: ${glossary.prompt}\nTo empty it: \`/jargon prompt clear\``;
  }
  const text = /^(none|off|clear)$/i.test(rest) ? "" : oneLine(unquoted(rest));
  await change([{ kind: "prompt", text }], level, glossary, invocation, parts);
  return `The prompt is ${text === "" ? "empty" : "set"}${where(level)}. ${await room(invocation, parts)}`;
};

/** "add cube control = kubectl", "remove cube control", "cube control -> kubectl" */
const paired: Change = async (rest, level, glossary, invocation, parts) => {
  if (rest === "") {
    const lines = glossary.pairs.map(({ wrong, right }) => `- ${wrong} → ${right}`);
    return lines.length > 0
      ? lines.join("\n")
      : "There are no pairs yet. For example: `/jargon pairs add cube control = kubectl`";
  }
  const [, deed = "add", text = ""] = /^(?:(add|remove)(?:\s+|$))?(.*)$/is.exec(rest) ?? [];
  const items = required(splitList(text), "/jargon pairs add cube control = kubectl");
  if (deed.toLowerCase() === "remove") {
    const remove = items
      .map(unquoted)
      .map((name) => existing(name, level, glossary.pairs, ({ wrong }) => wrong, "/jargon pairs remove"));
    await change([{ kind: "pairs", add: [], remove }], level, glossary, invocation, parts);
    return `Not replaced any more${where(level)}: ${remove.join(", ")}.`;
  }
  const add = items.map(readPair);
  await change([{ kind: "pairs", add, remove: [] }], level, glossary, invocation, parts);
  return `Replaced from now on${where(level)}: ${add.map(({ wrong, right }) => `${wrong} → ${right}`).join(", ")}.`;
};

const imported: Change = async (rest, level, glossary, invocation, parts) => {
  const { terms, pairs, prompt } = importGlossary(rest);
  const asked: GlossaryChange[] = [];
  if (terms.length > 0) asked.push({ kind: "add", terms: withKnownForms(terms, level, glossary) });
  if (pairs.length > 0) asked.push({ kind: "pairs", add: pairs, remove: [] });
  if (prompt !== undefined && prompt !== glossary.prompt) asked.push({ kind: "prompt", text: prompt });
  if (asked.length === 0 && prompt === undefined) {
    throw new UserError(
      "bad_option",
      "Nothing to import. Put one term on a line, or a pair as: cube control -> kubectl",
    );
  }
  await change(asked, level, glossary, invocation, parts);
  return `Imported${where(level)}: ${counted(terms.length, pairs.length)}. ${await room(invocation, parts)}`;
};

function counted(terms: number, pairs: number): string {
  return `${terms} ${terms === 1 ? "term" : "terms"} and ${pairs} ${pairs === 1 ? "pair" : "pairs"}`;
}

/** What one level has, so that its import elsewhere does not make all of it the channel's own. */
function exported(glossary: Glossary, level: Level): Reply {
  const terms = glossary.terms.filter((term) => term.level === level);
  const pairs = glossary.pairs.filter((pair) => pair.level === level);
  const content = exportGlossary({ terms, pairs, prompt: level === "channel" ? glossary.prompt : "" });
  const text = `Here are ${counted(terms.length, pairs.length)}${where(level)}, for \`/jargon import\`.`;
  return { kind: "words", text, files: [{ name: "glossary.txt", mimeType: "text/plain", content }] };
}

/** A transcript's recording once more, the newest or a job's, in its language and model, with the words as they are now. */
async function tried(
  jobId: string,
  invocation: Invocation,
  { transcripts, intake }: CommandParts,
): Promise<Reply | string> {
  const named = jobId === "" ? undefined : await transcripts.get(jobId.toLowerCase());
  if (jobId !== "" && (named === undefined || scopeKey(named.recording.place) !== scopeKey(invocation.place))) {
    return `There is no transcript ${jobId} in this channel.`;
  }
  const latest = named ?? (await transcripts.latest(invocation.place));
  if (latest === undefined) return messages.nothingToTranscribe;
  const { language, model, task } = latest.plan;
  const request = {
    compareWith: latest.jobId,
    model,
    translate: task === "translate",
    ...(language === undefined ? {} : { language }),
  };
  const reception = await intake.ask(latest.recording, request, invocation.actor, {
    ...latest.recording.place,
    reach: invocation.place.reach,
  });
  return reception.kind === "refused" ? reception.reply : messages.tryingAgain(latest.recording);
}

function where(level: Level): string {
  return level === "workspace" ? " for all channels" : "";
}

function required(items: string[], example: string): string[] {
  if (items.length === 0) throw new UserError("bad_option", `Which words? For example: \`${example}\``);
  return items;
}
