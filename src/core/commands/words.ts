// A command's text as words and lists, quotes respected, and what people mean when they mistype a word.
import { editDistance, slipDistance } from "../edit-distance.ts";

const QUOTES: Readonly<Record<string, string>> = { '"': '"', "“": "”", "„": "“", "«": "»", "”": "”" };

/** Words between white space; "several words" in quotes are one. A quote that is never closed is a sign like any other. */
export function splitWords(text: string): string[] {
  return splitOutsideQuotes(text, /\s/).flatMap((word) => {
    const trimmed = word.trim();
    return trimmed === "" ? [] : [unquoted(trimmed)];
  });
}

/** Items between commas, semicolons or line ends, as typed: still with the quotes around them. */
export function splitList(text: string): string[] {
  return splitOutsideQuotes(text, /[,;\n]/)
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Parts between separators that stand in no quotes. A quote opens only where a word begins: 5" is five inches. */
export function splitOutsideQuotes(text: string, separator: RegExp): string[] {
  const at = new RegExp(separator.source, "y");
  const parts: string[] = [];
  let start = 0;
  let position = 0;
  while (position < text.length) {
    at.lastIndex = position;
    const found = at.exec(text)?.[0] ?? "";
    if (found !== "") {
      parts.push(text.slice(start, position));
      position += found.length;
      start = position;
      continue;
    }
    const isWordStart = position === start || /\s|[,;=>→|]/.test(text[position - 1] ?? "");
    position = (isWordStart ? quoteEnd(text, position) : undefined) ?? position + 1;
  }
  parts.push(text.slice(start));
  return parts;
}

/** Where the quote that opens at a position ends, behind its closing sign. */
function quoteEnd(text: string, open: number): number | undefined {
  const close = QUOTES[text[open] ?? ""];
  if (close === undefined) return undefined;
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === "\\" && /["\\]/.test(text[at + 1] ?? "")) at++;
    else if (text[at] === close) return at + 1;
  }
  return undefined;
}

/** What stands in quotes, when all of it does: `"a \"b\""` -> `a "b"`. */
export function unquoted(text: string): string {
  if (quoteEnd(text, 0) !== text.length) return text;
  return text
    .slice(1, -1)
    .replace(/\\(["\\])/g, "$1")
    .trim();
}

/** In quotes, when it could be read otherwise without them. */
export function quoted(text: string): string {
  return /[,;=\n\t|"“”„«»→\\]|->|^[#*•-]|^prompt:|--workspace|—workspace/i.test(text)
    ? `"${text.replace(/["\\]/g, "\\$&")}"`
    : text;
}

/** Phones make one long dash of two. */
const WORKSPACE_OPTION = /^(?:--|—|–)workspace$/i;

/** Takes `--workspace` out of the words. */
export function levelOf(words: readonly string[]): {
  readonly level: "workspace" | "channel";
  readonly words: readonly string[];
} {
  const rest = words.filter((word) => !WORKSPACE_OPTION.test(word));
  return { level: rest.length < words.length ? "workspace" : "channel", words: rest };
}

/** Takes `--workspace` out of a text whose quotes, commas and line ends still matter. */
export function levelOfText(text: string): { readonly level: "workspace" | "channel"; readonly rest: string } {
  const rest = text.replace(/(^|\s)(?:--|—|–)workspace(?=\s|$)/gi, "$1");
  return { level: rest === text ? "channel" : "workspace", rest: rest.trim() };
}

/** The nearest of the known words, when a slip of the hand leads there. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    const distance = slips(name.toLowerCase(), word.toLowerCase());
    if (distance <= slipDistance(word) && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) {
      best = { name, distance };
    }
  }
  return best?.name;
}

/** Two letters that changed places are one slip. */
function slips(a: string, b: string): number {
  const distance = editDistance(a, b);
  const letters = (word: string) => Array.from(word).sort().join("");
  return distance === 2 && letters(a) === letters(b) ? 1 : distance;
}

/** "There is no "lsit". Did you mean list?" */
export function didYouMean(what: string, word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === undefined ? `There is no ${what} "${word}".` : `There is no ${what} "${word}". Did you mean ${near}?`;
}
