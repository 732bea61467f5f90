// A command's text as words, and what people mean when they mistype one.
import { editDistance, slipDistance } from "../edit-distance.ts";

const QUOTES: Readonly<Record<string, string>> = { '"': '"', "“": "”", "„": "“", "«": "»", "”": "”" };

/** Words between white space; "several words" in quotes are one. A quote that is never closed is a sign like any other. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let at = 0;
  while (at < text.length) {
    const sign = text[at] ?? "";
    if (/\s/.test(sign)) {
      at++;
      continue;
    }
    const close = QUOTES[sign];
    const end = close === undefined ? -1 : text.indexOf(close, at + 1);
    if (end > at) {
      words.push(text.slice(at + 1, end));
      at = end + 1;
      continue;
    }
    const rest = /^\S+/.exec(text.slice(at))?.[0] ?? sign;
    words.push(rest);
    at += rest.length;
  }
  return words;
}

/** Items between commas, semicolons or line ends, without the white space and quotes around them. */
export function splitList(text: string): string[] {
  return text
    .split(/[,;\n]/)
    .map((item) => unquoted(item.trim()))
    .filter((item) => item !== "");
}

export function unquoted(text: string): string {
  const close = QUOTES[text[0] ?? ""];
  return text.length > 1 && close !== undefined && text.endsWith(close) ? text.slice(1, -1).trim() : text;
}

/** "There is no "lsit". Did you mean list?" */
export function didYouMean(what: string, word: string, known: readonly string[]): string {
  const near = known.find((name) => editDistance(name, word.toLowerCase()) <= slipDistance(word));
  return near === undefined ? `There is no ${what} "${word}".` : `There is no ${what} "${word}". Did you mean ${near}?`;
}
