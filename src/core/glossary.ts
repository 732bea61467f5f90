// The words of a channel: terms, replacements and a free prompt, and how the initial prompt is made of them.
import { UserError } from "./errors.ts";
import type { Level, PromptTokens } from "./ports.ts";
import type { Settings } from "./settings.ts";

export interface Term {
  readonly text: string;
  /** How the model has been seen to write it; replaced by `text`. */
  readonly soundsLike: readonly string[];
  readonly level: Level;
  /** How many transcripts it was found in. */
  readonly uses: number;
}

/** What the model writes -> what is meant. */
export interface ReplacementPair {
  readonly wrong: string;
  readonly right: string;
  readonly level: Level;
}

export interface Glossary {
  readonly terms: readonly Term[];
  readonly pairs: readonly ReplacementPair[];
  /** Free text that stands before the terms; the channel's, else the workspace's. */
  readonly prompt: string;
}

/** Terms and pairs are told apart by their text, without regard to case. */
export type GlossaryChange =
  | { readonly kind: "add"; readonly terms: readonly Pick<Term, "text" | "soundsLike">[] }
  | { readonly kind: "remove"; readonly terms: readonly string[] }
  | {
      readonly kind: "pairs";
      readonly add: readonly Pick<ReplacementPair, "wrong" | "right">[];
      readonly remove: readonly string[];
    }
  | { readonly kind: "prompt"; readonly text: string }
  | { readonly kind: "used"; readonly terms: readonly string[] };

/** The glossary as the channel would see it after a change: what it has itself hides the workspace's of the same name. */
export function withChange(glossary: Glossary, level: Level, change: GlossaryChange): Glossary {
  switch (change.kind) {
    case "add": {
      const added = change.terms.map((term): Term => ({ ...term, level, uses: 0 }));
      return { ...glossary, terms: merged(glossary.terms, added, level, ({ text }) => text) };
    }
    case "remove": {
      const removed = new Set(change.terms.map(folded));
      return {
        ...glossary,
        terms: glossary.terms.filter((term) => term.level !== level || !removed.has(folded(term.text))),
      };
    }
    case "pairs": {
      const removed = new Set(change.remove.map(folded));
      const kept = glossary.pairs.filter((pair) => pair.level !== level || !removed.has(folded(pair.wrong)));
      const added = change.add.map((pair): ReplacementPair => ({ ...pair, level }));
      return { ...glossary, pairs: merged(kept, added, level, ({ wrong }) => wrong) };
    }
    case "prompt":
      return { ...glossary, prompt: change.text };
    case "used":
      return glossary;
    default:
      return change satisfies never;
  }
}

function merged<Entry extends { readonly level: Level }>(
  before: readonly Entry[],
  added: readonly Entry[],
  level: Level,
  nameOf: (entry: Entry) => string,
): Entry[] {
  const names = new Set(added.map((entry) => folded(nameOf(entry))));
  const own = before.filter((entry) => entry.level === "channel");
  const owned = new Set(own.map((entry) => folded(nameOf(entry))));
  return level === "channel"
    ? [
        ...own.filter((entry) => !names.has(folded(nameOf(entry)))),
        ...added,
        ...before.filter((entry) => entry.level === "workspace" && !names.has(folded(nameOf(entry)))),
      ]
    : [
        ...own,
        ...before.filter((entry) => entry.level === "workspace" && !names.has(folded(nameOf(entry)))),
        ...added.filter((entry) => !owned.has(folded(nameOf(entry)))),
      ];
}

/** Words that make Whisper keep such words. Ref: OpenAI's speech-to-text guide, "Prompting". */
const VERBATIM = "Umm, let me think like, hmm... Okay, here's what I'm, like, thinking.";

export interface BuiltPrompt {
  readonly text: string;
  /** Tokens of the text. */
  readonly used: number;
  /** Terms for which there was no room, the least used ones. */
  readonly leftOut: readonly Term[];
}

/** The initial prompt: free text, then the terms, the channel's own first. */
export async function buildPrompt(
  glossary: Glossary,
  settings: Pick<Settings, "verbatim">,
  tokens: PromptTokens,
): Promise<BuiltPrompt> {
  const whole = promptOf(glossary, glossary.terms, settings);
  const used = await tokens.count(whole);
  if (used <= tokens.budget) return { text: whole, used, leftOut: [] };
  // Too much only when the workspace's glossary grew after the channel's was set, or the settings changed.
  const ranked = glossary.terms.toSorted(
    (a, b) => Number(a.level === "workspace") - Number(b.level === "workspace") || b.uses - a.uses,
  );
  let count = ranked.length;
  let text = whole;
  let size = used;
  while (size > tokens.budget && count > 0) {
    // At least one term less, and as many as the excess suggests.
    count = Math.min(count - 1, Math.floor((count * tokens.budget) / size));
    text = promptOf(glossary, inOrder(glossary.terms, ranked.slice(0, count)), settings);
    size = await tokens.count(text);
  }
  const kept = new Set(ranked.slice(0, count));
  return { text, used: size, leftOut: glossary.terms.filter((term) => !kept.has(term)) };
}

/** @throws UserError prompt_too_long, with the numbers, when the glossary would not fit */
export async function checkFits(
  glossary: Glossary,
  settings: Pick<Settings, "verbatim">,
  tokens: PromptTokens,
): Promise<void> {
  const used = await tokens.count(promptOf(glossary, glossary.terms, settings));
  if (used <= tokens.budget) return;
  throw new UserError(
    "prompt_too_long",
    `That would make ${used} tokens, and there is room for ${tokens.budget}. Nothing was changed: first remove some ` +
      "words with /jargon remove, or shorten the prompt.",
  );
}

function promptOf({ prompt }: Glossary, terms: readonly Term[], { verbatim }: Pick<Settings, "verbatim">): string {
  const list = terms.length === 0 ? "" : `Glossary: ${terms.map((term) => term.text).join(", ")}.`;
  return [verbatim ? VERBATIM : "", prompt.trim(), list].filter((part) => part !== "").join(" ");
}

function inOrder(terms: readonly Term[], chosen: readonly Term[]): Term[] {
  const set = new Set(chosen);
  return terms.filter((term) => set.has(term));
}

/** What tells terms and pairs apart. */
export function folded(text: string): string {
  return text.normalize("NFC").trim().replace(/\s+/g, " ").toLowerCase();
}
