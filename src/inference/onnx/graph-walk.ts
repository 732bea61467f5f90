// Follows the values of an ONNX graph: where one comes from, where it goes, and which constants it meets.

import { fromHalf } from "../half.ts";
import { DataType, isExternal, type OnnxGraph, type OnnxNode, type OnnxTensor } from "./model-proto.ts";
import { type Parameter, transpose } from "./parameters.ts";

/** A linear layer: its MatMul or Gemm, and the bias added behind it. */
export interface Linear {
  readonly input: string;
  /** [out, in], as in PyTorch. */
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly node: OnnxNode;
}

export interface Norm {
  readonly weight: Parameter;
  readonly bias: Parameter;
}

/** Operators that pass their first input on, changed in shape or type at most. */
const SHAPING = new Set([
  "Cast",
  "Expand",
  "Flatten",
  "Gather",
  "Identity",
  "Reshape",
  "Slice",
  "Split",
  "Squeeze",
  "Transpose",
  "Unsqueeze",
]);
/** Operators that join values elementwise or side by side: scaling, biases, masks, caches. */
const JOINING = new Set(["Add", "Concat", "Div", "Mul", "Where"]);

export class GraphWalk {
  readonly nodes: readonly OnnxNode[];
  readonly #producers = new Map<string, OnnxNode>();
  readonly #consumers = new Map<string, OnnxNode[]>();
  readonly #tensors = new Map<string, OnnxTensor>();

  /** @param outer the graphs around this one, whose constants it sees */
  constructor(graph: OnnxGraph, outer: readonly OnnxGraph[] = []) {
    this.nodes = graph.nodes;
    for (const { initializers, nodes } of [...outer, graph]) {
      for (const tensor of initializers) this.#tensors.set(tensor.name, tensor);
      for (const node of nodes) {
        for (const output of node.outputs) this.#producers.set(output, node);
        const value = node.opType === "Constant" ? node.attributes.get("value") : undefined;
        if (value?.kind === "tensor") this.#tensors.set(node.outputs[0]!, value.value);
      }
    }
    for (const node of graph.nodes) {
      for (const input of node.inputs) this.#consumers.set(input, [...(this.#consumers.get(input) ?? []), node]);
    }
  }

  producer(value: string): OnnxNode | undefined {
    return this.#producers.get(value);
  }

  /** The floating-point constant that a value is, through casts and transpositions. */
  constant(value: string): Parameter | undefined {
    const tensor = this.#tensors.get(value);
    if (tensor) return parameterOf(tensor);
    const node = this.#producers.get(value);
    if (node?.opType === "Cast" || node?.opType === "Identity") return this.constant(node.inputs[0]!);
    if (node?.opType !== "Transpose") return undefined;
    const source = this.constant(node.inputs[0]!);
    return source?.shape.length === 2 ? transposed(source) : undefined;
  }

  linear(node: OnnxNode): Linear | undefined {
    if (node.opType !== "MatMul" && node.opType !== "Gemm") return undefined;
    const weight = this.constant(node.inputs[1]!);
    if (weight?.shape.length !== 2) return undefined;
    const input = node.inputs[0]!;
    if (node.opType === "MatMul") return { input, weight: transposed(weight), bias: this.#biasBehind(node), node };
    const transB = node.attributes.get("transB");
    const isOutIn = transB?.kind === "int" && transB.value === 1;
    const bias = node.inputs[2] === undefined ? undefined : this.constant(node.inputs[2]);
    return { input, weight: isOutIn ? weight : transposed(weight), bias, node };
  }

  #biasBehind(node: OnnxNode): Parameter | undefined {
    const [next] = this.ahead(node.outputs[0]!, (n) => !isCast(n));
    if (next?.opType !== "Add") return undefined;
    return next.inputs.map((input) => this.constant(input)).find((parameter) => parameter?.shape.length === 1);
  }

  /** The layer normalisation that made a value: one operator, or its last two steps. */
  norm(value: string): Norm | undefined {
    const node = this.#producers.get(value);
    if (!node) return undefined;
    if (isCast(node)) return this.norm(node.inputs[0]!);
    if (node.opType === "LayerNormalization") {
      const [weight, bias] = [this.constant(node.inputs[1]!), this.constant(node.inputs[2] ?? "")];
      return weight && bias ? { weight, bias } : undefined;
    }
    const bias = this.#vectorOf(node, "Add");
    const scaled = node.inputs.map((input) => this.#producers.get(input)).find((n) => n?.opType === "Mul");
    const weight = scaled && this.#vectorOf(scaled, "Mul");
    return weight && bias ? { weight, bias } : undefined;
  }

  #vectorOf(node: OnnxNode, opType: string): Parameter | undefined {
    if (node.opType !== opType) return undefined;
    return node.inputs.map((input) => this.constant(input)).find((parameter) => parameter?.shape.length === 1);
  }

  /** The nearest nodes upstream that fit, looking through reshaping, scaling, biases and masks. */
  behind(value: string, fits: (node: OnnxNode) => boolean): OnnxNode[] {
    const node = this.#producers.get(value);
    if (!node) return [];
    if (fits(node)) return [node];
    if (SHAPING.has(node.opType)) return this.behind(node.inputs[0]!, fits);
    return JOINING.has(node.opType) ? node.inputs.flatMap((input) => this.behind(input, fits)) : [];
  }

  /** The nearest nodes downstream that fit, looking through reshaping and choices. */
  ahead(value: string, fits: (node: OnnxNode) => boolean): OnnxNode[] {
    return (this.#consumers.get(value) ?? []).flatMap((node) => {
      if (fits(node)) return [node];
      // PyTorch replaces the softmax of a row that is masked as a whole: Where(IsNaN(p), 0, p).
      const passes = SHAPING.has(node.opType) ? node.inputs[0] === value : node.opType === "Where";
      return passes ? this.ahead(node.outputs[0]!, fits) : [];
    });
  }
}

function isCast(node: OnnxNode): boolean {
  return node.opType === "Cast" || node.opType === "Identity";
}

function transposed(parameter: Parameter): Parameter {
  const [rows, columns] = [parameter.shape[0]!, parameter.shape[1]!];
  return { shape: [columns, rows], float32: () => transpose(parameter.float32(), rows, columns) };
}

function parameterOf({ content, dataType, dims }: OnnxTensor): Parameter | undefined {
  if (isExternal(content)) return undefined;
  if (dataType !== DataType.float32 && dataType !== DataType.float16) return undefined;
  const float32 = () => {
    // A copy, because the elements need not lie where a typed array may begin.
    const bytes = new Uint8Array(content.read());
    return dataType === DataType.float16 ? fromHalf(new Uint16Array(bytes.buffer)) : new Float32Array(bytes.buffer);
  };
  return { shape: dims, float32 };
}
