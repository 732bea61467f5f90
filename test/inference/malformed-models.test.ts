// Model files as a broken download, or somebody, may have left them: each is read, or ends in one sentence.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InferenceError } from "../../src/core/errors.ts";
import { readModelConfig } from "../../src/inference/model-config.ts";
import { demoFolder } from "../../src/inference/models.ts";
import { readModel } from "../../src/inference/onnx/model-file.ts";
import {
  DataType,
  decodeModel,
  encodeModel,
  isExternal,
  type OnnxModel,
} from "../../src/inference/onnx/model-proto.ts";
import { readFields, readPackedVarints } from "../../src/inference/onnx/protobuf.ts";
import { loadTokenizer } from "../../src/inference/tokenizer.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-malformed-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const values = { name: "x", dataType: DataType.float32, dims: [2] };
const inside = { ...values, content: { byteLength: 8, read: () => new Uint8Array(8) } };
const outside = (location: string, offset = 0, byteLength = 8) => ({
  ...values,
  content: { location, offset, byteLength },
});
const modelOf = (...initializers: OnnxModel["graph"]["initializers"]): OnnxModel => ({
  opsets: new Map([["", 17]]),
  graph: {
    name: "graph",
    inputs: [{ name: "in", dataType: 1, shape: [1, "n"] }],
    outputs: [{ name: "out", dataType: 1, shape: [1, "n"] }],
    initializers,
    nodes: [
      {
        ...{ name: "loop", opType: "Loop", domain: "", inputs: ["in", "x"], outputs: ["out"] },
        attributes: new Map([
          ["axes", { kind: "ints", value: [1, -1] }],
          ["to", { kind: "float", value: 0.5 }],
          ["value", { kind: "tensor", value: inside }],
        ]),
      },
    ],
  },
});
const bytesOf = (model: OnnxModel) =>
  Buffer.concat(encodeModel(model).pieces.map((piece) => (piece instanceof Uint8Array ? piece : piece.read())));

/** Changes of some bytes, and where it is cut off. */
const damage = (length: number) =>
  fc.record({
    changes: fc.array(fc.tuple(fc.nat(length - 1), fc.nat(255)), { maxLength: 6 }),
    end: fc.oneof(fc.constant(length), fc.nat(length)),
  });
function damaged(bytes: Buffer, { changes, end }: { changes: [number, number][]; end: number }): Buffer {
  const changed = Buffer.from(bytes);
  for (const [at, value] of changes) changed[at] = value;
  return changed.subarray(0, end);
}

/** What comes of reading everything that a model file leads to. */
function readAll(path: string): unknown {
  try {
    for (const { content } of readModel(path).graph.initializers) if (!isExternal(content)) content.read();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("the wire format", () => {
  it("gives fields, or a RangeError, for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          for (const { number, bytes: payload } of readFields(bytes)) {
            expect(number).toBeGreaterThanOrEqual(0);
            expect(payload.length).toBeLessThanOrEqual(bytes.length);
          }
          for (const integer of readPackedVarints(bytes)) expect(typeof integer).toBe("bigint");
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });

  it("reads what it writes", () => {
    const read = decodeModel(bytesOf(modelOf(inside)));
    expect(read.graph.initializers.map(({ name }) => name)).toEqual(["x"]);
    expect(read.graph.nodes[0]?.attributes.get("axes")).toEqual({ kind: "ints", value: [1, -1] });
  });
});

describe("an ONNX file", () => {
  it("that is damaged is read, or is broken in one sentence", () => {
    const whole = bytesOf(modelOf(inside, outside("model.onnx_data")));
    writeFileSync(join(folder, "model.onnx_data"), Buffer.alloc(64));
    const path = join(folder, "model.onnx");
    fc.assert(
      fc.property(damage(whole.length), (how) => {
        writeFileSync(path, damaged(whole, how));
        const error = readAll(path);
        if (error === undefined) return;
        expect(error).toBeInstanceOf(InferenceError);
        expect((error as Error).message).toMatch(/Fetch it (again|with): earshot models pull$/);
      }),
      { numRuns: 300 },
    );
  });

  it.each(["../secret", "/etc/passwd", "a/b", "..", "", "..\\secret"])(
    "does not choose the file %s to read",
    (location) => {
      writeFileSync(join(folder, "reaching.onnx"), bytesOf(modelOf(outside(location))));
      expect(readAll(join(folder, "reaching.onnx"))).toMatchObject({
        code: "model_broken",
        message: expect.stringContaining("keeps its weights at"),
      });
    },
  );

  it.each([
    [0, 2 ** 52],
    [-8, 8],
    [60, 8],
    [Number.NaN, 8],
    [0, -1],
    [2 ** 60, 1],
  ])("with weights from %d on for %d bytes is cut off", (offset, byteLength) => {
    writeFileSync(join(folder, "weights"), Buffer.alloc(64));
    writeFileSync(join(folder, "far.onnx"), bytesOf(modelOf(outside("weights", offset, byteLength))));
    expect(readAll(join(folder, "far.onnx"))).toMatchObject({ code: "model_broken" });
  });

  it("of graphs within graphs ends, however many there are", () => {
    // Field 7 (graph) > field 1 (node) > field 5 (attribute) > field 6 (graph), thousands of times.
    let bytes = Buffer.alloc(0);
    const wrap = (field: number, content: Buffer, before = Buffer.alloc(0)) => {
      const all = Buffer.concat([before, content]);
      const length: number[] = [];
      for (let rest = all.length; ; rest >>>= 7) {
        length.push(rest < 128 ? rest : (rest & 127) | 128);
        if (rest < 128) break;
      }
      return Buffer.concat([Buffer.from([(field << 3) | 2, ...length]), all]);
    };
    // Field 20, the attribute's kind: 5, a graph.
    const kind = Buffer.from([0xa0, 0x01, 5]);
    for (let depth = 0; depth < 3000; depth++) bytes = wrap(1, wrap(5, wrap(6, bytes), kind));
    writeFileSync(join(folder, "deep.onnx"), wrap(7, bytes));
    const error = readAll(join(folder, "deep.onnx"));
    expect(error === undefined || error instanceof InferenceError).toBe(true);
  });
});

describe("a model's JSON", () => {
  it.each(["config.json", "generation_config.json", "preprocessor_config.json"])(
    "%s, whatever stands in it, is read or broken in one sentence that names it",
    async (name) => {
      const names = ["config.json", "generation_config.json", "preprocessor_config.json"];
      for (const one of names) writeFileSync(join(folder, one), readFileSync(join(demoFolder, one)));
      const whole = JSON.parse(readFileSync(join(demoFolder, name), "utf8")) as Record<string, unknown>;
      const path = join(folder, name);
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...Object.keys(whole)), fc.jsonValue(), async (key, value) => {
          writeFileSync(path, JSON.stringify({ ...whole, [key]: value }));
          const error = await readModelConfig(folder).then(
            () => undefined,
            (thrown: unknown) => thrown,
          );
          if (error === undefined) return;
          expect(error).toBeInstanceOf(InferenceError);
          expect((error as Error).message).toContain(folder);
        }),
      );
    },
  );

  it("tokenizer.json, damaged or of another shape, is read or broken in one sentence that names it", async () => {
    const path = join(folder, "tokenizer.json");
    const whole = readFileSync(join(demoFolder, "tokenizer.json"));
    const load = () =>
      loadTokenizer(path, true).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    const shapes = fc.record({
      model: fc.oneof(fc.jsonValue(), fc.record({ vocab: fc.jsonValue(), merges: fc.jsonValue() })),
      added_tokens: fc.oneof(fc.jsonValue(), fc.array(fc.record({ id: fc.jsonValue(), content: fc.jsonValue() }))),
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), shapes), async (content) => {
        writeFileSync(path, JSON.stringify(content));
        expect(await load()).toMatchObject({ name: "InferenceError", code: "model_broken" });
      }),
    );
    await fc.assert(
      fc.asyncProperty(damage(whole.length), async (how) => {
        writeFileSync(path, damaged(whole, how));
        const error = await load();
        if (error === undefined) return;
        expect(error).toMatchObject({ code: "model_broken", message: expect.stringContaining(path) });
      }),
      { numRuns: 20 },
    );
  });
});
