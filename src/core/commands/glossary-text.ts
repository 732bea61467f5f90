// A glossary as text: one entry a line, or between commas, that can be exported and imported again.
import { UserError } from "../errors.ts";
import type { Glossary, ReplacementPair, Term } from "../glossary.ts";
import { quoted, splitList, splitOutsideQuotes, unquoted } from "./words.ts";

export type NewTerm = Pick<Term, "text" | "soundsLike">;
export type NewPair = Pick<ReplacementPair, "wrong" | "right">;

export interface GlossaryEntries {
  readonly terms: readonly NewTerm[];
  readonly pairs: readonly NewPair[];
  readonly prompt?: string;
}

const LONGEST = 100;

/** `Qavylow = kah vee low` is a term and how it has been misheard; `cube control -> kubectl` is a pair. */
export function exportGlossary({ terms, pairs, prompt }: Pick<Glossary, "terms" | "pairs" | "prompt">): string {
  const lines = [
    "# Earshot glossary: one term a line, = and how it sounds; wrong -> right for a pair",
    ...(prompt === "" ? [] : [`prompt: ${quoted(oneLine(prompt))}`]),
    ...terms.map(({ text, soundsLike }) => [text, ...soundsLike].map(quoted).join(" = ")),
    ...pairs.map(({ wrong, right }) => `${quoted(wrong)} -> ${quoted(right)}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** @throws UserError bad_option, for an entry that cannot be read */
export function importGlossary(text: string): GlossaryEntries {
  const terms: NewTerm[] = [];
  const pairs: NewPair[] = [];
  let prompt: string | undefined;
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line.startsWith("#")) continue;
    const promptText = /^prompt:(.*)$/i.exec(line)?.[1];
    if (promptText !== undefined) {
      prompt = unquoted(promptText.trim());
      continue;
    }
    for (const item of splitList(line.replace(/^[-*•]\s+/, ""))) {
      const sides = splitOutsideQuotes(item, /->|→/);
      if (sides.length > 1) pairs.push(readPair(item));
      else terms.push(readTerm(item));
    }
  }
  return { terms, pairs, ...(prompt === undefined ? {} : { prompt }) };
}

/** `Qavylow = kah vee low = cavi low`. @throws UserError bad_option */
export function readTerm(item: string): NewTerm {
  const [term = "", ...forms] = splitOutsideQuotes(item, /[=\t]/).map((part) => spelling(part));
  if (!/[\p{L}\p{N}]/u.test(term)) {
    throw new UserError(
      "bad_option",
      `"${oneLine(item)}" is no term. For example: \`/jargon add Qavylow = kah vee low\``,
    );
  }
  return { text: term, soundsLike: forms.filter((form) => form !== "") };
}

/** `cube control -> kubectl`, also with `=`. @throws UserError bad_option */
export function readPair(item: string): NewPair {
  const [wrong = "", right = "", ...more] = splitOutsideQuotes(item, /->|→|=|\t/).map((part) => spelling(part));
  if (!/[\p{L}\p{N}]/u.test(wrong) || right === "" || more.length > 0) {
    throw new UserError(
      "bad_option",
      `"${oneLine(item)}" is no pair. For example: \`/jargon pairs add cube control = kubectl\``,
    );
  }
  return { wrong, right };
}

/** @throws UserError bad_option */
function spelling(part: string): string {
  const text = oneLine(unquoted(part.trim()));
  if (text.length <= LONGEST) return text;
  throw new UserError(
    "bad_option",
    `"${text.slice(0, 30)}…" is too long: at most ${LONGEST} characters. Sentences go into \`/jargon prompt\`.`,
  );
}

export function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, " ").trim();
}
