// The parts of Whisper's forward pass in onnxruntime's fused operators.

import { bytesOf, type GraphBuilder } from "./graph-builder.ts";
import { DataType } from "./model-proto.ts";
import { elementCount, type Parameter, type Parameters, transpose } from "./parameters.ts";
import { blockSize, quantizeBlocks, quantizeRows } from "./quantization.ts";

/** What the weights of the linear layers are kept in; all else is float32. */
export type FastPrecision = "float32" | "int8" | "int4";

/**
 * How a linear layer is computed. `rows8` rounds the input by one scale for all of it, which is quick for the 1500
 * positions of one window; in blocks each row is rounded by itself, so that no row changes another.
 */
export type Product = "float32" | "rows8" | "blocks8" | "blocks4";

const EPSILON = { epsilon: { float: 1e-5 } };
const UNSCALED = { scale: { float: 1 } };

/** The parts of the forward pass, fused as far as onnxruntime has operators for it. */
export class FusedPass {
  readonly #graph: GraphBuilder;
  readonly #parameters: Parameters;
  readonly #kind: Product;

  constructor(graph: GraphBuilder, parameters: Parameters, product: Product) {
    this.#graph = graph;
    this.#parameters = parameters;
    this.#kind = product;
  }

  parameter(name: string): string {
    const parameter = this.#get(name);
    return this.#bytes(name, DataType.float32, parameter.shape, () => parameter.float32());
  }

  conv(x: string, module: string, stride: number): string {
    const inputs = [x, this.parameter(`${module}.weight`), this.parameter(`${module}.bias`)];
    return this.#graph.op("Conv", inputs, { kernel_shape: [3], strides: [stride], pads: [1, 1] });
  }

  gelu(x: string): string {
    return this.#graph.op("com.microsoft.Gelu", [x]);
  }

  layerNorm(x: string, module: string): string {
    const inputs = [x, this.parameter(`${module}.weight`), this.parameter(`${module}.bias`)];
    return this.#graph.op("LayerNormalization", inputs, { axis: -1, ...EPSILON });
  }

  /** @returns x + y, and its normalisation */
  addAndNorm(x: string, y: string, module: string): [sum: string, normed: string] {
    const inputs = [x, y, this.parameter(`${module}.weight`), this.parameter(`${module}.bias`)];
    const [sum, normed] = [`${module}/sum`, `${module}/normed`];
    this.#graph.node("com.microsoft.SkipLayerNormalization", inputs, [normed, "", "", sum], EPSILON);
    return [sum, normed];
  }

  linear(x: string, module: string): string {
    const bias = `${module}.bias`;
    return this.#product(x, `${module}.weight`, this.#parameters.has(bias) ? this.parameter(bias) : undefined);
  }

  mlp(x: string, layer: string): string {
    const hidden = this.#product(x, `${layer}.fc1.weight`);
    const activated = this.#graph.op("com.microsoft.BiasGelu", [hidden, this.parameter(`${layer}.fc1.bias`)]);
    return this.linear(activated, `${layer}.fc2`);
  }

  /** The three inputs of an attention to the sequence itself. */
  queryKeyValue(x: string, module: string): string[] {
    return ["q_proj", "k_proj", "v_proj"].map((name) => this.linear(x, `${module}.${name}`));
  }

  attention(queryKeyValue: readonly string[], heads: number): string {
    return this.#graph.op("com.microsoft.MultiHeadAttention", queryKeyValue, { num_heads: heads });
  }

  /** As `attention`, for a query that is scaled already. */
  scaledAttention(queryKeyValue: readonly string[], heads: number): string {
    return this.#graph.op("com.microsoft.MultiHeadAttention", queryKeyValue, { num_heads: heads, ...UNSCALED });
  }

  /**
   * The projected query over the root of the head's size. For one query at a time onnxruntime reads the keys as they lie
   * only where it has not to scale the product as well: 2.01 against 1.89 ms a token (tiny, 8 bits).
   */
  scaledQuery(x: string, module: string, headState: number): string {
    return this.#graph.op("Mul", [this.linear(x, `${module}.q_proj`), this.#graph.float(1 / Math.sqrt(headState))]);
  }

  /** As `scaledAttention`; gives the products of queries and keys besides, before their softmax: [.., heads, queries, keys]. */
  attentionWithScores(queryKeyValue: readonly string[], heads: number, scores: string): string {
    const output = `${scores}/attended`;
    const inputs = [...queryKeyValue, "", "", "", "", ""];
    const attributes = { num_heads: heads, ...UNSCALED };
    this.#graph.node("com.microsoft.MultiHeadAttention", inputs, [output, "", "", scores], attributes);
    return output;
  }

  /** As `scaledAttention`, to the sequence itself with what is in the cache before it. */
  causalAttention(queryKeyValue: readonly string[], heads: number, cache: string): string {
    const output = `${cache}/attended`;
    this.#graph.node(
      "com.microsoft.MultiHeadAttention",
      [...queryKeyValue, "", "", "", `before_${cache}.key`, `before_${cache}.value`],
      [output, `present_${cache}.key`, `present_${cache}.value`],
      { num_heads: heads, unidirectional: 1, ...UNSCALED },
    );
    return output;
  }

  embed(tokens: string): string {
    const name = "model.decoder.embed_tokens.weight";
    const graph = this.#graph;
    if (this.#kind === "float32") return graph.op("Gather", [this.parameter(name), tokens]);
    const { float32, shape } = this.#get(name);
    const rows = shape[0]!;
    const quantized = () => quantizeRows(float32(), rows);
    const table = this.#bytes(`${name}/rows`, DataType.int8, shape, () => quantized().values);
    const scales = this.#bytes(`${name}/row_scales`, DataType.float32, [rows, 1], () => quantized().scales);
    const row = graph.op("Cast", [graph.op("Gather", [table, tokens])], { to: DataType.float32 });
    return graph.op("Mul", [row, graph.op("Gather", [scales, tokens])]);
  }

  unembed(x: string): string {
    return this.#product(x, "model.decoder.embed_tokens.weight");
  }

  /** x times the transposed weight, plus the bias: [.., in] -> [.., out] */
  #product(x: string, name: string, bias?: string): string {
    const { float32, shape } = this.#get(name);
    const [outputs, inputs] = [shape[0]!, shape[1]!];
    const graph = this.#graph;
    switch (this.#kind) {
      case "float32": {
        const read = () => transpose(float32(), outputs, inputs);
        const product = graph.op("MatMul", [x, this.#bytes(`${name}/T`, DataType.float32, [inputs, outputs], read)]);
        return bias === undefined ? product : graph.op("Add", [product, bias]);
      }
      case "rows8": {
        const read = () => {
          const { scales, values } = quantizeRows(float32(), outputs);
          return { scales, values: transpose(values, outputs, inputs) };
        };
        const weight = this.#bytes(`${name}/int8`, DataType.int8, [inputs, outputs], () => read().values);
        const scales = this.#bytes(`${name}/scales`, DataType.float32, [outputs], () => read().scales);
        return graph.op(
          "com.microsoft.DynamicQuantizeMatMul",
          bias ? [x, weight, scales, "", bias] : [x, weight, scales],
        );
      }
      case "blocks8":
      case "blocks4": {
        const bits = this.#kind === "blocks8" ? 8 : 4;
        const block = blockSize(bits, inputs);
        const blocks = inputs / block;
        const read = () => quantizeBlocks(float32(), bits, block);
        const shape = [outputs, blocks, (block * bits) / 8];
        const weight = this.#bytes(`${name}/int${bits}`, DataType.uint8, shape, () => read().values);
        const scales = this.#bytes(`${name}/scales`, DataType.float32, [outputs * blocks], () => read().scales);
        // Accuracy level 4: the input is rounded to 8 bits, so that integers are multiplied.
        const sizes = { K: inputs, N: outputs, bits, block_size: block, accuracy_level: 4 };
        const values = bias ? [x, weight, scales, "", "", bias] : [x, weight, scales];
        return graph.op("com.microsoft.MatMulNBits", values, sizes);
      }
      default:
        return this.#kind satisfies never;
    }
  }

  #bytes(name: string, dataType: number, shape: readonly number[], read: () => ArrayBufferView): string {
    const byteLength = elementCount(shape) * (dataType === DataType.float32 ? 4 : 1);
    return this.#graph.weight(name, dataType, shape, { byteLength, read: () => bytesOf(read()).read() });
  }

  #get(name: string): Parameter {
    const parameter = this.#parameters.get(name);
    if (!parameter) throw new RangeError(`there is no parameter ${name}`);
    return parameter;
  }
}
