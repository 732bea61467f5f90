// Files within the upload limit of a channel: as they are, compressed, or in parts.
import { gzipSync } from "node:zlib";
import type { RawFile } from "discord.js";
import type { OutputFile } from "../../core/reply.ts";

const MEBIBYTE = 1024 ** 2;
/** Ref: Discord, "Uploading Files": the default limit, and what boosted guilds have, by premium tier. */
export const DEFAULT_UPLOAD_BYTES = 10 * MEBIBYTE;
export const UPLOAD_BYTES_OF_TIER: Readonly<Record<number, number>> = { 2: 50 * MEBIBYTE, 3: 100 * MEBIBYTE };

/** One file, or several parts of which each is within the limit. */
export function packed({ name, mimeType, content }: OutputFile, mostBytes: number): RawFile[] {
  const data = Buffer.from(content, "utf8");
  if (data.length <= mostBytes) return [{ name, data, contentType: mimeType }];
  const small = gzipSync(data);
  if (small.length <= mostBytes) return [{ name: `${name}.gz`, data: small, contentType: "application/gzip" }];
  const [, base = name, ending = ""] = /^(.*?)(\.[^.]+)?$/s.exec(name) ?? [];
  return partsOf(data, mostBytes).map((part, index) => ({
    name: `${base}.part${index + 1}${ending}`,
    data: part,
    contentType: mimeType,
  }));
}

/** Cut after a line's end where there is one, and never inside a character. */
function partsOf(data: Buffer, mostBytes: number): Buffer[] {
  const parts: Buffer[] = [];
  for (let start = 0; start < data.length; ) {
    let end = Math.min(data.length, start + mostBytes);
    if (end < data.length) {
      const lineEnd = data.lastIndexOf(0x0a, end - 1);
      if (lineEnd >= start) end = lineEnd + 1;
      else while (end > start + 1 && ((data[end] ?? 0) & 0xc0) === 0x80) end--;
    }
    parts.push(data.subarray(start, end));
    start = end;
  }
  return parts;
}
