// The bytes of a file that somebody agreed to: sent to the address that Teams named for them.
import { PlatformError } from "../../core/errors.ts";
import { isAt } from "./cloud.ts";
import { retryAfterOf } from "./graph/errors.ts";

/** Within the turn that Teams waits for. */
const UPLOAD_MS = 10_000;

/** @throws PlatformError. @param origins where the organization's files lie: what was said goes nowhere else */
export async function putBytes(address: string, bytes: Buffer, origins: readonly string[]): Promise<void> {
  if (!isAt(address, origins)) {
    throw new PlatformError("rejected", "Teams named a place for a file that is none of the organization's.");
  }
  let response: Response;
  try {
    // The address itself is the permission: no token goes along.
    response = await fetch(address, {
      method: "PUT",
      body: new Uint8Array(bytes),
      headers: {
        "content-type": "application/octet-stream",
        "content-range": `bytes 0-${bytes.length - 1}/${bytes.length}`,
      },
      redirect: "error",
      signal: AbortSignal.timeout(UPLOAD_MS),
    });
    await response.arrayBuffer();
  } catch {
    // The network's own error may carry the address.
    throw new PlatformError("unavailable", "OneDrive did not take the bytes of a file.");
  }
  if (response.ok) return;
  const text = `OneDrive answered ${response.status} to the bytes of a file.`;
  const retryAfterMs = retryAfterOf(response);
  const more = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (response.status === 429) throw new PlatformError("rate_limited", text, more);
  throw new PlatformError(response.status >= 500 ? "unavailable" : "rejected", text, more);
}
