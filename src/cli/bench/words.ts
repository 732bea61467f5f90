// How many words are wrong.

/** Lower case, without punctuation: "Ticket 694 is open." and "ticket 694 is open" are the same words. */
function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}$%'-]+/gu) ?? [];
}

/** Word error rate of all texts together: substitutions, insertions and deletions over the words that were said. */
export function wordErrorRate(said: readonly string[], heard: readonly string[]): number {
  let errors = 0;
  let count = 0;
  said.forEach((text, i) => {
    const reference = wordsOf(text);
    errors += distance(reference, wordsOf(heard[i] ?? ""));
    count += reference.length;
  });
  return errors / count;
}

function distance(from: readonly string[], to: readonly string[]): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  from.forEach((word, index) => {
    const next = [index + 1];
    to.forEach((other, column) => {
      const replaced = (row[column] ?? 0) + (word === other ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    });
    row = next;
  });
  return row.at(-1) ?? 0;
}
