// A glossary as a text file, one entry a line, that can be imported again.
import type { Glossary, ReplacementPair, Term } from "../glossary.ts";
import { unquoted } from "./words.ts";

/** `Qavylow = kah vee low` is a term and how it has been misheard; `cube control -> kubectl` is a pair. */
export function exportGlossary({ terms, pairs }: Pick<Glossary, "terms" | "pairs">): string {
  const lines = [
    "# Earshot glossary: one term a line, = and how it sounds; wrong -> right for a pair",
    ...terms.map(({ text, soundsLike }) => [text, ...soundsLike].join(" = ")),
    ...pairs.map(({ wrong, right }) => `${wrong} -> ${right}`),
  ];
  return `${lines.join("\n")}\n`;
}

export interface ImportedGlossary {
  readonly terms: readonly Pick<Term, "text" | "soundsLike">[];
  readonly pairs: readonly Pick<ReplacementPair, "wrong" | "right">[];
}

export function importGlossary(text: string): ImportedGlossary {
  const terms: Pick<Term, "text" | "soundsLike">[] = [];
  const pairs: Pick<ReplacementPair, "wrong" | "right">[] = [];
  for (const raw of text.split("\n")) {
    const line = raw.replace(/^[-*•]\s+/, "").trim();
    if (line === "" || line.startsWith("#")) continue;
    const [wrong = "", right] = line.split(/\s*(?:->|→|\t)\s*/).map(unquoted);
    if (right !== undefined && right !== "") {
      if (wrong !== "") pairs.push({ wrong, right });
      continue;
    }
    const [term = "", ...soundsLike] = line.split("=").map((part) => unquoted(part.trim()));
    if (term !== "") terms.push({ text: term, soundsLike: soundsLike.filter((form) => form !== "") });
  }
  return { terms, pairs };
}
