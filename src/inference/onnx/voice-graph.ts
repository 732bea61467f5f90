// Silero's model for voice activity as a graph that hears many chunks in one call. The published one hears one at a time:
// most of its time goes by between its small operators. The weights and the arithmetic are the same.

import { bytesOf, GraphBuilder } from "./graph-builder.ts";
import { DataType, isExternal, type OnnxModel } from "./model-proto.ts";

const OPSETS = new Map([["", 17]]);
const FREQUENCIES = 129;
const HIDDEN = 128;
/** Samples that are mirrored at the end of a chunk. */
const MIRRORED = 64;
const HOP = 128;

/**
 * Chunks follow each other: each gives a probability, and the state after the last goes on.
 * Inputs: chunks [n, 576] with 64 samples of the chunk before, and hidden and cell [1, 1, 128]. Outputs: probability [n],
 * hidden_after and cell_after.
 * @param published snakers4/silero-vad v6 at 16 kHz
 */
export function voiceModel(published: OnnxModel): OnnxModel {
  const { float32 } = DataType;
  const graph = new GraphBuilder("voice");
  const tensors = new Map(published.graph.initializers.map((tensor) => [tensor.name, tensor]));
  const floats = (name: string): Float32Array => {
    const content = tensors.get(name)?.content;
    if (content === undefined || isExternal(content)) throw new RangeError(`there is no ${name}`);
    return new Float32Array(new Uint8Array(content.read()).buffer);
  };
  const weight = (name: string, shape = tensors.get(name)?.dims ?? []) =>
    graph.weight(name, float32, shape, bytesOf(floats(name)));

  const chunks = graph.input("chunks", float32, ["n", 576]);
  for (const name of ["hidden", "cell"]) graph.input(name, float32, [1, 1, HIDDEN]);
  const padded = graph.op("Pad", [chunks, graph.ints(0, 0, 0, MIRRORED)], { mode: "reflect" });
  const basis = weight("model.stft.forward_basis_buffer");
  const transform = graph.op("Conv", [graph.op("Unsqueeze", [padded, graph.ints(1)]), basis], { strides: [HOP] });
  const part = (from: number, to: number) =>
    graph.op("Slice", [transform, graph.ints(from), graph.ints(to), graph.ints(1)]);
  const [real, imaginary] = [part(0, FREQUENCIES), part(FREQUENCIES, 2 * FREQUENCIES)];
  const power = graph.op("Add", [graph.op("Mul", [real, real]), graph.op("Mul", [imaginary, imaginary])]);
  let x = graph.op("Sqrt", [power]);
  for (const [i, stride] of [1, 2, 2, 1].entries()) {
    const module = `model.encoder.${i}.reparam_conv`;
    const inputs = [x, weight(`${module}.weight`), weight(`${module}.bias`)];
    x = graph.op("Relu", [graph.op("Conv", inputs, { strides: [stride], pads: [1, 1] })]);
  }

  // The chunks of one call are the steps of one sequence: [n, 128, 1] -> [n, 1, 128].
  const steps = graph.op("Transpose", [x], { perm: [0, 2, 1] });
  const gates = (name: string, shape: readonly number[]) =>
    graph.weight(name, float32, shape, bytesOf(inOnnxOrder(floats(`model.decoder.rnn.${name}`))));
  const biases = Float32Array.of(
    ...inOnnxOrder(floats("model.decoder.rnn.bias_ih")),
    ...inOnnxOrder(floats("model.decoder.rnn.bias_hh")),
  );
  const inputs = [
    steps,
    gates("weight_ih", [1, 4 * HIDDEN, HIDDEN]),
    gates("weight_hh", [1, 4 * HIDDEN, HIDDEN]),
    graph.weight("bias", float32, [1, 8 * HIDDEN], bytesOf(biases)),
    "",
    "hidden",
    "cell",
  ];
  graph.node("LSTM", inputs, ["states", "hidden_after", "cell_after"], { hidden_size: HIDDEN });
  const heard = graph.op("Relu", [graph.op("Reshape", ["states", graph.ints(-1, HIDDEN)])]);
  const product = graph.op("MatMul", [heard, weight("model.decoder.decoder.2.weight", [HIDDEN, 1])]);
  const logit = graph.op("Add", [product, weight("model.decoder.decoder.2.bias")]);
  graph.node("Reshape", [graph.op("Sigmoid", [logit]), graph.ints(-1)], ["probability"]);
  graph.output("probability", float32, ["n"]);
  for (const name of ["hidden_after", "cell_after"]) graph.output(name, float32, [1, 1, HIDDEN]);
  return { graph: graph.build(), opsets: OPSETS };
}

/** PyTorch's gates are input, forget, cell, output; ONNX's are input, output, forget, cell. */
function inOnnxOrder(gates: Float32Array): Float32Array {
  const size = gates.length / 4;
  const ordered = new Float32Array(gates.length);
  for (const [to, from] of [0, 3, 1, 2].entries())
    ordered.set(gates.subarray(from * size, (from + 1) * size), to * size);
  return ordered;
}
