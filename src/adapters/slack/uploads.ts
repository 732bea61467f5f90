// The first two of the three steps of an upload: a place for the bytes, and the bytes. Sharing them is the third.
import type { webApi } from "@slack/bolt";
import { PlatformError } from "../../core/errors.ts";
import type { OutputFile } from "../../core/reply.ts";
import type { Calls } from "./calls.ts";

export interface UploadParts {
  readonly client: webApi.WebClient;
  readonly calls: Calls;
  readonly fileOrigins: readonly string[];
}

const UPLOAD_MS = 120_000;

/** Gives the file's id. What was sent and never shared is nowhere to be seen. @throws PlatformError */
export async function sendBytes(
  bytes: Buffer,
  { name, mimeType }: OutputFile,
  { client, calls, fileOrigins }: UploadParts,
): Promise<string> {
  const { upload_url: url = "", file_id: id } = await calls.call("an upload", () =>
    client.files.getUploadURLExternal({ filename: name, length: bytes.length }),
  );
  if (id === undefined || !URL.canParse(url) || !fileOrigins.includes(new URL(url).origin)) {
    throw new PlatformError("rejected", "Slack named a place for an upload that is none of its own.");
  }
  await calls.call("an upload", () => put(url, bytes, mimeType));
  return id;
}

async function put(url: string, bytes: Buffer, mimeType: string): Promise<void> {
  const signal = AbortSignal.timeout(UPLOAD_MS);
  let response: Response;
  try {
    // The link itself is the permission: no token goes along.
    const body = new Uint8Array(bytes);
    response = await fetch(url, {
      method: "POST",
      body,
      headers: { "content-type": mimeType },
      redirect: "error",
      signal,
    });
    await response.arrayBuffer();
  } catch (cause) {
    throw new PlatformError("unavailable", "Slack did not take the bytes of an upload.", { cause });
  }
  if (response.ok) return;
  const text = `Slack answered ${response.status} to the bytes of an upload.`;
  if (response.status === 429) {
    const retryAfterMs = (Number(response.headers.get("retry-after")) || 1) * 1000;
    throw new PlatformError("rate_limited", text, { retryAfterMs });
  }
  throw new PlatformError(response.status >= 500 ? "unavailable" : "rejected", text);
}
