// Weights rounded to 8 or 4 bits, in the forms that onnxruntime's operators take.

/** Elements that share a scale in MatMulNBits. */
export const BLOCK = 32;

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
 * Values of 8 or 4 bits in blocks of 32 around their middle value, 128 or 8; of 4 bits two to a byte, the first in the
 * low half.
 * @param matrix [rows, columns], columns a multiple of 32
 * @returns values [rows, columns] or [rows, columns / 2], scales [rows, columns / 32]
 */
export function quantizeBlocks(matrix: Float32Array, bits: 8 | 4): QuantizedMatrix {
  const middle = bits === 8 ? 128 : 8;
  const values = new Uint8Array((matrix.length * bits) / 8);
  const scales = new Float32Array(matrix.length / BLOCK);
  for (let block = 0; block < scales.length; block++) {
    const start = block * BLOCK;
    let extreme = 0;
    for (let i = start; i < start + BLOCK; i++) {
      if (Math.abs(matrix[i]!) > Math.abs(extreme)) extreme = matrix[i]!;
    }
    // The largest value lands on 0, the end of the range that reaches one step further. Ref: llama.cpp Q4_0
    scales[block] = extreme / -middle;
    const perScale = extreme === 0 ? 0 : -middle / extreme;
    for (let i = start; i < start + BLOCK; i++) {
      const value = Math.min(2 * middle - 1, Math.round(matrix[i]! * perScale) + middle);
      if (bits === 8) values[i] = value;
      else values[i >> 1]! |= i & 1 ? value << 4 : value;
    }
  }
  return { values, scales };
}
