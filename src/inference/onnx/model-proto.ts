// An ONNX model as plain objects, read from and written to bytes. Ref: onnx/onnx onnx.proto

import { type ByteSource, type Field, MessageWriter, readFields, readPackedVarints } from "./protobuf.ts";

/** Element types by ONNX's numbers. */
export const DataType = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
} as const;

export interface OnnxTensor {
  readonly name: string;
  readonly dataType: number;
  readonly dims: readonly number[];
  /** Little-endian elements: in the model, or in a file of its own beside it. */
  readonly content: ByteSource | ExternalContent;
}

/** Where the elements lie in a file beside the model, which no message of over 2 GB can hold. */
export interface ExternalContent {
  readonly location: string;
  readonly offset: number;
  readonly byteLength: number;
}

export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "tensor"; readonly value: OnnxTensor }
  | { readonly kind: "graph"; readonly value: OnnxGraph };

export interface OnnxNode {
  readonly name: string;
  readonly opType: string;
  /** "" is ONNX's own domain. */
  readonly domain: string;
  /** Names of values; "" for an optional input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

export interface OnnxValue {
  readonly name: string;
  readonly dataType: number;
  /** Fixed sizes as numbers, free ones by name. */
  readonly shape: readonly (number | string)[];
}

export interface OnnxGraph {
  readonly name: string;
  /** In an order in which every value is made before it is used. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

export interface OnnxModel {
  readonly graph: OnnxGraph;
  /** Version by domain. */
  readonly opsets: ReadonlyMap<string, number>;
}

const IR_VERSION = 8;
const EXTERNAL = 1;
const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, floats: 6, ints: 7 } as const;

export function encodeModel(model: OnnxModel): MessageWriter {
  const message = new MessageWriter();
  message.varint(1, IR_VERSION);
  message.string(2, "earshot");
  message.message(7, (graph) => encodeGraph(graph, model.graph));
  for (const [domain, version] of model.opsets) {
    message.message(8, (opset) => {
      opset.string(1, domain);
      opset.varint(2, version);
    });
  }
  return message;
}

function encodeGraph(message: MessageWriter, graph: OnnxGraph): void {
  for (const node of graph.nodes) message.message(1, (m) => encodeNode(m, node));
  message.string(2, graph.name);
  for (const tensor of graph.initializers) message.message(5, (m) => encodeTensor(m, tensor));
  for (const value of graph.inputs) message.message(11, (m) => encodeValue(m, value));
  for (const value of graph.outputs) message.message(12, (m) => encodeValue(m, value));
}

function encodeNode(message: MessageWriter, node: OnnxNode): void {
  for (const input of node.inputs) message.string(1, input);
  for (const output of node.outputs) message.string(2, output);
  message.string(3, node.name);
  message.string(4, node.opType);
  for (const [name, attribute] of node.attributes) message.message(5, (m) => encodeAttribute(m, name, attribute));
  if (node.domain) message.string(7, node.domain);
}

function encodeAttribute(message: MessageWriter, name: string, attribute: Attribute): void {
  message.string(1, name);
  message.varint(20, ATTRIBUTE_TYPES[attribute.kind]);
  switch (attribute.kind) {
    case "float":
      message.float(2, attribute.value);
      break;
    case "int":
      message.varint(3, attribute.value);
      break;
    case "string":
      message.string(4, attribute.value);
      break;
    case "tensor":
      message.message(5, (m) => encodeTensor(m, attribute.value));
      break;
    case "graph":
      message.message(6, (m) => encodeGraph(m, attribute.value));
      break;
    case "floats":
      for (const value of attribute.value) message.float(7, value);
      break;
    case "ints":
      for (const value of attribute.value) message.varint(8, value);
      break;
    default:
      attribute satisfies never;
  }
}

function encodeTensor(message: MessageWriter, tensor: OnnxTensor): void {
  for (const dim of tensor.dims) message.varint(1, dim);
  message.varint(2, tensor.dataType);
  message.string(8, tensor.name);
  const { content } = tensor;
  if (!isExternal(content)) {
    message.bytes(9, content);
    return;
  }
  const entries = { location: content.location, offset: content.offset, length: content.byteLength };
  for (const [key, value] of Object.entries(entries)) {
    message.message(13, (entry) => {
      entry.string(1, key);
      entry.string(2, String(value));
    });
  }
  message.varint(14, EXTERNAL);
}

function encodeValue(message: MessageWriter, value: OnnxValue): void {
  message.string(1, value.name);
  message.message(2, (type) => {
    type.message(1, (tensorType) => {
      tensorType.varint(1, value.dataType);
      tensorType.message(2, (shape) => {
        for (const size of value.shape) {
          shape.message(1, (dim) => (typeof size === "number" ? dim.varint(1, size) : dim.string(2, size)));
        }
      });
    });
  });
}

export function isExternal(content: ByteSource | ExternalContent): content is ExternalContent {
  return "location" in content;
}

/** @throws RangeError when the bytes are no ONNX model */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  let graph: OnnxGraph | undefined;
  const opsets = new Map<string, number>();
  for (const field of readFields(bytes)) {
    if (field.number === 7) graph = decodeGraph(field.bytes);
    if (field.number === 8) {
      const opset = new Map([...readFields(field.bytes)].map((f) => [f.number, f]));
      opsets.set(text(opset.get(1)), integer(opset.get(2)));
    }
  }
  if (!graph) throw new RangeError("there is no graph in the file");
  return { graph, opsets };
}

function decodeGraph(bytes: Uint8Array): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  let name = "";
  for (const field of readFields(bytes)) {
    if (field.number === 1) nodes.push(decodeNode(field.bytes));
    if (field.number === 2) name = text(field);
    if (field.number === 5) initializers.push(decodeTensor(field.bytes));
    if (field.number === 11) inputs.push(decodeValue(field.bytes));
    if (field.number === 12) outputs.push(decodeValue(field.bytes));
  }
  return { name, nodes, initializers, inputs, outputs };
}

function decodeNode(bytes: Uint8Array): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, Attribute>();
  let [name, opType, domain] = ["", "", ""];
  for (const field of readFields(bytes)) {
    if (field.number === 1) inputs.push(text(field));
    if (field.number === 2) outputs.push(text(field));
    if (field.number === 3) name = text(field);
    if (field.number === 4) opType = text(field);
    if (field.number === 5) decodeAttribute(field.bytes, attributes);
    if (field.number === 7) domain = text(field);
  }
  return { name, opType, domain, inputs, outputs, attributes };
}

/** Attributes of kinds that no Whisper graph has are left out. */
function decodeAttribute(bytes: Uint8Array, into: Map<string, Attribute>): void {
  const fields = [...readFields(bytes)];
  const name = text(fields.find((field) => field.number === 1));
  const type = integer(fields.find((field) => field.number === 20));
  const all = (number: number) => fields.filter((field) => field.number === number);
  const one = (number: number) => fields.find((field) => field.number === number);
  const payload = (number: number) => one(number)?.bytes ?? new Uint8Array(0);
  if (type === ATTRIBUTE_TYPES.float) into.set(name, { kind: "float", value: floats(all(2))[0] ?? 0 });
  if (type === ATTRIBUTE_TYPES.int) into.set(name, { kind: "int", value: integer(one(3)) });
  if (type === ATTRIBUTE_TYPES.string) into.set(name, { kind: "string", value: text(one(4)) });
  if (type === ATTRIBUTE_TYPES.tensor) into.set(name, { kind: "tensor", value: decodeTensor(payload(5)) });
  if (type === ATTRIBUTE_TYPES.graph) into.set(name, { kind: "graph", value: decodeGraph(payload(6)) });
  if (type === ATTRIBUTE_TYPES.floats) into.set(name, { kind: "floats", value: floats(all(7)) });
  if (type === ATTRIBUTE_TYPES.ints) into.set(name, { kind: "ints", value: integers(all(8)) });
}

function decodeTensor(bytes: Uint8Array): OnnxTensor {
  const fields = [...readFields(bytes)];
  const all = (number: number) => fields.filter((field) => field.number === number);
  const name = text(fields.find((field) => field.number === 8));
  const dataType = integer(fields.find((field) => field.number === 2));
  const dims = integers(all(1));
  if (integer(fields.find((field) => field.number === 14)) === EXTERNAL) {
    const entries = new Map(
      all(13).map((entry) => {
        const pair = new Map([...readFields(entry.bytes)].map((f) => [f.number, f]));
        return [text(pair.get(1)), text(pair.get(2))];
      }),
    );
    const location = entries.get("location") ?? "";
    const [offset, byteLength] = [Number(entries.get("offset") ?? 0), Number(entries.get("length") ?? 0)];
    return { name, dataType, dims, content: { location, offset, byteLength } };
  }
  const raw = fields.find((field) => field.number === 9)?.bytes ?? typedElements(dataType, all);
  return { name, dataType, dims, content: { byteLength: raw.byteLength, read: () => raw } };
}

/** Elements that the exporter wrote as numbers instead of raw bytes, which small constants often are. */
function typedElements(dataType: number, all: (number: number) => Field[]): Uint8Array {
  switch (dataType) {
    case DataType.float32:
      return new Uint8Array(Float32Array.from(floats(all(4))).buffer);
    case DataType.int64:
      return new Uint8Array(BigInt64Array.from(integers(all(7)), BigInt).buffer);
    case DataType.int32:
      return new Uint8Array(Int32Array.from(integers(all(5))).buffer);
    case DataType.float16:
      return new Uint8Array(Uint16Array.from(integers(all(5))).buffer);
    default:
      return Uint8Array.from(integers(all(5)), (value) => value & 0xff);
  }
}

function decodeValue(bytes: Uint8Array): OnnxValue {
  let [name, dataType] = ["", 0];
  const shape: (number | string)[] = [];
  for (const field of readFields(bytes)) {
    if (field.number === 1) name = text(field);
    if (field.number !== 2) continue;
    const tensorType = nested(field.bytes, 1);
    dataType = integer([...readFields(tensorType)].find((f) => f.number === 1));
    for (const dim of readFields(nested(tensorType, 2))) {
      const size = [...readFields(dim.bytes)][0];
      shape.push(size?.number === 2 ? text(size) : integer(size));
    }
  }
  return { name, dataType, shape };
}

function nested(bytes: Uint8Array, number: number): Uint8Array {
  return [...readFields(bytes)].find((field) => field.number === number)?.bytes ?? new Uint8Array(0);
}

function text(field: Field | undefined): string {
  return field ? new TextDecoder().decode(field.bytes) : "";
}

function integer(field: Field | undefined): number {
  return field ? Number(BigInt.asIntN(64, field.integer)) : 0;
}

/** Repeated integers: one field each, or all packed into one. */
function integers(fields: readonly Field[]): number[] {
  return fields.flatMap((f) => (f.bytes.length > 0 ? Array.from(readPackedVarints(f.bytes), Number) : [integer(f)]));
}

/** Repeated floats: one field each, or all packed into one. */
function floats(fields: readonly Field[]): number[] {
  return fields.flatMap(({ bytes }) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: bytes.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
  });
}
