// QuickXorHash, by which SharePoint and OneDrive tell whether two files have the same content.
// Ref: OneDrive, "Code snippets: QuickXorHash algorithm"

const BYTES = 20;
const SHIFT = 11;

/** Base64, as in `file.hashes.quickXorHash`. */
export function quickXorHash(content: Uint8Array): string {
  const hash = new Uint8Array(BYTES);
  let bit = 0;
  for (const byte of content) {
    const at = bit >> 3;
    const shifted = byte << (bit & 7);
    hash[at]! ^= shifted;
    hash[(at + 1) % BYTES]! ^= shifted >> 8;
    bit = (bit + SHIFT) % (BYTES * 8);
  }
  // The length, as 64 bits with the lowest first, over the end.
  let length = content.length;
  for (let at = BYTES - 8; length > 0; at++) {
    hash[at]! ^= length & 0xff;
    length = Math.floor(length / 256);
  }
  return Buffer.from(hash).toString("base64");
}
