// The demo model's graphs in the other shapes in which models are published.

import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { demoFolder } from "../../src/inference/models.ts";
import { readModel, writeModel } from "../../src/inference/onnx/model-file.ts";
import { DataType, type OnnxGraph, type OnnxModel, type OnnxNode } from "../../src/inference/onnx/model-proto.ts";

const CONFIGURATION = ["config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json"];

/** A copy of the demo model with its graphs changed; `change` returns them by file name. */
export async function writeLayout(
  folder: string,
  change: (encoder: OnnxModel, decoder: OnnxModel) => Record<string, OnnxModel>,
): Promise<void> {
  await mkdir(join(folder, "onnx"), { recursive: true });
  for (const file of CONFIGURATION) await cp(join(demoFolder, file), join(folder, file));
  const read = (name: string) => readModel(join(demoFolder, "onnx", `${name}.onnx`));
  const graphs = change(read("encoder_model"), read("decoder_model_merged"));
  for (const [name, model] of Object.entries(graphs)) await writeModel(join(folder, "onnx", `${name}.onnx`), model);
}

/** One graph for the first pass and one for those with a past, as older exports come. */
export function splitDecoder(merged: OnnxModel): { first: OnnxModel; withPast: OnnxModel } {
  const { graph, opsets } = merged;
  const branching = graph.nodes.find((node) => node.opType === "If")!;
  const branch = (attribute: string, isWanted: (name: string) => boolean, outputs: (name: string) => boolean) => {
    const body = branching.attributes.get(attribute);
    if (body?.kind !== "graph") throw new Error(`no ${attribute}`);
    const rename = branching.outputs.flatMap((name, i): OnnxNode[] =>
      outputs(name) ? [identity(body.value.outputs[i]!.name, name)] : [],
    );
    return {
      opsets,
      graph: {
        ...graph,
        nodes: [...graph.nodes.filter((node) => node !== branching), ...body.value.nodes, ...rename],
        initializers: [...graph.initializers, ...body.value.initializers],
        inputs: graph.inputs.filter(({ name }) => isWanted(name)),
        outputs: graph.outputs.filter(({ name }) => outputs(name)),
      },
    };
  };
  return {
    first: branch(
      "else_branch",
      (name) => name === "input_ids" || name === "encoder_hidden_states",
      () => true,
    ),
    withPast: branch(
      "then_branch",
      (name) => name === "input_ids" || name.startsWith("past_key_values"),
      (name) => !name.includes(".encoder."),
    ),
  };
}

/** All floating-point inputs and outputs in half precision, as some converters leave them. */
export function withHalfValues(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const isFloat = ({ dataType }: { dataType: number }) => dataType === DataType.float32;
  const inputs = graph.inputs.filter(isFloat).map(({ name }) => name);
  const outputs = graph.outputs.filter(isFloat).map(({ name }) => name);
  const half = <T extends { dataType: number }>(value: T): T =>
    isFloat(value) ? { ...value, dataType: DataType.float16 } : value;
  return {
    ...model,
    graph: {
      ...graph,
      inputs: graph.inputs.map(half),
      outputs: graph.outputs.map(half),
      nodes: [
        ...inputs.map((name) => cast(name, `${name}/single`, DataType.float32)),
        ...renameValues(graph, new Map([...inputs, ...outputs].map((name) => [name, `${name}/single`]))).nodes,
        ...outputs.map((name) => cast(`${name}/single`, name, DataType.float16)),
      ],
    },
  };
}

function renameValues(graph: OnnxGraph, names: ReadonlyMap<string, string>): OnnxGraph {
  const renamed = (name: string) => names.get(name) ?? name;
  return {
    ...graph,
    nodes: graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(renamed),
      outputs: node.outputs.map(renamed),
      attributes: new Map(
        Array.from(node.attributes, ([name, attribute]) => [
          name,
          attribute.kind === "graph" ? { ...attribute, value: renameValues(attribute.value, names) } : attribute,
        ]),
      ),
    })),
    outputs: graph.outputs.map((value) => ({ ...value, name: renamed(value.name) })),
  };
}

function identity(input: string, output: string): OnnxNode {
  return {
    name: `${output}/rename`,
    opType: "Identity",
    domain: "",
    inputs: [input],
    outputs: [output],
    attributes: new Map(),
  };
}

function cast(input: string, output: string, to: number): OnnxNode {
  const attributes = new Map([["to", { kind: "int" as const, value: to }]]);
  return { name: `${output}/cast`, opType: "Cast", domain: "", inputs: [input], outputs: [output], attributes };
}
