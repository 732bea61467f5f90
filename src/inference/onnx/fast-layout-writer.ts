// Whisper's forward pass in onnxruntime's fused operators: the encoder, the audio's keys and values, and the decoder.

import type { ModelDimensions } from "../graph.ts";
import { type FastPrecision, FusedPass, type Product } from "./fused-pass.ts";
import { bytesOf, GraphBuilder } from "./graph-builder.ts";
import { LoopBuilder, type Value } from "./loop-builder.ts";
import { DataType, type OnnxModel } from "./model-proto.ts";
import type { Parameters } from "./parameters.ts";
import { CHOICE_INPUTS, CHOICE_OUTPUTS, chooseToken } from "./token-choice-writer.ts";

const OPSETS = new Map([
  ["", 17],
  ["com.microsoft", 1],
]);

/** Of the passes over a whole window, and of the decoder. */
const PRODUCTS: Readonly<Record<FastPrecision, readonly [Product, Product]>> = {
  float32: ["float32", "float32"],
  int8: ["rows8", "blocks8"],
  int4: ["rows8", "blocks4"],
};

/**
 * The graphs by their file names.
 * @param alignmentLayers decoder layers whose cross-attention is to be read for word times
 */
export function fastModels(
  dims: ModelDimensions,
  alignmentLayers: readonly number[],
  parameters: Parameters,
  precision: FastPrecision,
): ReadonlyMap<string, OnnxModel> {
  // Products in blocks are made for few rows at a time.
  const [manyRows, fewRows] = PRODUCTS[precision];
  return new Map([
    ["encoder.onnx", encoderModel(dims, parameters, manyRows)],
    ["audio_cache.onnx", audioCacheModel(dims, parameters, manyRows)],
    ["decoder.onnx", decoderModel(dims, alignmentLayers, parameters, fewRows)],
  ]);
}

function encoderModel(dims: ModelDimensions, parameters: Parameters, product: Product): OnnxModel {
  const graph = new GraphBuilder("encoder");
  const pass = new FusedPass(graph, parameters, product);
  const { nAudioHead, nAudioState } = dims;
  const mel = graph.input("mel", DataType.float32, ["audios", dims.nMels, "frames"]);
  let x = pass.gelu(pass.conv(mel, "model.encoder.conv1", 1));
  x = pass.gelu(pass.conv(x, "model.encoder.conv2", 2));
  x = graph.op("Transpose", [x], { perm: [0, 2, 1] });
  // A recording that is shorter than its window may be heard without the silence that fills the window up.
  const heard = graph.op("Shape", [x], { start: 1, end: 2 });
  const positions = pass.parameter("model.encoder.embed_positions.weight");
  x = graph.op("Add", [x, graph.op("Slice", [positions, graph.ints(0), heard, graph.ints(0)])]);
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
  graph.output("audio_features", DataType.float32, ["audios", "positions", nAudioState]);
  return { graph: graph.build(), opsets: OPSETS };
}

/** The cross-attention's keys and values, which depend on the audio alone: [audios, heads, positions, headState]. */
function audioCacheModel(dims: ModelDimensions, parameters: Parameters, product: Product): OnnxModel {
  const graph = new GraphBuilder("audio_cache");
  const pass = new FusedPass(graph, parameters, product);
  const { nTextHead, nTextState } = dims;
  const features = graph.input("audio_features", DataType.float32, ["audios", "positions", dims.nAudioState]);
  for (const name of audioCacheNames(dims)) {
    const [, layer, which] = name.split(".");
    const projection = which === "key" ? "k_proj" : "v_proj";
    const projected = pass.linear(features, `model.decoder.layers.${layer}.encoder_attn.${projection}`);
    const split = graph.op("Reshape", [projected, graph.ints(0, 0, nTextHead, -1)]);
    graph.node("Transpose", [split], [name], { perm: [0, 2, 1, 3] });
    graph.output(name, DataType.float32, ["audios", nTextHead, "positions", nTextState / nTextHead]);
  }
  return { graph: graph.build(), opsets: OPSETS };
}

/**
 * The decoder with the choice of the next token, as a loop. Each turn reads the tokens that the cache does not hold yet,
 * computes logits for the wanted positions, and samples one token for each row, which is what the next turn reads.
 */
function decoderModel(
  dims: ModelDimensions,
  alignmentLayers: readonly number[],
  parameters: Parameters,
  product: Product,
): OnnxModel {
  const graph = new GraphBuilder("decoder");
  const { nTextHead, nTextState, nVocab } = dims;
  const headState = nTextState / nTextHead;
  const { float32, int64 } = DataType;
  const inputs: Value[] = [
    { name: "turns", type: int64, shape: [] },
    { name: "tokens", type: int64, shape: ["rows", "new"] },
    { name: "wanted", type: int64, shape: ["wanted"] },
    ...CHOICE_INPUTS,
  ];
  const cacheShape = (length: string) => ["rows", nTextHead, length, headState];
  for (const name of textCacheNames(dims)) {
    inputs.push({ name: `past_${name}`, type: float32, shape: cacheShape("past") });
  }
  for (const name of audioCacheNames(dims)) {
    inputs.push({ name, type: float32, shape: ["audios", nTextHead, "positions", headState] });
  }
  for (const { name, type, shape } of inputs) graph.input(name, type, shape);

  const outputs: Value[] = [...CHOICE_OUTPUTS];
  const loop = new LoopBuilder(graph, "step");
  const { body } = loop;
  const carry = (value: Value, first: string) => {
    outputs.push({ ...value, name: `final_${value.name}` });
    return loop.carry(value, first);
  };
  const none = (...shape: number[]) => graph.weight(`none[${shape}]`, float32, shape, bytesOf(new Float32Array(0)));
  const tokens = loop.carry({ name: "tokens", type: int64, shape: ["rows", "read"] }, "tokens");
  const wanted = loop.carry({ name: "wanted", type: int64, shape: ["asked"] }, "wanted");
  loop.handOn("wanted", body.op("Identity", [body.ints(0)]));
  for (const name of textCacheNames(dims)) {
    carry({ name, type: float32, shape: cacheShape("length") }, `past_${name}`);
    loop.handOn(name, `present_${name}`);
  }

  const pass = new FusedPass(body, parameters, product);
  const nAudio = body.op("Shape", [audioCacheNames(dims)[0]!], { start: 0, end: 1 });
  const perAudio = body.op("Concat", [nAudio, body.ints(-1, nTextState)], { axis: 0 });
  const perRow = body.op("Concat", [body.op("Shape", [tokens]), body.ints(nTextState)], { axis: 0 });
  const nPast = body.op("Shape", ["before_text.0.key"], { start: 2, end: 3 });
  const nTotal = body.op("Add", [nPast, body.op("Shape", [tokens], { start: 1, end: 2 })]);
  const positions = pass.parameter("model.decoder.embed_positions.weight");
  let x = body.op("Add", [pass.embed(tokens), body.op("Slice", [positions, nPast, nTotal, body.ints(0)])]);
  let normed = pass.layerNorm(x, "model.decoder.layers.0.self_attn_layer_norm");
  for (let i = 0; i < dims.nTextLayer; i++) {
    const layer = `model.decoder.layers.${i}`;
    const query = pass.scaledQuery(normed, `${layer}.self_attn`, headState);
    const keyValue = ["k_proj", "v_proj"].map((name) => pass.linear(normed, `${layer}.self_attn.${name}`));
    const attended = pass.causalAttention([query, ...keyValue], nTextHead, `text.${i}`);
    const out = pass.linear(attended, `${layer}.self_attn.out_proj`);
    [x, normed] = pass.addAndNorm(x, out, `${layer}.encoder_attn_layer_norm`);

    // Rows that listen to the same audio stand in one long row: its keys and values are read once for all of them.
    const crossQuery = body.op("Reshape", [pass.scaledQuery(normed, `${layer}.encoder_attn`, headState), perAudio]);
    const audio = [crossQuery, `audio.${i}.key`, `audio.${i}.value`];
    const follows = alignmentLayers.includes(i);
    const heard = follows
      ? pass.attentionWithScores(audio, nTextHead, scoresName(i))
      : pass.scaledAttention(audio, nTextHead);
    if (follows) {
      const shape = ["audios", nTextHead, "queries", "positions"];
      carry({ name: scoresName(i), type: float32, shape }, none(1, nTextHead, 0, 0));
      loop.handOn(scoresName(i), scoresName(i));
    }
    const crossOut = pass.linear(body.op("Reshape", [heard, perRow]), `${layer}.encoder_attn.out_proj`);
    [x, normed] = pass.addAndNorm(x, crossOut, `${layer}.final_layer_norm`);

    const next =
      i + 1 < dims.nTextLayer ? `model.decoder.layers.${i + 1}.self_attn_layer_norm` : "model.decoder.layer_norm";
    [x, normed] = pass.addAndNorm(x, pass.mlp(normed, layer), next);
  }
  const logits = pass.unembed(body.op("Gather", [normed, wanted], { axis: 1 }));
  carry({ name: "logits", type: float32, shape: ["rows", "asked", nVocab] }, none(1, 0, nVocab));
  loop.handOn("logits", logits);
  const { token, goesOn } = chooseToken(graph, loop, dims, tokens, logits);
  loop.handOn("tokens", token);
  loop.finish("turns", goesOn);
  for (const { name, type, shape } of outputs) graph.output(name, type, shape);
  return { graph: graph.build(), opsets: OPSETS };
}

/** Names of the graphs' values, layer by layer: "audio.0.key". */
export function audioCacheNames(dims: ModelDimensions): string[] {
  return cacheNames("audio", dims);
}

/** The keys and values of the text so far: "past_text.0.key" goes in and "final_text.0.key" comes out. */
export function textCacheNames(dims: ModelDimensions): string[] {
  return cacheNames("text", dims);
}

function cacheNames(kind: string, dims: ModelDimensions): string[] {
  return Array.from({ length: dims.nTextLayer }, (_, i) => [`${kind}.${i}.key`, `${kind}.${i}.value`]).flat();
}

/** A layer's products of queries and keys over the audio. Comes out as "final_scores.2". */
export function scoresName(layer: number): string {
  return `scores.${layer}`;
}
