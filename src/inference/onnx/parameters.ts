// A model's parameters under their Hugging Face names, read only when they are needed.

/** Elements in row-major order. Linear weights are [out, in], as in PyTorch. */
export interface Parameter {
  readonly shape: readonly number[];
  float32(): Float32Array;
}

/** By Hugging Face name, e.g. "model.decoder.layers.0.self_attn.q_proj.weight". */
export type Parameters = ReadonlyMap<string, Parameter>;

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** [rows, columns] -> [columns, rows] */
export function transpose<T extends Float32Array | Uint8Array>(values: T, rows: number, columns: number): T {
  const transposed = new (values.constructor as new (length: number) => T)(values.length);
  // In tiles, because the writes of a whole row would miss the cache one by one.
  const tile = 32;
  for (let row0 = 0; row0 < rows; row0 += tile) {
    const row1 = Math.min(row0 + tile, rows);
    for (let column0 = 0; column0 < columns; column0 += tile) {
      const column1 = Math.min(column0 + tile, columns);
      for (let row = row0; row < row1; row++) {
        for (let column = column0; column < column1; column++) {
          transposed[column * rows + row] = values[row * columns + column]!;
        }
      }
    }
  }
  return transposed;
}
