// Builds an ONNX graph node by node, so that a forward pass can be written down as it is computed.

import {
  type Attribute,
  DataType,
  type OnnxGraph,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from "./model-proto.ts";
import type { ByteSource } from "./protobuf.ts";

/** Attribute values as written in a forward pass; floats are marked, since JavaScript does not tell 1 from 1.0. */
export type AttributeValue =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly graph: OnnxGraph };

export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Values are handled by their names, as in ONNX itself. */
export class GraphBuilder {
  readonly #name: string;
  readonly #parent: GraphBuilder | undefined;
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers = new Map<string, OnnxTensor>();
  readonly #inputs: OnnxValue[] = [];
  readonly #outputs: OnnxValue[] = [];
  #count = 0;

  constructor(name: string, parent?: GraphBuilder) {
    this.#name = name;
    this.#parent = parent;
  }

  /** A body for If or Loop. It sees this graph's values, and its weights are kept here, once for all bodies. */
  body(name: string): GraphBuilder {
    return new GraphBuilder(name, this);
  }

  input(name: string, dataType: number, shape: readonly (number | string)[]): string {
    this.#inputs.push({ name, dataType, shape });
    return name;
  }

  output(name: string, dataType: number, shape: readonly (number | string)[]): void {
    this.#outputs.push({ name, dataType, shape });
  }

  /** One node with one output. `com.microsoft.X` is onnxruntime's own operator X; "" leaves an optional input out. */
  op(type: string, inputs: readonly string[], attributes: Attributes = {}, name = this.#nextName(type)): string {
    this.node(type, inputs, [name], attributes);
    return name;
  }

  /** One node with named outputs. */
  node(type: string, inputs: readonly string[], outputs: readonly string[], attributes: Attributes = {}): void {
    const dot = type.lastIndexOf(".");
    this.#nodes.push({
      name: `${outputs[0]}/${type.slice(dot + 1)}`,
      opType: type.slice(dot + 1),
      domain: type.slice(0, Math.max(dot, 0)),
      inputs,
      outputs,
      attributes: new Map(Object.entries(attributes).map(([key, value]) => [key, attribute(value)])),
    });
  }

  /** A constant array that the graph keeps; asked for twice under one name, it is kept once. */
  weight(name: string, dataType: number, dims: readonly number[], content: ByteSource): string {
    if (this.#parent) return this.#parent.weight(name, dataType, dims, content);
    if (!this.#initializers.has(name)) this.#initializers.set(name, { name, dataType, dims, content });
    return name;
  }

  /** A one-dimensional int64 constant, e.g. a shape. */
  ints(...values: number[]): string {
    return this.#constant(`int64[${values}]`, DataType.int64, [values.length], BigInt64Array.from(values, BigInt));
  }

  int(value: number): string {
    return this.#constant(`int64 ${value}`, DataType.int64, [], BigInt64Array.of(BigInt(value)));
  }

  float(value: number): string {
    return this.#constant(`float ${value}`, DataType.float32, [], Float32Array.of(value));
  }

  bool(value: boolean): string {
    return this.#constant(`bool ${value}`, DataType.bool, [], Uint8Array.of(value ? 1 : 0));
  }

  build(): OnnxGraph {
    return {
      name: this.#name,
      nodes: this.#nodes,
      initializers: [...this.#initializers.values()],
      inputs: this.#inputs,
      outputs: this.#outputs,
    };
  }

  #constant(name: string, dataType: number, dims: readonly number[], values: ArrayBufferView): string {
    return this.weight(name, dataType, dims, bytesOf(values));
  }

  #nextName(type: string): string {
    return `/${this.#name}/${type.slice(type.lastIndexOf(".") + 1)}_${this.#count++}`;
  }
}

/** The bytes of an array that exists already. */
export function bytesOf(values: ArrayBufferView): ByteSource {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { byteLength: bytes.byteLength, read: () => bytes };
}

function attribute(value: AttributeValue): Attribute {
  if (typeof value === "number") return { kind: "int", value };
  if (typeof value === "string") return { kind: "string", value };
  if ("float" in value) return { kind: "float", value: value.float };
  if ("graph" in value) return { kind: "graph", value: value.graph };
  return { kind: "ints", value };
}
