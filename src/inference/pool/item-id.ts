// The id of an item: the same for the same recording, transcribed in the same way, for the same job.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { TranscriberOptions } from "../../core/ports.ts";

/** @throws what the file system does; the signal's reason */
export async function itemId(
  path: string,
  options: Omit<TranscriberOptions, "resume" | "key">,
  key: string,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  // How urgent it is, and what would have been too long, changes nothing in the transcript.
  const { isShort: _, maxSeconds: __, ...plan } = options;
  hash.update(JSON.stringify([key, Object.entries(plan).sort(([a], [b]) => (a < b ? -1 : 1))]));
  await pipeline(createReadStream(path), hash, { signal });
  // Of a multiple of three characters, so that it fits into a subject and into base64 without padding.
  return hash.digest("hex").slice(0, 36);
}
