// The words of a channel: terms, replacements and a free prompt, and how the initial prompt is made of them.
import { UserError } from "./errors.ts";
import type { Level, PromptTokens } from "./ports.ts";
import type { Settings } from "./settings.ts";
import type { Segment, Transcript, Word } from "./transcript.ts";

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

/** The glossary as it would be after a change at one level. */
export function withChange(glossary: Glossary, level: Level, change: GlossaryChange): Glossary {
  switch (change.kind) {
    case "add": {
      const changed = new Set(change.terms.map(({ text }) => folded(text)));
      const added = change.terms.map((term): Term => ({ ...term, level, uses: 0 }));
      return { ...glossary, terms: [...glossary.terms.filter(({ text }) => !changed.has(folded(text))), ...added] };
    }
    case "remove": {
      const removed = new Set(change.terms.map(folded));
      return {
        ...glossary,
        terms: glossary.terms.filter((term) => term.level !== level || !removed.has(folded(term.text))),
      };
    }
    case "pairs": {
      const gone = new Set([...change.remove, ...change.add.map(({ wrong }) => wrong)].map(folded));
      const added = change.add.map((pair): ReplacementPair => ({ ...pair, level }));
      return { ...glossary, pairs: [...glossary.pairs.filter(({ wrong }) => !gone.has(folded(wrong))), ...added] };
    }
    case "prompt":
      return { ...glossary, prompt: change.text };
    case "used":
      return glossary;
    default:
      return change satisfies never;
  }
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

type Heard = Pick<Transcript, "text" | "segments">;

/**
 * Puts what is meant in place of what the model wrote: pairs, and terms for what they sound like. Whole words only,
 * whatever their case; a match of several words becomes one word, from the start of the first to the end of the last.
 */
export function applyPairs<T extends Heard>(transcript: T, { terms, pairs }: Glossary): T {
  const replacements = new Map<string, string>();
  for (const { text, soundsLike } of terms) for (const wrong of soundsLike) replacements.set(folded(wrong), text);
  for (const { wrong, right } of pairs) replacements.set(folded(wrong), right);
  const pattern = anyOf([...replacements.keys()]);
  if (pattern === undefined) return transcript;
  const replace = (text: string) => text.replace(pattern, (match) => replacements.get(folded(match)) ?? match);
  const segments = transcript.segments.map((segment): Segment => {
    const text = replace(segment.text);
    if (text === segment.text) return segment;
    return {
      ...segment,
      text,
      ...(segment.words === undefined ? {} : { words: replaceWords(segment.words, pattern, replace) }),
    };
  });
  return { ...transcript, segments, text: segments.map((segment) => segment.text).join("") };
}

function replaceWords(words: readonly Word[], pattern: RegExp, replace: (text: string) => string): Word[] {
  const text = words.map(({ word }) => word).join("");
  const starts: number[] = [];
  for (let at = 0, index = 0; index < words.length; index++) {
    starts.push(at);
    at += words[index]?.word.length ?? 0;
  }
  const replaced: Word[] = [];
  let next = 0;
  for (const match of text.matchAll(pattern)) {
    const end = match.index + match[0].length;
    const first = starts.findLastIndex((start) => start <= match.index);
    const last = starts.findLastIndex((start) => start < end);
    if (first < next) continue;
    replaced.push(...words.slice(next, first));
    const merged = words.slice(first, last + 1);
    replaced.push({
      word: replace(merged.map(({ word }) => word).join("")),
      start: merged[0]?.start ?? 0,
      end: merged.at(-1)?.end ?? 0,
      probability: Math.min(...merged.map(({ probability }) => probability)),
    });
    next = last + 1;
  }
  return [...replaced, ...words.slice(next)];
}

/** The terms that stand in a transcript, as they are spelled in the glossary. */
export function termsFound({ text }: Pick<Transcript, "text">, { terms }: Glossary): string[] {
  return terms.map((term) => term.text).filter((term) => anyOf([term])?.test(text));
}

/** Matches any of the texts as whole words, the longest first. Spaces match any run of white space. */
function anyOf(texts: readonly string[]): RegExp | undefined {
  const parts = texts
    .filter((text) => text.trim() !== "")
    .toSorted((a, b) => b.length - a.length)
    .map((text) => text.trim().split(/\s+/).map(escaped).join("\\s+"));
  if (parts.length === 0) return undefined;
  // Not \b: a term may begin or end with a sign, as "C++" does.
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${parts.join("|")})(?![\\p{L}\\p{N}])`, "giu");
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

function folded(text: string): string {
  return text.normalize("NFC").trim().replace(/\s+/g, " ").toLowerCase();
}
