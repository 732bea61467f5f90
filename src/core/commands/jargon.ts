// /jargon list | add | remove | prompt | pairs | import | export | try
import { UserError } from "../errors.ts";
import {
  buildPrompt,
  checkFits,
  type Glossary,
  type GlossaryChange,
  type ReplacementPair,
  type Term,
  withChange,
} from "../glossary.ts";
import * as messages from "../messages.ts";
import type { Invocation, Level } from "../ports.ts";
import type { Reply } from "../reply.ts";
import { mayEdit } from "../rights.ts";
import { effectiveSettings } from "../settings.ts";
import { exportGlossary, importGlossary } from "./glossary-text.ts";
import { helpFor } from "./help.ts";
import type { CommandParts } from "./parts.ts";
import { didYouMean, splitList, unquoted } from "./words.ts";

const DEEDS = ["list", "add", "remove", "prompt", "pairs", "import", "export", "try", "help"] as const;

/** @throws UserError */
export async function jargon(
  words: readonly string[],
  invocation: Invocation,
  parts: CommandParts,
): Promise<Reply | string> {
  const [deed = "list"] = words;
  const level: Level = words.includes("--workspace") ? "workspace" : "channel";
  // The rest keeps its quotes, commas and line ends.
  const rest = invocation.text
    .trim()
    .slice(deed.length)
    .replace(/(^|\s)--workspace(?=\s|$)/g, "$1")
    .trim();
  switch (deed.toLowerCase()) {
    case "list":
      return listed(await parts.glossary.of(invocation.place), invocation, parts);
    case "add":
      return change({ kind: "add", terms: readTerms(rest) }, level, invocation, parts);
    case "remove":
      return change(
        { kind: "remove", terms: required(splitList(rest), "/jargon remove Zentrix") },
        level,
        invocation,
        parts,
      );
    case "prompt":
      return change(
        { kind: "prompt", text: /^(none|off|clear)$/i.test(rest) ? "" : unquoted(rest) },
        level,
        invocation,
        parts,
      );
    case "pairs":
      return change(readPairs(rest), level, invocation, parts);
    case "import":
      return imported(rest, level, invocation, parts);
    case "export":
      return exported(await parts.glossary.of(invocation.place));
    case "try":
      return tried(invocation, parts);
    default:
      throw new UserError("unknown_command", `${didYouMean("command /jargon", deed, DEEDS)}\n\n${helpFor("jargon")}`);
  }
}

async function change(
  asked: GlossaryChange,
  level: Level,
  invocation: Invocation,
  parts: CommandParts,
): Promise<string> {
  const { place, actor } = invocation;
  await allow(invocation, parts);
  const before = await parts.glossary.of(place);
  const after = withChange(before, level, asked);
  const { settings, tokens } = await settingsAndTokens(invocation, parts);
  if (asked.kind !== "remove") await checkFits(after, settings, tokens);
  await parts.glossary.change(place, level, asked, actor.user);
  return `${done(asked, level)} ${await room(invocation, parts)}`;
}

async function allow({ place, actor }: Invocation, parts: CommandParts): Promise<void> {
  if (await mayEdit(actor, place, parts.settings)) return;
  const { editors } = effectiveSettings(await parts.settings.workspace(place), await parts.settings.channel(place));
  throw new UserError("not_allowed", messages.notAllowed(editors));
}

async function settingsAndTokens({ place }: Invocation, parts: CommandParts) {
  const settings = effectiveSettings(await parts.settings.workspace(place), await parts.settings.channel(place));
  return { settings, tokens: parts.tokens(settings.model) };
}

async function room(invocation: Invocation, parts: CommandParts): Promise<string> {
  const { settings, tokens } = await settingsAndTokens(invocation, parts);
  const { used } = await buildPrompt(await parts.glossary.of(invocation.place), settings, tokens);
  return `${used} of ${tokens.budget} tokens are used.`;
}

function done(asked: GlossaryChange, level: Level): string {
  const where = level === "workspace" ? " for all channels" : "";
  switch (asked.kind) {
    case "add":
      return `Added${where}: ${asked.terms.map((term) => term.text).join(", ")}.`;
    case "remove":
      return `Removed${where}: ${asked.terms.join(", ")}.`;
    case "pairs": {
      const added = asked.add.map(({ wrong, right }) => `${wrong} → ${right}`);
      const removed = asked.remove.length === 0 ? "" : `Not replaced any more${where}: ${asked.remove.join(", ")}.`;
      return [added.length === 0 ? "" : `Replaced from now on${where}: ${added.join(", ")}.`, removed]
        .filter(Boolean)
        .join(" ");
    }
    case "prompt":
      return asked.text === "" ? `The prompt is empty${where}.` : `The prompt is set${where}.`;
    case "used":
      return "";
    default:
      return asked satisfies never;
  }
}

async function listed(glossary: Glossary, invocation: Invocation, parts: CommandParts): Promise<string> {
  const { terms, pairs, prompt } = glossary;
  if (terms.length === 0 && pairs.length === 0 && prompt === "") {
    return "This channel has no words of its own yet. Add names and terms as they are to be spelled: `/jargon add Qavylow, Zentrix`";
  }
  const mark = (level: Level) => (level === "workspace" ? " (all channels)" : "");
  const lines = [
    ...(prompt === "" ? [] : [`Prompt: ${prompt}`]),
    ...terms.map(
      ({ text, soundsLike, level }) =>
        `- ${text}${soundsLike.length > 0 ? ` = ${soundsLike.join(" = ")}` : ""}${mark(level)}`,
    ),
    ...pairs.map(({ wrong, right, level }) => `- ${wrong} → ${right}${mark(level)}`),
  ];
  return `${lines.join("\n")}\n${await room(invocation, parts)}`;
}

/** "Qavylow = kah vee low, Zentrix" */
function readTerms(text: string): Pick<Term, "text" | "soundsLike">[] {
  return required(splitList(text), "/jargon add Qavylow, Zentrix").map((item) => {
    const [term = "", ...soundsLike] = item.split("=").map((part) => unquoted(part.trim()));
    const forms = soundsLike.filter((form) => form !== "");
    if (term === "")
      throw new UserError(
        "bad_option",
        `A term is missing before the "=". For example: /jargon add Qavylow = kah vee low`,
      );
    return { text: term, soundsLike: forms };
  });
}

/** "add cube control = kubectl", "remove cube control", "cube control -> kubectl" */
function readPairs(text: string): GlossaryChange {
  const [, deed = "add", rest = ""] = /^(?:(add|remove)(?:\s+|$))?(.*)$/is.exec(text) ?? [];
  const items = required(splitList(rest), "/jargon pairs add cube control = kubectl");
  if (deed.toLowerCase() === "remove") return { kind: "pairs", add: [], remove: items };
  const add = items.map((item): Pick<ReplacementPair, "wrong" | "right"> => {
    const [wrong = "", right = "", ...more] = item.split(/\s*(?:->|→|=)\s*/).map(unquoted);
    if (wrong === "" || right === "" || more.length > 0) {
      throw new UserError("bad_option", `"${item}" is no pair. For example: /jargon pairs add cube control = kubectl`);
    }
    return { wrong, right };
  });
  return { kind: "pairs", add, remove: [] };
}

function required(items: string[], example: string): string[] {
  if (items.length === 0) throw new UserError("bad_option", `Which words? For example: ${example}`);
  return items;
}

async function imported(text: string, level: Level, invocation: Invocation, parts: CommandParts): Promise<string> {
  const { terms, pairs } = importGlossary(text);
  if (terms.length === 0 && pairs.length === 0) {
    throw new UserError(
      "bad_option",
      "Nothing to import. Put one term on a line, or a pair as: cube control -> kubectl",
    );
  }
  // Both or neither: the check is made with all of it.
  const all = withChange(withChange(await parts.glossary.of(invocation.place), level, { kind: "add", terms }), level, {
    kind: "pairs",
    add: pairs,
    remove: [],
  });
  await allow(invocation, parts);
  const { settings, tokens } = await settingsAndTokens(invocation, parts);
  await checkFits(all, settings, tokens);
  const { place, actor } = invocation;
  if (terms.length > 0) await parts.glossary.change(place, level, { kind: "add", terms }, actor.user);
  if (pairs.length > 0)
    await parts.glossary.change(place, level, { kind: "pairs", add: pairs, remove: [] }, actor.user);
  return `Imported ${terms.length} terms and ${pairs.length} pairs. ${await room(invocation, parts)}`;
}

function exported(glossary: Glossary): Reply {
  const content = exportGlossary(glossary);
  const file = { name: "glossary.txt", mimeType: "text/plain", content };
  return { kind: "words", text: `${glossary.terms.length} terms and ${glossary.pairs.length} pairs.`, files: [file] };
}

/** The newest transcript's recording once more, with the words as they are now. */
async function tried(invocation: Invocation, { transcripts, intake }: CommandParts): Promise<Reply | string> {
  const latest = await transcripts.latest(invocation.place);
  if (latest === undefined) return messages.nothingToTranscribe;
  const reception = await intake.ask(latest.recording, { compareWith: latest.jobId }, invocation.actor, {
    ...latest.recording.place,
    reach: invocation.place.reach,
  });
  return reception.kind === "refused" ? reception.reply : messages.tryingAgain(latest.recording);
}
