// Words as the full-text index takes them, and a person's words as a query that cannot be wrong.

/** Scripts that put no space between words: here each character is a word of the index. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/gu;
/** A separator for the index, and nothing to see. */
const ZERO_WIDTH_SPACE = "\u200b";

export function indexedText(text: string): string {
  return text.replace(/\p{Cc}/gu, " ").replace(UNSPACED, `${ZERO_WIDTH_SPACE}$&${ZERO_WIDTH_SPACE}`);
}

/** As people wrote it. Between U+0002 and U+0003 stands a match; matches that touch are one. */
export function shownExcerpt(excerpt: string): string {
  return excerpt.replaceAll(ZERO_WIDTH_SPACE, "").replaceAll("\u0003\u0002", "").trim();
}

/**
 * All words must be in the segment, the last one may be the beginning of a word.
 *
 * @param place the channel's own word in the index
 * @returns undefined when there is no word in it
 */
export function ftsQuery(words: string, place: string): string | undefined {
  const phrases = indexedText(words)
    .replaceAll('"', " ")
    .split(/\s+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word))
    .map((word) => `"${word}"`);
  return phrases.length === 0 ? undefined : `(words : (${phrases.join(" AND ")}*)) AND (place : "${place}")`;
}
