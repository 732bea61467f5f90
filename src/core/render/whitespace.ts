// Python's idea of whitespace, which is not JavaScript's: it has the separators 1C to 1F and 85, and not FEFF.

/** What Python's `str.isspace` takes, as the inside of a character class. */
export const WHITESPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const LEADING = new RegExp(`^[${WHITESPACE}]+`);
const TRAILING = new RegExp(`[${WHITESPACE}]+$`);

/** Python's `str.strip`. */
export function strip(text: string): string {
  return text.replace(LEADING, "").replace(TRAILING, "");
}
