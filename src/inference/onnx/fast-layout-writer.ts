// Whisper's forward pass in onnxruntime's fused operators: the encoder, the audio's keys and values, and the decoder.

import type { ModelDimensions } from "../graph.ts";
import { bytesOf, GraphBuilder } from "./graph-builder.ts";
import { DataType, type OnnxModel } from "./model-proto.ts";
import { elementCount, type Parameter, type Parameters, transpose } from "./parameters.ts";
import { BLOCK, quantizeBlocks, quantizeRows } from "./quantization.ts";

/** What the weights of the linear layers are kept in; all else is float32. */
export type FastPrecision = "float32" | "int8" | "int4";

const OPSETS = new Map([
  ["", 17],
  ["com.microsoft", 1],
]);
const EPSILON = { epsilon: { float: 1e-5 } };

/** The graphs by their file names. */
export function fastModels(
  dims: ModelDimensions,
  parameters: Parameters,
  precision: FastPrecision,
): ReadonlyMap<string, OnnxModel> {
  // MatMulNBits is made for few rows at a time; over the 1500 positions of a window the 8-bit product is faster.
  const manyRows = precision === "int4" ? "int8" : precision;
  return new Map([
    ["encoder.onnx", encoderModel(dims, parameters, manyRows)],
    ["audio_cache.onnx", audioCacheModel(dims, parameters, manyRows)],
    ["decoder.onnx", decoderModel(dims, parameters, precision)],
  ]);
}

function encoderModel(dims: ModelDimensions, parameters: Parameters, precision: FastPrecision): OnnxModel {
  const graph = new GraphBuilder("encoder");
  const pass = new FusedPass(graph, parameters, precision);
  const { nAudioCtx, nAudioHead, nAudioState } = dims;
  const mel = graph.input("mel", DataType.float32, ["audios", dims.nMels, 2 * nAudioCtx]);
  let x = pass.gelu(pass.conv(mel, "model.encoder.conv1", 1));
  x = pass.gelu(pass.conv(x, "model.encoder.conv2", 2));
  x = graph.op("Transpose", [x], { perm: [0, 2, 1] });
  x = graph.op("Add", [x, pass.parameter("model.encoder.embed_positions.weight")]);
  let normed = pass.layerNorm(x, "model.encoder.layers.0.self_attn_layer_norm");
  for (let i = 0; i < dims.nAudioLayer; i++) {
    const layer = `model.encoder.layers.${i}`;
    const attended = pass.attention(pass.queryKeyValue(normed, `${layer}.self_attn`), nAudioHead);
    [x, normed] = pass.addAndNorm(x, pass.linear(attended, `${layer}.self_attn.out_proj`), `${layer}.final_layer_norm`);
    const next =
      i + 1 < dims.nAudioLayer ? `model.encoder.layers.${i + 1}.self_attn_layer_norm` : "model.encoder.layer_norm";
    [x, normed] = pass.addAndNorm(x, pass.mlp(normed, layer), next);
  }
  graph.node("Identity", [normed], ["audio_features"]);
  graph.output("audio_features", DataType.float32, ["audios", nAudioCtx, nAudioState]);
  return { graph: graph.build(), opsets: OPSETS };
}

/** The cross-attention's keys and values, which depend on the audio alone: [audios, heads, nAudioCtx, headState]. */
function audioCacheModel(dims: ModelDimensions, parameters: Parameters, precision: FastPrecision): OnnxModel {
  const graph = new GraphBuilder("audio_cache");
  const pass = new FusedPass(graph, parameters, precision);
  const { nAudioCtx, nTextHead, nTextState } = dims;
  const features = graph.input("audio_features", DataType.float32, ["audios", nAudioCtx, dims.nAudioState]);
  for (const name of audioCacheNames(dims)) {
    const [, layer, which] = name.split(".");
    const projection = which === "key" ? "k_proj" : "v_proj";
    const projected = pass.linear(features, `model.decoder.layers.${layer}.encoder_attn.${projection}`);
    const split = graph.op("Reshape", [projected, graph.ints(0, 0, nTextHead, -1)]);
    graph.node("Transpose", [split], [name], { perm: [0, 2, 1, 3] });
    graph.output(name, DataType.float32, ["audios", nTextHead, nAudioCtx, nTextState / nTextHead]);
  }
  return { graph: graph.build(), opsets: OPSETS };
}

/** New tokens after those in the cache; logits for the asked positions only. */
function decoderModel(dims: ModelDimensions, parameters: Parameters, precision: FastPrecision): OnnxModel {
  const graph = new GraphBuilder("decoder");
  const pass = new FusedPass(graph, parameters, precision);
  const { nAudioCtx, nTextHead, nTextState, nVocab } = dims;
  const headState = nTextState / nTextHead;
  const tokens = graph.input("tokens", DataType.int64, ["rows", "new"]);
  const positions = graph.input("positions", DataType.int64, ["new"]);
  const wanted = graph.input("wanted", DataType.int64, ["wanted"]);
  for (const name of textCacheNames(dims)) {
    graph.input(`past_${name}`, DataType.float32, ["rows", nTextHead, "past", headState]);
    graph.output(`present_${name}`, DataType.float32, ["rows", nTextHead, "total", headState]);
  }
  for (const name of audioCacheNames(dims)) {
    graph.input(name, DataType.float32, ["audios", nTextHead, nAudioCtx, headState]);
  }
  const nAudio = graph.op("Shape", [audioCacheNames(dims)[0]!], { start: 0, end: 1 });
  const perAudio = graph.op("Concat", [nAudio, graph.ints(-1, nTextState)], { axis: 0 });
  const perRow = graph.op("Concat", [graph.op("Shape", [tokens]), graph.ints(nTextState)], { axis: 0 });

  let x = graph.op("Add", [
    pass.embed(tokens),
    graph.op("Gather", [pass.parameter("model.decoder.embed_positions.weight"), positions]),
  ]);
  let normed = pass.layerNorm(x, "model.decoder.layers.0.self_attn_layer_norm");
  for (let i = 0; i < dims.nTextLayer; i++) {
    const layer = `model.decoder.layers.${i}`;
    const attended = pass.causalAttention(pass.queryKeyValue(normed, `${layer}.self_attn`), nTextHead, `text.${i}`);
    const out = pass.linear(attended, `${layer}.self_attn.out_proj`);
    [x, normed] = pass.addAndNorm(x, out, `${layer}.encoder_attn_layer_norm`);

    // Rows that listen to the same audio stand in one long row: its keys and values are read once for all of them.
    const crossQuery = graph.op("Reshape", [pass.linear(normed, `${layer}.encoder_attn.q_proj`), perAudio]);
    const heard = pass.attention([crossQuery, `audio.${i}.key`, `audio.${i}.value`], nTextHead);
    const crossOut = pass.linear(graph.op("Reshape", [heard, perRow]), `${layer}.encoder_attn.out_proj`);
    [x, normed] = pass.addAndNorm(x, crossOut, `${layer}.final_layer_norm`);

    const next =
      i + 1 < dims.nTextLayer ? `model.decoder.layers.${i + 1}.self_attn_layer_norm` : "model.decoder.layer_norm";
    [x, normed] = pass.addAndNorm(x, pass.mlp(normed, layer), next);
  }
  const asked = graph.op("Gather", [normed, wanted], { axis: 1 });
  graph.node("Identity", [pass.unembed(asked)], ["logits"]);
  graph.output("logits", DataType.float32, ["rows", "wanted", nVocab]);
  return { graph: graph.build(), opsets: OPSETS };
}

/** Names of the graphs' values, layer by layer: "audio.0.key". */
export function audioCacheNames(dims: ModelDimensions): string[] {
  return cacheNames("audio", dims);
}

/** To be prefixed with past_ or present_. */
export function textCacheNames(dims: ModelDimensions): string[] {
  return cacheNames("text", dims);
}

function cacheNames(kind: string, dims: ModelDimensions): string[] {
  return Array.from({ length: dims.nTextLayer }, (_, i) => [`${kind}.${i}.key`, `${kind}.${i}.value`]).flat();
}

/** The parts of the forward pass, fused as far as onnxruntime has operators for it. */
class FusedPass {
  readonly #graph: GraphBuilder;
  readonly #parameters: Parameters;
  readonly #precision: FastPrecision;

  constructor(graph: GraphBuilder, parameters: Parameters, precision: FastPrecision) {
    this.#graph = graph;
    this.#parameters = parameters;
    this.#precision = precision;
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
    const product = this.#product(x, `${module}.weight`);
    return this.#parameters.has(`${module}.bias`)
      ? this.#graph.op("Add", [product, this.parameter(`${module}.bias`)])
      : product;
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

  causalAttention(queryKeyValue: readonly string[], heads: number, cache: string): string {
    const output = `${cache}/attended`;
    this.#graph.node(
      "com.microsoft.MultiHeadAttention",
      [...queryKeyValue, "", "", "", `past_${cache}.key`, `past_${cache}.value`],
      [output, `present_${cache}.key`, `present_${cache}.value`],
      { num_heads: heads, unidirectional: 1 },
    );
    return output;
  }

  embed(tokens: string): string {
    const name = "model.decoder.embed_tokens.weight";
    const graph = this.#graph;
    if (this.#precision === "float32") return graph.op("Gather", [this.parameter(name), tokens]);
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

  /** x times the transposed weight: [.., in] -> [.., out] */
  #product(x: string, name: string): string {
    const { float32, shape } = this.#get(name);
    const [outputs, inputs] = [shape[0]!, shape[1]!];
    const graph = this.#graph;
    switch (this.#precision) {
      case "float32": {
        const read = () => transpose(float32(), outputs, inputs);
        return graph.op("MatMul", [x, this.#bytes(`${name}/T`, DataType.float32, [inputs, outputs], read)]);
      }
      case "int8": {
        const read = () => {
          const { scales, values } = quantizeRows(float32(), outputs);
          return { scales, values: transpose(values, outputs, inputs) };
        };
        const weight = this.#bytes(`${name}/int8`, DataType.int8, [inputs, outputs], () => read().values);
        const scales = this.#bytes(`${name}/scales`, DataType.float32, [outputs], () => read().scales);
        return graph.op("com.microsoft.DynamicQuantizeMatMul", [x, weight, scales]);
      }
      case "int4": {
        const blocks = inputs / BLOCK;
        const read = () => quantizeBlocks(float32());
        const weight = this.#bytes(`${name}/int4`, DataType.uint8, [outputs, blocks, BLOCK / 2], () => read().values);
        const scales = this.#bytes(`${name}/scales`, DataType.float32, [outputs * blocks], () => read().scales);
        // Accuracy level 4: the input is rounded to 8 bits, so that integers are multiplied.
        const sizes = { K: inputs, N: outputs, bits: 4, block_size: BLOCK, accuracy_level: 4 };
        return graph.op("com.microsoft.MatMulNBits", [x, weight, scales], sizes);
      }
      default:
        return this.#precision satisfies never;
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
