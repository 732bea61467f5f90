// The protocol buffer wire format, as much of it as ONNX files use. Ref: protobuf.dev/programming-guides/encoding

/** Bytes that are made or read when they are needed, so that gigabytes of weights are never held at once. */
export interface ByteSource {
  readonly byteLength: number;
  read(): Uint8Array;
}

const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_LENGTH = 2;
const WIRE_FIXED32 = 5;

/** Collects one message as a list of pieces; large ones are kept by reference. */
export class MessageWriter {
  readonly pieces: (Uint8Array | ByteSource)[] = [];
  byteLength = 0;

  varint(field: number, value: number | bigint): void {
    this.#push(encodeVarint(BigInt((field << 3) | WIRE_VARINT)));
    this.#push(encodeVarint(BigInt.asUintN(64, BigInt(value))));
  }

  float(field: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#push(encodeVarint(BigInt((field << 3) | WIRE_FIXED32)));
    this.#push(bytes);
  }

  string(field: number, value: string): void {
    this.bytes(field, new TextEncoder().encode(value));
  }

  bytes(field: number, value: Uint8Array | ByteSource): void {
    this.#push(encodeVarint(BigInt((field << 3) | WIRE_LENGTH)));
    this.#push(encodeVarint(BigInt(value.byteLength)));
    this.#push(value);
  }

  message(field: number, write: (message: MessageWriter) => void): void {
    const message = new MessageWriter();
    write(message);
    this.#push(encodeVarint(BigInt((field << 3) | WIRE_LENGTH)));
    this.#push(encodeVarint(BigInt(message.byteLength)));
    for (const piece of message.pieces) this.#push(piece);
  }

  #push(piece: Uint8Array | ByteSource): void {
    this.pieces.push(piece);
    this.byteLength += piece.byteLength;
  }
}

/** One field of a message; the wire type says which of the two values is there. */
export interface Field {
  readonly number: number;
  /** Of a varint, or the raw bits of a fixed-size number. */
  readonly integer: bigint;
  /** Of a length-delimited field or a fixed-size number: a view, not a copy. */
  readonly bytes: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** @throws RangeError when the bytes are no protobuf message */
export function* readFields(bytes: Uint8Array): Generator<Field> {
  let offset = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[offset++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number in the file is cut off");
  };
  const take = (length: number): Uint8Array => {
    if (offset + length > bytes.length) throw new RangeError("the file is cut off");
    offset += length;
    return bytes.subarray(offset - length, offset);
  };
  while (offset < bytes.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    switch (tag & 7) {
      case WIRE_VARINT:
        yield { number, integer: varint(), bytes: NO_BYTES };
        break;
      case WIRE_LENGTH:
        yield { number, integer: 0n, bytes: take(Number(varint())) };
        break;
      case WIRE_FIXED32:
        yield { number, integer: 0n, bytes: take(4) };
        break;
      case WIRE_FIXED64:
        yield { number, integer: 0n, bytes: take(8) };
        break;
      default:
        throw new RangeError(`wire type ${tag & 7} is not used by ONNX`);
    }
  }
}

/** Packed repeated varints, as signed 64-bit numbers. */
export function* readPackedVarints(bytes: Uint8Array): Generator<bigint> {
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte >= 0x80) continue;
    yield BigInt.asIntN(64, value);
    value = 0n;
    shift = 0n;
  }
}

function encodeVarint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
