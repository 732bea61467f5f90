// A model's parameters out of its ONNX files, found by what the graphs do with them and not by how they are named.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { InferenceError } from "../../core/errors.ts";
import type { ModelDimensions } from "../graph.ts";
import { GraphWalk, type Linear, type Norm } from "./graph-walk.ts";
import { readModel } from "./model-file.ts";
import type { OnnxModel, OnnxNode } from "./model-proto.ts";
import { elementCount, type Parameter, type Parameters } from "./parameters.ts";

const ENCODERS = ["encoder_model.onnx", "encoder_model_fp16.onnx"];
const DECODERS = ["decoder_model_merged", "decoder_model"].flatMap((name) => [`${name}.onnx`, `${name}_fp16.onnx`]);

export interface SourceFiles {
  readonly encoder: string;
  readonly decoder: string;
}

/**
 * The graph files whose weights are read: float32 where it is there, else float16. Quantised ones hold no parameters.
 * @throws InferenceError model_missing
 */
export function sourceFiles(folder: string): SourceFiles {
  const find = (names: readonly string[]) => {
    const path = names.map((name) => join(folder, "onnx", name)).find((candidate) => existsSync(candidate));
    if (path !== undefined) return path;
    throw new InferenceError(
      "model_missing",
      `${join(folder, "onnx")} holds none of ${names.join(", ")}. Fetch the model in float32: earshot models pull`,
    );
  };
  return { encoder: find(ENCODERS), decoder: find([...DECODERS].sort(byPrecision)) };
}

function byPrecision(a: string, b: string): number {
  return Number(a.includes("fp16")) - Number(b.includes("fp16"));
}

/**
 * Reads a model in Hugging Face's public layout, whoever exported it.
 * @throws InferenceError model_missing, or model_broken when a graph is not built as Whisper's exports are
 */
export function readWeights(folder: string, dims: ModelDimensions): Parameters {
  const files = sourceFiles(folder);
  const parameters = new Map<string, Parameter>();
  readEncoder(readModel(files.encoder), new Reader(files.encoder, parameters), dims);
  readDecoder(readModel(files.decoder), new Reader(files.decoder, parameters), dims);
  return parameters;
}

function readEncoder({ graph }: OnnxModel, reader: Reader, dims: ModelDimensions): void {
  const walk = new GraphWalk(graph);
  const state = dims.nAudioState;
  const convolutions = walk.nodes.filter((node) => node.opType === "Conv");
  reader.expect(convolutions.length === 2, "it does not begin with two convolutions");
  for (const [i, shape] of [
    [state, dims.nMels, 3],
    [state, state, 3],
  ].entries()) {
    const [, weight, bias] = convolutions[i]!.inputs.map((input) => walk.constant(input));
    reader.keep(`model.encoder.conv${i + 1}.weight`, weight, shape);
    reader.keep(`model.encoder.conv${i + 1}.bias`, bias, [state]);
  }
  const positions = constants(walk).find((p) => elementCount(p.shape) === dims.nAudioCtx * state && p.shape.length > 1);
  reader.keep("model.encoder.embed_positions.weight", positions, [dims.nAudioCtx, state]);
  const blocks = readBlocks(walk, reader);
  reader.expect(blocks.attentions.length === dims.nAudioLayer, "it has another number of attentions than layers");
  reader.expect(blocks.others.length === 2 * dims.nAudioLayer, "it has linear layers in other places");
  for (let i = 0; i < dims.nAudioLayer; i++) {
    reader.keepAttention(walk, `model.encoder.layers.${i}.self_attn`, blocks.attentions[i]!, state);
    reader.keepMlp(walk, `model.encoder.layers.${i}`, blocks.others.slice(2 * i, 2 * i + 2), state);
  }
  reader.keepNorm("model.encoder.layer_norm", walk.norm(graph.outputs[0]?.name ?? ""), state);
}

function readDecoder({ graph }: OnnxModel, reader: Reader, dims: ModelDimensions): void {
  // In a merged decoder, the pass without a cache: only there the audio's keys and values are computed.
  const choice = graph.nodes.find((node) => node.opType === "If")?.attributes.get("else_branch");
  const walk = choice?.kind === "graph" ? new GraphWalk(choice.value, [graph]) : new GraphWalk(graph);
  const state = dims.nTextState;
  const tables = constants(walk).filter((parameter) => parameter.shape.length === 2 && parameter.shape[1] === state);
  const embedding = walk.nodes
    .filter((node) => node.opType === "Gather")
    .map((node) => walk.constant(node.inputs[0]!))
    .find((parameter) => parameter?.shape[0] === dims.nVocab);
  reader.keep("model.decoder.embed_tokens.weight", embedding, [dims.nVocab, state]);
  const positions = tables.find((parameter) => parameter.shape[0] === dims.nTextCtx);
  reader.keep("model.decoder.embed_positions.weight", positions, [dims.nTextCtx, state]);

  const { attentions, others } = readBlocks(walk, reader);
  reader.expect(attentions.length === 2 * dims.nTextLayer, "it has another number of attentions than two a layer");
  reader.expect(others.length === 2 * dims.nTextLayer + 1, "it has linear layers in other places");
  for (let i = 0; i < dims.nTextLayer; i++) {
    const [own, cross] = [attentions[2 * i]!, attentions[2 * i + 1]!];
    reader.expect(own.key.input === own.query.input, "its first attention in a layer is not to the text itself");
    reader.expect(cross.key.input !== cross.query.input, "its second attention in a layer is not to the audio");
    reader.keepAttention(walk, `model.decoder.layers.${i}.self_attn`, own, state);
    reader.keepAttention(walk, `model.decoder.layers.${i}.encoder_attn`, cross, state);
    reader.keepMlp(walk, `model.decoder.layers.${i}`, others.slice(2 * i, 2 * i + 2), state);
  }
  const projection = others[2 * dims.nTextLayer]!;
  reader.keepNorm("model.decoder.layer_norm", walk.norm(projection.input), state);
  reader.expect(isSame(projection.weight, embedding), "its output embedding is not its input embedding");
}

interface Attention {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly out: Linear;
}

/** Every attention, found from its softmax, and the linear layers that belong to none, in their order. */
function readBlocks(walk: GraphWalk, reader: Reader): { attentions: Attention[]; others: Linear[] } {
  const linears = new Map<OnnxNode, Linear>();
  for (const node of walk.nodes) {
    const linear = walk.linear(node);
    if (linear) linears.set(node, linear);
  }
  const isLinear = (node: OnnxNode) => linears.has(node);
  const isProduct = (node: OnnxNode) => node.opType === "MatMul" && !linears.has(node);
  const only = (nodes: readonly OnnxNode[]) => reader.found(nodes.length === 1 ? nodes[0] : undefined, "an attention");
  const linearBehind = (value: string) => reader.found(linears.get(only(walk.behind(value, isLinear))), "a projection");
  const softmaxes = walk.nodes.filter((node) => node.opType === "Softmax");
  const attentions = softmaxes.map((softmax): Attention => {
    const scores = only(walk.behind(softmax.inputs[0]!, isProduct));
    const context = only(walk.ahead(softmax.outputs[0]!, isProduct));
    return {
      query: linearBehind(scores.inputs[0]!),
      key: linearBehind(scores.inputs[1]!),
      value: linearBehind(context.inputs[1]!),
      out: reader.found(linears.get(only(walk.ahead(context.outputs[0]!, isLinear))), "an output projection"),
    };
  });
  for (const { query, key, value, out } of attentions) {
    for (const { node } of [query, key, value, out]) linears.delete(node);
  }
  return { attentions, others: [...linears.values()] };
}

/** Floating-point constants that the graph's nodes use. */
function constants(walk: GraphWalk): Parameter[] {
  return walk.nodes.flatMap((node) => node.inputs.flatMap((input) => walk.constant(input) ?? []));
}

function isSame(a: Parameter, b: Parameter | undefined): boolean {
  if (!b || a.shape.join() !== b.shape.join()) return false;
  const [left, right] = [a.float32(), b.float32()];
  return left.every((value, i) => value === right[i]);
}

/** Collects parameters under their names and refuses what does not fit. */
class Reader {
  readonly #path: string;
  readonly #parameters: Map<string, Parameter>;

  constructor(path: string, parameters: Map<string, Parameter>) {
    this.#path = path;
    this.#parameters = parameters;
  }

  keep(name: string, parameter: Parameter | undefined, shape: readonly number[]): void {
    const { float32, shape: actual } = this.found(parameter, name);
    this.expect(elementCount(actual) === elementCount(shape), `${name} is ${actual.join("x")}, not ${shape.join("x")}`);
    this.#parameters.set(name, { shape, float32 });
  }

  keepNorm(name: string, norm: Norm | undefined, state: number): void {
    this.keep(`${name}.weight`, norm?.weight, [state]);
    this.keep(`${name}.bias`, norm?.bias, [state]);
  }

  keepLinear(name: string, linear: Linear, outputs: number, inputs: number): void {
    this.keep(`${name}.weight`, linear.weight, [outputs, inputs]);
    this.keep(`${name}.bias`, linear.bias, [outputs]);
  }

  keepAttention(walk: GraphWalk, name: string, { query, key, value, out }: Attention, state: number): void {
    this.keepLinear(`${name}.q_proj`, query, state, state);
    this.expect(key.bias === undefined, `${name}.k_proj has a bias`);
    this.keep(`${name}.k_proj.weight`, key.weight, [state, state]);
    this.keepLinear(`${name}.v_proj`, value, state, state);
    this.keepLinear(`${name}.out_proj`, out, state, state);
    this.keepNorm(`${name}_layer_norm`, walk.norm(query.input), state);
  }

  keepMlp(walk: GraphWalk, layer: string, linears: readonly Linear[], state: number): void {
    const [fc1, fc2] = linears;
    const hidden = fc1!.weight.shape[0]!;
    this.keepLinear(`${layer}.fc1`, fc1!, hidden, state);
    this.keepLinear(`${layer}.fc2`, fc2!, state, hidden);
    this.keepNorm(`${layer}.final_layer_norm`, walk.norm(fc1!.input), state);
  }

  found<T>(value: T | undefined, what: string): T {
    if (value === undefined) throw this.#refusal(`${what} was not found`);
    return value;
  }

  expect(condition: boolean, otherwise: string): void {
    if (!condition) throw this.#refusal(otherwise);
  }

  #refusal(reason: string): InferenceError {
    return new InferenceError(
      "model_broken",
      `${this.#path} is not built as Whisper's exports are: ${reason}. The model runs in its public layout only.`,
    );
  }
}
