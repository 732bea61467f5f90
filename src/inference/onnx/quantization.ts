// Weights rounded to 8 or 4 bits, in the forms that onnxruntime's operators take.

export interface QuantizedMatrix {
  readonly values: Uint8Array;
  readonly scales: Float32Array;
}

/**
 * Signed 7-bit values, one scale per row. The eighth bit stays free: without VNNI, onnxruntime's integer kernels add
 * two products of 8 bits in 16 and saturate. Ref: onnxruntime quantize_dynamic `reduce_range`
 * @param matrix [rows, columns]
 * @returns values [rows, columns] as int8, scales [rows]
 */
export function quantizeRows(matrix: Float32Array, rows: number): QuantizedMatrix {
  const columns = matrix.length / rows;
  const values = new Int8Array(matrix.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * columns;
    let largest = 0;
    for (let i = row * columns; i < end; i++) largest = Math.max(largest, Math.abs(matrix[i]!));
    scales[row] = largest / 63;
    const perScale = largest === 0 ? 0 : 63 / largest;
    for (let i = row * columns; i < end; i++) values[i] = Math.round(matrix[i]! * perScale);
  }
  return { values: new Uint8Array(values.buffer), scales };
}

/**
 * Elements of a row that share a scale in MatMulNBits. The tiny model's largest product takes 0.33 ms with 128, 0.44 with
 * 64 and 0.52 with 32; to 4 bits the finer scales are worth their time.
 */
export function blockSize(bits: 8 | 4, columns: number): number {
  return bits === 4 ? 32 : ([128, 64].find((size) => columns % size === 0) ?? 32);
}

/**
 * Values of 8 or 4 bits in blocks around their middle value, 128 or 8; of 4 bits two to a byte, the first in the low
 * half.
 * @param matrix [rows, columns], columns a multiple of the block
 * @returns values [rows, columns] or [rows, columns / 2], scales [rows, columns / block]
 */
export function quantizeBlocks(matrix: Float32Array, bits: 8 | 4, block: number): QuantizedMatrix {
  const middle = bits === 8 ? 128 : 8;
  const values = new Uint8Array((matrix.length * bits) / 8);
  const scales = new Float32Array(matrix.length / block);
  for (let index = 0; index < scales.length; index++) {
    const start = index * block;
    let extreme = 0;
    for (let i = start; i < start + block; i++) {
      if (Math.abs(matrix[i]!) > Math.abs(extreme)) extreme = matrix[i]!;
    }
    // The largest value lands on 0, the end of the range that reaches one step further. Ref: llama.cpp Q4_0
    scales[index] = extreme / -middle;
    const perScale = extreme === 0 ? 0 : -middle / extreme;
    for (let i = start; i < start + block; i++) {
      const value = Math.min(2 * middle - 1, Math.round(matrix[i]! * perScale) + middle);
      if (bits === 8) values[i] = value;
      else values[i >> 1]! |= i & 1 ? value << 4 : value;
    }
  }
  return { values, scales };
}
