// Dynamic time warping and the median filter before it. Ref: openai/whisper timing.py.

/** A monotonic path through the matrix, as pairs of row and column. */
export interface Path {
  readonly textIndices: readonly number[];
  readonly timeIndices: readonly number[];
}

const DIAGONAL = 0;
const UP = 1;
const LEFT = 2;

/**
 * The cheapest path from the first cell to the last. The reference asks for float32 totals, but numba makes
 * `np.ones(…, dtype=np.float32) * np.inf` float64, and in float32 near ties would fall otherwise.
 * @param cost [rows, columns]
 */
export function dtw(cost: Float32Array | Float64Array, rows: number, columns: number): Path {
  const width = columns + 1;
  const total = new Float64Array((rows + 1) * width).fill(Number.POSITIVE_INFINITY);
  const trace = new Uint8Array((rows + 1) * width);
  total[0] = 0;
  for (let i = 1; i <= rows; i++) {
    for (let j = 1; j <= columns; j++) {
      const diagonal = total[(i - 1) * width + j - 1]!;
      const up = total[(i - 1) * width + j]!;
      const left = total[i * width + j - 1]!;
      const step = diagonal < up && diagonal < left ? DIAGONAL : up < diagonal && up < left ? UP : LEFT;
      const before = step === DIAGONAL ? diagonal : step === UP ? up : left;
      total[i * width + j] = cost[(i - 1) * columns + j - 1]! + before;
      trace[i * width + j] = step;
    }
  }

  trace.fill(LEFT, 0, width);
  for (let i = 0; i <= rows; i++) trace[i * width] = UP;
  const textIndices: number[] = [];
  const timeIndices: number[] = [];
  for (let i = rows, j = columns; i > 0 || j > 0; ) {
    textIndices.push(i - 1);
    timeIndices.push(j - 1);
    const step = trace[i * width + j]!;
    if (step !== LEFT) i--;
    if (step !== UP) j--;
  }
  return { textIndices: textIndices.reverse(), timeIndices: timeIndices.reverse() };
}

/** Each value becomes the median of the `width` values around it; the ends are mirrored. Short rows stay as they are. */
export function medianFilter(values: Float32Array, width: number): Float32Array {
  const reach = width >> 1;
  const n = values.length;
  if (n <= reach) return values;
  const around = new Float32Array(width);
  return values.map((_, at) => {
    for (let k = -reach; k <= reach; k++) {
      const index = Math.abs(at + k);
      around[k + reach] = values[index < n ? index : 2 * (n - 1) - index]!;
    }
    return around.sort()[reach]!;
  });
}
