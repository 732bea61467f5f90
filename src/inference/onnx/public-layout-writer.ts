// Whisper's forward pass as ONNX graphs in Hugging Face's public layout, as optimum exports it.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ModelDimensions } from "../graph.ts";
import { bytesOf, GraphBuilder } from "./graph-builder.ts";
import { writeModel } from "./model-file.ts";
import { DataType, type OnnxModel } from "./model-proto.ts";
import { elementCount, type Parameters, transpose } from "./parameters.ts";

const OPSET = 17;
const LAYER_NORM_EPSILON = 1e-5;

/** Writes onnx/encoder_model.onnx and onnx/decoder_model_merged.onnx, in float32, into a model's folder. */
export async function writePublicLayout(folder: string, dims: ModelDimensions, parameters: Parameters): Promise<void> {
  await mkdir(join(folder, "onnx"), { recursive: true });
  await writeModel(join(folder, "onnx", "encoder_model.onnx"), encoderModel(dims, parameters));
  await writeModel(join(folder, "onnx", "decoder_model_merged.onnx"), decoderModel(dims, parameters));
}

function encoderModel(dims: ModelDimensions, parameters: Parameters): OnnxModel {
  const graph = new GraphBuilder("encoder");
  const { nAudioCtx, nAudioState } = dims;
  const mel = graph.input("input_features", DataType.float32, ["batch_size", dims.nMels, 2 * nAudioCtx]);
  const pass = new ForwardPass(graph, parameters);
  let x = pass.gelu(pass.conv(mel, "model.encoder.conv1", 1));
  x = pass.gelu(pass.conv(x, "model.encoder.conv2", 2));
  x = graph.op("Transpose", [x], { perm: [0, 2, 1] });
  x = graph.op("Add", [x, pass.parameter("model.encoder.embed_positions.weight")]);
  for (let i = 0; i < dims.nAudioLayer; i++) {
    const layer = `model.encoder.layers.${i}`;
    const normed = pass.layerNorm(x, `${layer}.self_attn_layer_norm`);
    const query = pass.query(normed, `${layer}.self_attn`, dims.nAudioHead);
    const { key, value } = pass.keyValue(normed, `${layer}.self_attn`, dims.nAudioHead);
    x = graph.op("Add", [x, pass.attention(query, key, value, `${layer}.self_attn`)]);
    x = graph.op("Add", [x, pass.mlp(x, layer)]);
  }
  graph.node("Identity", [pass.layerNorm(x, "model.encoder.layer_norm")], ["last_hidden_state"]);
  graph.output("last_hidden_state", DataType.float32, ["batch_size", nAudioCtx, nAudioState]);
  return { graph: graph.build(), opsets: new Map([["", OPSET]]) };
}

/** One graph for the first pass and for those with a cache, chosen by `use_cache_branch`. */
function decoderModel(dims: ModelDimensions, parameters: Parameters): OnnxModel {
  const graph = new GraphBuilder("decoder");
  const { nTextHead, nTextState, nVocab } = dims;
  const headState = nTextState / nTextHead;
  graph.input("input_ids", DataType.int64, ["batch_size", "decoder_sequence_length"]);
  graph.input("encoder_hidden_states", DataType.float32, ["batch_size", "encoder_sequence_length", nTextState]);
  for (const name of cacheNames(dims)) {
    const length = name.includes("encoder") ? "encoder_sequence_length_out" : "past_decoder_sequence_length";
    graph.input(`past_key_values.${name}`, DataType.float32, ["batch_size", nTextHead, length, headState]);
  }
  graph.input("use_cache_branch", DataType.bool, [1]);
  const outputs = ["logits", ...cacheNames(dims).map((name) => `present.${name}`)];
  const describeOutputs = (of: GraphBuilder, prefix: string) => {
    for (const name of outputs) {
      const length = name.includes("encoder") ? "encoder_sequence_length_out" : "total_sequence_length";
      const shape = name === "logits" ? ["decoder_sequence_length", nVocab] : [nTextHead, length, headState];
      of.output(`${prefix}${name}`, DataType.float32, ["batch_size", ...shape]);
    }
  };
  const branch = (name: string, isFirst: boolean) => {
    const body = graph.body(name);
    decoderPass(body, `${name}/`, dims, parameters, isFirst);
    describeOutputs(body, `${name}/`);
    return { graph: body.build() };
  };
  graph.node("If", ["use_cache_branch"], outputs, {
    then_branch: branch("with_past", false),
    else_branch: branch("no_past", true),
  });
  describeOutputs(graph, "");
  return { graph: graph.build(), opsets: new Map([["", OPSET]]) };
}

function decoderPass(
  graph: GraphBuilder,
  prefix: string,
  dims: ModelDimensions,
  parameters: Parameters,
  isFirst: boolean,
): void {
  const { nTextHead, nTextLayer, nTextState } = dims;
  const pass = new ForwardPass(graph, parameters);
  const embedding = pass.parameter("model.decoder.embed_tokens.weight");
  const nTokens = graph.op("Gather", [graph.op("Shape", ["input_ids"]), graph.int(1)]);
  const nPast = isFirst
    ? graph.int(0)
    : graph.op("Gather", [graph.op("Shape", ["past_key_values.0.decoder.key"]), graph.int(2)]);
  const nTotal = graph.op("Add", [nPast, nTokens]);
  const positions = graph.op("Range", [nPast, nTotal, graph.int(1)]);
  const embedded = graph.op("Gather", [embedding, "input_ids"]);
  const position = graph.op("Gather", [pass.parameter("model.decoder.embed_positions.weight"), positions]);
  let x = graph.op("Add", [embedded, position]);

  // A token sees the tokens up to itself.
  const columns = graph.op("Unsqueeze", [graph.op("Range", [graph.int(0), nTotal, graph.int(1)]), graph.ints(0)]);
  const rows = graph.op("Unsqueeze", [positions, graph.ints(1)]);
  const mask = graph.op("Where", [graph.op("Greater", [columns, rows]), graph.float(-1e9), graph.float(0)]);

  for (let i = 0; i < nTextLayer; i++) {
    const layer = `model.decoder.layers.${i}`;
    const normed = pass.layerNorm(x, `${layer}.self_attn_layer_norm`);
    const query = pass.query(normed, `${layer}.self_attn`, nTextHead);
    let own = pass.keyValue(normed, `${layer}.self_attn`, nTextHead);
    if (!isFirst) {
      const past = `past_key_values.${i}.decoder`;
      own = {
        key: graph.op("Concat", [`${past}.key`, own.key], { axis: 2 }),
        value: graph.op("Concat", [`${past}.value`, own.value], { axis: 2 }),
      };
    }
    x = graph.op("Add", [x, pass.attention(query, own.key, own.value, `${layer}.self_attn`, mask)]);

    const crossNormed = pass.layerNorm(x, `${layer}.encoder_attn_layer_norm`);
    const crossQuery = pass.query(crossNormed, `${layer}.encoder_attn`, nTextHead);
    const past = `past_key_values.${i}.encoder`;
    const audio = isFirst
      ? pass.keyValue("encoder_hidden_states", `${layer}.encoder_attn`, nTextHead)
      : { key: `${past}.key`, value: `${past}.value` };
    x = graph.op("Add", [x, pass.attention(crossQuery, audio.key, audio.value, `${layer}.encoder_attn`)]);
    x = graph.op("Add", [x, pass.mlp(x, layer)]);

    const present = `${prefix}present.${i}`;
    graph.node("Identity", [own.key], [`${present}.decoder.key`]);
    graph.node("Identity", [own.value], [`${present}.decoder.value`]);
    for (const [name, value] of Object.entries(audio)) {
      // With a cache optimum's export gives nothing back here: the caller has it. Ref: optimum merge_decoders
      const output = isFirst ? value : pass.empty([0, nTextHead, 1, nTextState / nTextHead]);
      graph.node("Identity", [output], [`${present}.encoder.${name}`]);
    }
  }
  const normed = pass.layerNorm(x, "model.decoder.layer_norm");
  // Input and output embedding are one weight.
  const projection = graph.op("Transpose", [embedding], { perm: [1, 0] });
  graph.node("MatMul", [normed, projection], [`${prefix}logits`]);
}

function cacheNames(dims: ModelDimensions): string[] {
  return Array.from({ length: dims.nTextLayer }, (_, layer) =>
    ["decoder.key", "decoder.value", "encoder.key", "encoder.value"].map((name) => `${layer}.${name}`),
  ).flat();
}

/** The parts of Whisper's forward pass. Ref: transformers modeling_whisper.py */
class ForwardPass {
  readonly #graph: GraphBuilder;
  readonly #parameters: Parameters;

  constructor(graph: GraphBuilder, parameters: Parameters) {
    this.#graph = graph;
    this.#parameters = parameters;
  }

  parameter(name: string): string {
    const parameter = this.#parameters.get(name);
    if (!parameter) throw new RangeError(`there is no parameter ${name}`);
    const byteLength = 4 * elementCount(parameter.shape);
    const read = () => bytesOf(parameter.float32()).read();
    return this.#graph.weight(name, DataType.float32, parameter.shape, { byteLength, read });
  }

  /** A linear weight as MatMul wants it: [in, out]. */
  transposed(name: string): string {
    const parameter = this.#parameters.get(name);
    if (!parameter) throw new RangeError(`there is no parameter ${name}`);
    const [rows, columns] = [parameter.shape[0]!, parameter.shape[1]!];
    const read = () => bytesOf(transpose(parameter.float32(), rows, columns)).read();
    const byteLength = 4 * rows * columns;
    return this.#graph.weight(`${name}.T`, DataType.float32, [columns, rows], { byteLength, read });
  }

  empty(shape: readonly number[]): string {
    return this.#graph.weight(`empty[${shape}]`, DataType.float32, shape, bytesOf(new Float32Array(0)));
  }

  /** Convolution over 3 frames. [batch, in, frames] -> [batch, out, frames / stride] */
  conv(x: string, module: string, stride: number): string {
    const inputs = [x, this.parameter(`${module}.weight`), this.parameter(`${module}.bias`)];
    return this.#graph.op("Conv", inputs, { kernel_shape: [3], strides: [stride], pads: [1, 1] });
  }

  gelu(x: string): string {
    const erf = this.#graph.op("Erf", [this.#graph.op("Div", [x, this.#graph.float(Math.SQRT2)])]);
    const scaled = this.#graph.op("Mul", [x, this.#graph.op("Add", [erf, this.#graph.float(1)])]);
    return this.#graph.op("Mul", [scaled, this.#graph.float(0.5)]);
  }

  layerNorm(x: string, module: string): string {
    const inputs = [x, this.parameter(`${module}.weight`), this.parameter(`${module}.bias`)];
    return this.#graph.op("LayerNormalization", inputs, { axis: -1, epsilon: { float: LAYER_NORM_EPSILON } });
  }

  linear(x: string, module: string): string {
    const product = this.#graph.op("MatMul", [x, this.transposed(`${module}.weight`)]);
    if (!this.#parameters.has(`${module}.bias`)) return product;
    return this.#graph.op("Add", [this.parameter(`${module}.bias`), product]);
  }

  /** [batch, tokens, state] -> [batch, heads, tokens, headState], scaled */
  query(x: string, module: string, nHead: number): string {
    const state = this.#parameters.get(`${module}.q_proj.weight`)?.shape[0] ?? 0;
    const scale = this.#graph.float((state / nHead) ** -0.5);
    return this.#splitHeads(this.#graph.op("Mul", [this.linear(x, `${module}.q_proj`), scale]), nHead);
  }

  /** Both [batch, heads, tokens, headState]; Whisper's keys have no bias. */
  keyValue(x: string, module: string, nHead: number): { key: string; value: string } {
    return {
      key: this.#splitHeads(this.linear(x, `${module}.k_proj`), nHead),
      value: this.#splitHeads(this.linear(x, `${module}.v_proj`), nHead),
    };
  }

  attention(query: string, key: string, value: string, module: string, mask?: string): string {
    const graph = this.#graph;
    let scores = graph.op("MatMul", [query, graph.op("Transpose", [key], { perm: [0, 1, 3, 2] })]);
    if (mask) scores = graph.op("Add", [scores, mask]);
    const context = graph.op("MatMul", [graph.op("Softmax", [scores], { axis: -1 }), value]);
    const joined = graph.op("Transpose", [context], { perm: [0, 2, 1, 3] });
    const state = this.#parameters.get(`${module}.out_proj.weight`)?.shape[1] ?? 0;
    return this.linear(graph.op("Reshape", [joined, graph.ints(0, 0, state)]), `${module}.out_proj`);
  }

  mlp(x: string, layer: string): string {
    const hidden = this.gelu(this.linear(this.layerNorm(x, `${layer}.final_layer_norm`), `${layer}.fc1`));
    return this.linear(hidden, `${layer}.fc2`);
  }

  #splitHeads(x: string, nHead: number): string {
    const split = this.#graph.op("Reshape", [x, this.#graph.ints(0, 0, nHead, -1)]);
    return this.#graph.op("Transpose", [split], { perm: [0, 2, 1, 3] });
  }
}
