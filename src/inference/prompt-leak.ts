// Finds the initial prompt's own words in a text where they were not spoken.

/** Words in a row that are in the prompt in the same order. */
const SUSPICIOUS_WORDS = 4;
/** Share of letters that may differ between what was said and how another decoding spells it. */
const SAME_SOUND = 0.45;

const segmenter = new Intl.Segmenter("und", { granularity: "word" });

/** Letters and digits only, so that spelling and punctuation do not count. */
function wordsOf(text: string): string[] {
  return Array.from(segmenter.segment(text.normalize("NFKC").toLowerCase()))
    .filter(({ isWordLike }) => isWordLike)
    .map(({ segment }) => segment);
}

/**
 * The words of a text that look as if they were read from the prompt: a long run, or all of it.
 * @returns undefined when there are none
 */
export function suspectedLeak(text: string, prompt: string): string | undefined {
  const said = wordsOf(text);
  const known = wordsOf(prompt);
  const { start, length } = longestRun(said, known);
  const isAll = length === said.length && length > 1;
  return length >= SUSPICIOUS_WORDS || isAll ? said.slice(start, start + length).join(" ") : undefined;
}

/** Whether another decoding of the same sound, without the prompt, has something like these words too. */
export function wasSpoken(words: string, withoutPrompt: string): boolean {
  const wanted = wordsOf(words).join("");
  return distanceWithin(wanted, wordsOf(withoutPrompt).join("")) <= SAME_SOUND * wanted.length;
}

function longestRun(said: readonly string[], known: readonly string[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let before: number[] = [];
  for (const [i, word] of said.entries()) {
    const lengths = known.map((other, j) => (other === word ? (j === 0 ? 0 : (before[j - 1] ?? 0)) + 1 : 0));
    for (const length of lengths) if (length > best.length) best = { start: i - length + 1, length };
    before = lengths;
  }
  return best;
}

/** The fewest letters to change so that `wanted` is somewhere in `text`. */
function distanceWithin(wanted: string, text: string): number {
  let row = new Array<number>(text.length + 1).fill(0);
  for (const [index, letter] of Array.from(wanted).entries()) {
    const next = [index + 1];
    for (let column = 1; column <= text.length; column++) {
      const replaced = row[column - 1]! + (text[column - 1] === letter ? 0 : 1);
      next.push(Math.min(replaced, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return Math.min(...row);
}
