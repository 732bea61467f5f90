// What changed between two transcripts of one recording, word by word.

export interface Change {
  readonly before: string;
  readonly after: string;
}

/** Words beyond which the table of the comparison would not fit: then only the ends are compared. */
const MOST_WORDS = 3000;

/** The runs of words that differ, in order. Punctuation and case count. */
export function compareTexts(before: string, after: string): Change[] {
  const [a, b] = [wordsOf(before), wordsOf(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let tail = 0;
  while (tail < a.length - start && tail < b.length - start && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  return differences(a.slice(start, a.length - tail), b.slice(start, b.length - tail));
}

function differences(a: readonly string[], b: readonly string[]): Change[] {
  if (a.length === 0 && b.length === 0) return [];
  if (a.length > MOST_WORDS || b.length > MOST_WORDS) return [{ before: a.join(" "), after: b.join(" ") }];
  const common = commonLengths(a, b);
  const width = b.length + 1;
  const changes: Change[] = [];
  let before: string[] = [];
  let after: string[] = [];
  const flush = () => {
    if (before.length > 0 || after.length > 0) changes.push({ before: before.join(" "), after: after.join(" ") });
    before = [];
    after = [];
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [wordA, wordB] = [a[i], b[j]];
    if (wordA !== undefined && wordA === wordB) {
      flush();
      i++;
      j++;
    } else if (
      wordB === undefined ||
      (wordA !== undefined && lengthAt(common, (i + 1) * width + j) >= lengthAt(common, i * width + j + 1))
    ) {
      if (wordA !== undefined) before.push(wordA);
      i++;
    } else {
      after.push(wordB);
      j++;
    }
  }
  flush();
  return changes;
}

/** Length of the longest common subsequence of a[i…] and b[j…], at i * (b.length + 1) + j. */
function commonLengths(a: readonly string[], b: readonly string[]): Uint16Array {
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        a[i] === b[j]
          ? lengthAt(lengths, (i + 1) * width + j + 1) + 1
          : Math.max(lengthAt(lengths, (i + 1) * width + j), lengthAt(lengths, i * width + j + 1));
    }
  }
  return lengths;
}

function lengthAt(lengths: Uint16Array, at: number): number {
  return lengths[at] ?? 0;
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
