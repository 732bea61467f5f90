// What differs, word by word, between two transcripts of one recording. Ref: Myers, An O(ND) Difference Algorithm, 1986

export interface WordChange {
  /** The words that stood there; "" when words were added. */
  readonly before: string;
  readonly after: string;
  /** How often this same change was found. */
  readonly times: number;
}

/** In the order of their first place. Punctuation at a word's edge does not count; upper and lower case does. */
export function compareTexts(before: string, after: string): readonly WordChange[] {
  const changes = new Map<string, WordChange>();
  for (const run of wordDifferences(wordsOf(before), wordsOf(after))) {
    const [from, to] = [run.before.join(" "), run.after.join(" ")];
    const key = JSON.stringify([from, to]);
    changes.set(key, { before: from, after: to, times: (changes.get(key)?.times ?? 0) + 1 });
  }
  return [...changes.values()];
}

function wordsOf(text: string): string[] {
  return text
    .split(/\s+/u)
    .map((word) => word.replace(/^[^\p{L}\p{N}\p{M}+#@]+|[^\p{L}\p{N}\p{M}+#]+$/gu, ""))
    .filter((word) => word !== "");
}

interface Run {
  /** Position in the words before. */
  readonly at: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Beyond this many changes, two texts have too little in common for a list of them to say anything. */
const MOST_EDITS = 1500;

/** Runs of words to be taken out and put in; put into `before`, they give `after`. */
export function wordDifferences(before: readonly string[], after: readonly string[]): readonly Run[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  const shorter = Math.min(before.length, after.length) - head;
  while (tail < shorter && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const a = before.slice(head, before.length - tail);
  const b = after.slice(head, after.length - tail);

  const runs: Run[] = [];
  let [x, y] = [0, 0];
  for (const [keptX, keptY] of [...commonWords(a, b), [a.length, b.length] as const]) {
    if (keptX > x || keptY > y) runs.push({ at: head + x, before: a.slice(x, keptX), after: b.slice(y, keptY) });
    [x, y] = [keptX + 1, keptY + 1];
  }
  return runs;
}

/** Positions in both of the words that stay, in order. */
function commonWords(a: readonly string[], b: readonly string[]): (readonly [number, number])[] {
  const most = Math.min(a.length + b.length, MOST_EDITS);
  const size = 2 * most + 3;
  const furthest = new Int32Array(size);
  const at = (diagonal: number) => diagonal + most + 1;
  const trace: Int32Array[] = [];
  for (let edits = 0; edits <= most; edits++) {
    for (let k = -edits; k <= edits; k += 2) {
      const down = furthest[at(k + 1)] ?? 0;
      const right = (furthest[at(k - 1)] ?? 0) + 1;
      let x = k === -edits || (k !== edits && right <= down) ? down : right;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      furthest[at(k)] = x;
      if (x >= a.length && x - k >= b.length) return walkBack(trace, edits, k, x);
    }
    trace.push(furthest.slice(at(-edits - 1), at(edits + 1) + 1));
  }
  return [];
}

function walkBack(
  trace: readonly Int32Array[],
  edits: number,
  endDiagonal: number,
  endX: number,
): (readonly [number, number])[] {
  const common: (readonly [number, number])[] = [];
  let k = endDiagonal;
  let x = endX;
  for (let step = edits; step > 0; step--) {
    const row = trace[step - 1];
    // A row holds the diagonals from -step to step.
    const reach = (diagonal: number) => row?.[diagonal + step] ?? 0;
    const isDown = k === -step || (k !== step && reach(k - 1) + 1 <= reach(k + 1));
    const fromK = isDown ? k + 1 : k - 1;
    const fromX = reach(fromK);
    const startX = isDown ? fromX : fromX + 1;
    while (x > startX) {
      x--;
      common.push([x, x - k]);
    }
    [k, x] = [fromK, fromX];
  }
  while (x > 0) {
    x--;
    common.push([x, x - k]);
  }
  return common.reverse();
}
