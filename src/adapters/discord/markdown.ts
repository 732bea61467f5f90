// Text that Discord shows as it is, and text that fits into a message.

/** Ref: Discord, "Create Message": content has up to 2,000 characters. */
export const MOST_CHARACTERS = 2000;

/** Every sign that Discord would take for markup, a mention, a time or a custom emoji gets a backslash. */
export function escapeText(text: string): string {
  return text
    .replace(/[\\*_~`|<[\]]/g, "\\$&")
    .replace(/^(\s*)(#{1,3}|>{1,3}|[-+])(?=\s|#)/gm, "$1\\$2")
    .replace(/^(\s*\d+)([.)])(?=\s)/gm, "$1\\$2");
}

/** Earshot's own words: `backticks` stay, all else is escaped. */
export function escapeWords(text: string): string {
  return text
    .split(/(`[^`\n]+`)/)
    .map((part, index) => (index % 2 === 1 ? part : escapeText(part)))
    .join("");
}

/** The most of `text` that has at most `most` characters once it is escaped; ends between words where it can. */
export function fitted(
  text: string,
  most: number,
  escaped: (text: string) => string,
): { readonly shown: string; readonly isCut: boolean } {
  const all = escaped(text);
  if (all.length <= most) return { shown: all, isCut: false };
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (escaped(text.slice(0, middle)).length + 2 <= most) low = middle;
    else high = middle - 1;
  }
  const cut = text.slice(0, low);
  const space = cut.search(/\s\S*$/);
  const whole = space > cut.length / 2 ? cut.slice(0, space) : cut.replace(/[\uD800-\uDBFF]$/, "");
  return { shown: `${escaped(whole.trimEnd())} …`, isCut: true };
}
