import { cpSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InferenceError } from "../../src/core/errors.ts";
import type { ModelDimensions, WhisperGraph } from "../../src/inference/graph.ts";
import { readModelConfig } from "../../src/inference/model-config.ts";
import { demoFolder } from "../../src/inference/models.ts";
import { bytesOf } from "../../src/inference/onnx/graph-builder.ts";
import { readModel, writeModel } from "../../src/inference/onnx/model-file.ts";
import {
  DataType,
  decodeModel,
  encodeModel,
  isExternal,
  type OnnxModel,
} from "../../src/inference/onnx/model-proto.ts";
import { writePublicLayout } from "../../src/inference/onnx/public-layout-writer.ts";
import { randomParameters, writeRandomModel } from "../../src/inference/onnx/random-model.ts";
import { syntheticTokenizer } from "../../src/inference/onnx/synthetic-tokenizer.ts";
import { readWeights } from "../../src/inference/onnx/weights.ts";
import { openPublicLayout } from "../../src/inference/public-layout.ts";
import { loadTokenizer } from "../../src/inference/tokenizer.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-onnx-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const SMALL: ModelDimensions = {
  nMels: 80,
  nAudioCtx: 1500,
  nAudioState: 64,
  nAudioHead: 1,
  nAudioLayer: 2,
  nVocab: 300,
  nTextCtx: 448,
  nTextState: 64,
  nTextHead: 1,
  nTextLayer: 2,
};

function open(path: string, dims: ModelDimensions): Promise<WhisperGraph> {
  const files = {
    encoder: join(path, "onnx", "encoder_model.onnx"),
    decoder: join(path, "onnx", "decoder_model_merged.onnx"),
  };
  return openPublicLayout(files, dims, { device: "cpu", threads: 1 }, "float32");
}

/** Something that is neither silence nor speech. */
const melOf = (dims: ModelDimensions) => Float32Array.from({ length: dims.nMels * 3000 }, (_, i) => Math.sin(i * 0.37));

describe("the ONNX format", () => {
  const tensor = (name: string, byteLength: number) => ({
    name,
    dataType: DataType.float32,
    dims: [byteLength / 4],
    content: bytesOf(Float32Array.from({ length: byteLength / 4 }, (_, i) => i)),
  });
  const model: OnnxModel = {
    opsets: new Map([
      ["", 17],
      ["com.microsoft", 1],
    ]),
    graph: {
      name: "all kinds of attributes",
      nodes: [
        {
          name: "a",
          opType: "X",
          domain: "com.microsoft",
          inputs: ["x", "", "weight"],
          outputs: ["y"],
          attributes: new Map([
            ["axis", { kind: "int", value: -1 }],
            ["epsilon", { kind: "float", value: Math.fround(1e-5) }],
            ["mode", { kind: "string", value: "naïve" }],
            ["pads", { kind: "ints", value: [1, -300, 2 ** 40] }],
            ["scales", { kind: "floats", value: [0.5, -2] }],
          ] as const),
        },
      ],
      initializers: [tensor("weight", 8192)],
      inputs: [{ name: "x", dataType: DataType.int64, shape: ["batch", 0, 3] }],
      outputs: [{ name: "y", dataType: DataType.float16, shape: [] }],
    },
  };

  function encoded(of: OnnxModel): Uint8Array {
    const pieces = encodeModel(of).pieces.map((piece) => (piece instanceof Uint8Array ? piece : piece.read()));
    return new Uint8Array(Buffer.concat(pieces));
  }

  it("reads back what it wrote", () => {
    const { graph, opsets } = decodeModel(encoded(model));
    const strip = ({ initializers, ...rest }: typeof graph) => rest;
    expect(opsets).toEqual(model.opsets);
    expect(strip(graph)).toEqual(strip(model.graph));
    const { content, ...described } = graph.initializers[0]!;
    expect(described).toEqual({ name: "weight", dataType: DataType.float32, dims: [2048] });
    expect(isExternal(content) || content.read()).toEqual(
      bytesOf(Float32Array.from({ length: 2048 }, (_, i) => i)).read(),
    );
  });

  it("keeps weights in a file of their own when a message cannot hold them", async () => {
    const path = join(folder, "large.onnx");
    // Declared as 2 GB, though only their beginning is written: what counts is the sum of the sizes.
    const large = { ...tensor("large", 8192), content: { ...tensor("large", 8192).content, byteLength: 2e9 } };
    const graph = { ...model.graph, initializers: [tensor("small", 8), tensor("weight", 8192), large] };
    expect(await writeModel(path, { ...model, graph })).toEqual(["large.onnx", "large.onnx_data"]);
    expect(statSync(path).size).toBeLessThan(1000);
    const weight = readModel(path).graph.initializers[1]!.content;
    expect(isExternal(weight) || weight.read()).toEqual(
      bytesOf(Float32Array.from({ length: 2048 }, (_, i) => i)).read(),
    );
    const beyond = readModel(path).graph.initializers[2]!.content;
    expect(() => isExternal(beyond) || beyond.read()).toThrow(/is cut off. Fetch it again/);
  });

  it("says so when a file is no model or is not there", () => {
    const refused = (path: string) => {
      try {
        readModel(path);
      } catch (error) {
        return error instanceof InferenceError ? error.code : error;
      }
      return undefined;
    };
    expect(refused(join(demoFolder, "config.json"))).toBe("model_broken");
    expect(refused(join(demoFolder, "missing.onnx"))).toBe("model_missing");
  });
});

describe("parameters", () => {
  it("come back from graphs that we wrote as they went in", async () => {
    const written = randomParameters(SMALL, 7);
    await writePublicLayout(join(folder, "small"), SMALL, written);
    const read = readWeights(join(folder, "small"), SMALL);
    expect([...read.keys()].sort()).toEqual([...written.keys()].sort());
    for (const [name, parameter] of written) {
      expect(read.get(name)?.shape, name).toEqual(parameter.shape);
      const [got, wanted] = [read.get(name)!.float32(), parameter.float32()];
      expect(got.length, name).toBe(wanted.length);
      expect(
        got.every((value, i) => value === wanted[i]),
        name,
      ).toBe(true);
    }
  });

  it("come out of the demo model, which PyTorch exported, and give the same logits in graphs of ours", async () => {
    const { dims } = await readModelConfig(demoFolder);
    const copy = join(folder, "copy");
    await writePublicLayout(copy, dims, readWeights(demoFolder, dims));
    const [original, rewritten] = await Promise.all([open(demoFolder, dims), open(copy, dims)]);
    const passes = await Promise.all(
      [original, rewritten].map(async (graph) => {
        const features = await graph.encode(melOf(dims), 1);
        const inference = graph.decode(features, [0]);
        const first = (await inference.logits([[4, 5, 6]])).at(0, 2).slice();
        const second = (await inference.logits([[7]])).at(0, 0).slice();
        return [await features.toFloat32(), first, second];
      }),
    );
    for (const [i, expected] of passes[0]!.entries()) {
      const actual = passes[1]![i]!;
      expect(expected.reduce((worst, value, k) => Math.max(worst, Math.abs(value - actual[k]!)), 0)).toBeLessThan(1e-3);
    }
    await original.close();
    await rewritten.close();
  });

  it("come out of exports that guard each softmax, as PyTorch's scaled_dot_product_attention does", async () => {
    const path = join(folder, "small", "onnx", "encoder_model.onnx");
    await writePublicLayout(join(folder, "small"), SMALL, randomParameters(SMALL, 7));
    const { graph, opsets } = readModel(path);
    const guarded = graph.nodes.flatMap((node) => {
      if (node.opType !== "Softmax") return [node];
      const [raw, missing, out] = [`${node.name}/raw`, `${node.name}/is_nan`, node.outputs[0]!];
      return [
        { ...node, outputs: [raw] },
        { ...node, opType: "IsNaN", inputs: [raw], outputs: [missing], attributes: new Map() },
        { ...node, opType: "Where", inputs: [missing, "float 0", raw], outputs: [out], attributes: new Map() },
      ];
    });
    await writeModel(path, { graph: { ...graph, nodes: guarded }, opsets });
    expect(readWeights(join(folder, "small"), SMALL).size).toBe(randomParameters(SMALL, 7).size);
  });

  it("are not read from a graph that is not built as Whisper's exports are", async () => {
    const { dims } = await readModelConfig(demoFolder);
    const broken = join(folder, "broken");
    cpSync(demoFolder, broken, { recursive: true });
    cpSync(join(broken, "onnx", "encoder_model.onnx"), join(broken, "onnx", "decoder_model_merged.onnx"));
    expect(() => readWeights(broken, dims)).toThrow(
      /not built as Whisper's exports are.*runs in its public layout only/,
    );
    expect(() => readWeights(demoFolder, { ...dims, nAudioLayer: 9 })).toThrow(/another number of attentions/);
    rmSync(join(broken, "onnx", "encoder_model.onnx"));
    expect(() => readWeights(broken, dims)).toThrow(/holds none of encoder_model.onnx/);
  });
});

describe("a model with random weights", () => {
  it("has the shapes, the token ids and the files of the public one", async () => {
    const path = join(folder, "tiny");
    const dims = await writeRandomModel(path, "tiny", { seed: 1 });
    const config = await readModelConfig(path);
    expect(config.dims).toEqual(dims);
    expect(dims).toMatchObject({ nAudioState: 384, nAudioLayer: 4, nTextHead: 6, nVocab: 51865 });
    const tokenizer = await loadTokenizer(join(path, "tokenizer.json"), true);
    expect([tokenizer.eot, tokenizer.sot, tokenizer.timestampBegin]).toEqual([50257, 50258, 50364]);
    expect(tokenizer.decode(tokenizer.encode(" two words"))).toBe(" two words");
    // Every parameter once, in float32; the graphs around them take the rest.
    const bytes = ["encoder_model", "decoder_model_merged"].map(
      (name) => statSync(join(path, "onnx", `${name}.onnx`)).size,
    );
    expect(bytes[0]! + bytes[1]!).toBeGreaterThan(37_760_640 * 4);
    expect(bytes[0]! + bytes[1]!).toBeLessThan(37_760_640 * 4 + 200_000);
  }, 180_000);

  it("is the same for the same seed only", async () => {
    const values = (seed: number) => randomParameters(SMALL, seed).get("model.decoder.layers.1.fc1.weight")!.float32();
    expect(values(1)).toEqual(values(1));
    expect(values(1)).not.toEqual(values(2));
    const deviation = Math.sqrt(values(1).reduce((sum, value) => sum + value ** 2, 0) / values(1).length);
    expect(deviation).toBeCloseTo(64 ** -0.5, 2);
  });

  it("has the special tokens of each vocabulary where OpenAI put them", () => {
    const [english, multilingual, v3] = [
      syntheticTokenizer(false, 99),
      syntheticTokenizer(true, 99),
      syntheticTokenizer(true, 100),
    ];
    expect([english.nVocab, multilingual.nVocab, v3.nVocab]).toEqual([51864, 51865, 51866]);
    expect(english.specialTokens.get("<|notimestamps|>")).toBe(50362);
    expect(multilingual.specialTokens.get("<|startofprev|>")).toBe(50361);
    expect(v3.specialTokens.get("<|yue|>")).toBe(50358);
    expect(v3.specialTokens.get("<|30.00|>")).toBe(51865);
  });
});

it("reads the same graph from disk as onnxruntime does", async () => {
  const bytes = await readFile(join(demoFolder, "onnx", "encoder_model.onnx"));
  const { graph } = decodeModel(bytes);
  expect(graph.inputs.map(({ name }) => name)).toEqual(["input_features"]);
  expect(graph.outputs.map(({ name }) => name)).toEqual(["last_hidden_state"]);
});
