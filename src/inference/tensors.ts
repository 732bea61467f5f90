// Small tensors as the fast layout's graphs take them.

import { Tensor } from "./session.ts";

export function floats(tensor: Tensor): Float32Array {
  return tensor.data as Float32Array;
}

export function scalar(value: number): Tensor {
  return new Tensor("int64", BigInt64Array.of(BigInt(value)), []);
}

export function int64(values: readonly number[], shape: readonly number[]): Tensor {
  return new Tensor("int64", BigInt64Array.from(values, BigInt), shape);
}

/** Rows of the first dimension, in the given order. */
export function takeRows(tensor: Tensor, rows: readonly number[]): Tensor {
  const [count = 0, ...rest] = tensor.dims;
  const size = tensor.size / count;
  const values = tensor.data as Float32Array | BigInt64Array;
  const taken = new (values.constructor as new (length: number) => typeof values)(rows.length * size);
  rows.forEach((row, i) => {
    taken.set(values.subarray(row * size, (row + 1) * size) as Float32Array & BigInt64Array, i * size);
  });
  return new Tensor(tensor.type as "float32", taken as Float32Array, [rows.length, ...rest]);
}
