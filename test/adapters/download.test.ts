// The guarded download against a real server on loopback.

import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { downloadFile } from "../../src/adapters/download.ts";

async function serve(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const folder = await mkdtemp(join(tmpdir(), "earshot-download-"));
  const path = join(folder, "file");
  const get = (signal = new AbortController().signal, maxBytes = 1000) =>
    downloadFile(`${origin}/start`, path, { origins: [origin], maxBytes, name: "a.ogg", signal });
  return { get, path, left: () => readdir(folder) };
}

it("follows a redirect within the known origins", async () => {
  const { get, path } = await serve(({ url }, response) => {
    if (url === "/start") response.writeHead(302, { location: "/end" }).end();
    else response.end("sound");
  });
  await get();
  expect(await readFile(path, "utf8")).toBe("sound");
});

it("follows none to anywhere else", async () => {
  const { get, left } = await serve((_, response) =>
    response.writeHead(302, { location: "http://127.0.0.1:1/x" }).end(),
  );
  await expect(get()).rejects.toMatchObject({ code: "rejected" });
  expect(await left()).toEqual([]);
});

it("goes in no circles", async () => {
  const { get } = await serve((_, response) => response.writeHead(302, { location: "/start" }).end());
  await expect(get()).rejects.toMatchObject({ code: "unavailable" });
});

it.each([
  [401, "forbidden"],
  [403, "forbidden"],
  [404, "gone"],
  [410, "gone"],
  [400, "rejected"],
  [500, "unavailable"],
])("takes %i for %s", async (status, code) => {
  const { get } = await serve((_, response) => response.writeHead(status).end("no"));
  await expect(get()).rejects.toMatchObject({ name: "PlatformError", code });
});

it("says how long a full server asks to wait", async () => {
  const { get } = await serve((_, response) => response.writeHead(429, { "retry-after": "7" }).end());
  await expect(get()).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 7000 });
});

it.each([true, false])("stops at the limit, announced: %s, and leaves nothing", async (isAnnounced) => {
  const { get, left } = await serve((_, response) => {
    if (isAnnounced) response.writeHead(200, { "content-length": 2000 });
    response.end(Buffer.alloc(2000));
  });
  await expect(get()).rejects.toMatchObject({ name: "UserError", code: "too_large" });
  expect(await left()).toEqual([]);
});

it("that breaks off can be tried again, and leaves nothing", async () => {
  const { get, left } = await serve((_, response) => {
    response.writeHead(200, { "content-length": 500 });
    response.write("half", () => response.destroy());
  });
  await expect(get()).rejects.toMatchObject({ code: "unavailable" });
  expect(await left()).toEqual([]);
});

it("that is aborted gives the signal's reason, and leaves nothing", async () => {
  const { get, left } = await serve((_, response) => {
    response.writeHead(200);
    response.write("half");
  });
  const reason = new Error("stopped");
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 50);
  await expect(get(controller.signal)).rejects.toBe(reason);
  expect(await left()).toEqual([]);
});
