// The guarded download against real local servers, one test for each way in which it can end.
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DownloadOptions, downloadFile, isAmong } from "../../src/adapters/download.ts";
import { isInside } from "../../src/adapters/remote-address.ts";
import { PlatformError } from "../../src/core/errors.ts";

const BYTES = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, index) => (index * 31) % 256));

describe("a download", () => {
  let folder: string;
  const servers: Server[] = [];

  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "earshot-download-"));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    await rm(folder, { recursive: true, force: true });
  });

  const get = (url: string, more: Partial<DownloadOptions> = {}) =>
    downloadFile(url, join(folder, "a.media"), {
      origins: [new URL(url).origin],
      maxBytes: 1_000_000,
      name: "a.ogg",
      signal: new AbortController().signal,
      ...more,
    });

  it("writes the very bytes to a file that only its owner reads", async () => {
    const base = await serve((_request, response) => response.end(BYTES));
    await get(`${base}/a`);
    expect(BYTES.equals(await readFile(join(folder, "a.media")))).toBe(true);
    expect((await stat(join(folder, "a.media"))).mode & 0o077).toBe(0);
    expect(await readdir(folder)).toEqual(["a.media"]);
  });

  it.each([
    [401, "forbidden"],
    [403, "forbidden"],
    [404, "gone"],
    [410, "gone"],
    [418, "rejected"],
    [500, "unavailable"],
    [503, "unavailable"],
  ])("says what %i means", async (status, code) => {
    const base = await serve((_request, response) => response.writeHead(status).end());
    await expect(get(`${base}/a`)).rejects.toMatchObject({ name: "PlatformError", code });
    expect(await readdir(folder)).toEqual([]);
  });

  it("waits as long as it is told to", async () => {
    const base = await serve((_request, response) => response.writeHead(429, { "retry-after": "7" }).end());
    await expect(get(`${base}/a`)).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 7000 });
  });

  it("takes no more than it may, whether or not the size was announced", async () => {
    const base = await serve((request, response) => {
      if (request.url === "/announced") response.setHeader("content-length", BYTES.length);
      response.write(BYTES.subarray(0, 100_000));
      response.end(BYTES.subarray(100_000));
    });
    for (const path of ["/announced", "/chunked"]) {
      await expect(get(base + path, { maxBytes: 150_000 })).rejects.toMatchObject({
        name: "UserError",
        code: "too_large",
      });
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it("goes on where it broke off", async () => {
    const ranges: (string | undefined)[] = [];
    const base = await serve((request, response) => {
      const { range } = request.headers;
      ranges.push(range);
      const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
      response.writeHead(range === undefined ? 200 : 206, {
        "accept-ranges": "bytes",
        etag: '"1"',
        "content-length": BYTES.length - from,
      });
      if (ranges.length === 3) response.end(BYTES.subarray(from));
      else response.write(BYTES.subarray(from, from + 70_000), () => setTimeout(() => response.destroy(), 20));
    });
    await get(`${base}/a`);
    expect(BYTES.equals(await readFile(join(folder, "a.media")))).toBe(true);
    expect(ranges).toHaveLength(3);
  });

  it("goes on with a fresh link where the old one ran out in the middle, but never begins with one that is refused", async () => {
    const asked: string[] = [];
    const base = await serve((request, response) => {
      asked.push(`${request.url} ${request.headers.range ?? ""} ${request.headers.authorization ?? ""}`);
      if (request.url === "/old" && asked.length > 1) return response.writeHead(403).end();
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(from === 0 ? 200 : 206, {
        "accept-ranges": "bytes",
        etag: '"1"',
        "content-length": BYTES.length - from,
      });
      if (from > 0) return response.end(BYTES.subarray(from));
      return response.write(BYTES.subarray(0, 70_000), () => setTimeout(() => response.destroy(), 20));
    });
    const fresh = async () => ({ url: `${base}/new`, credentials: { authorization: "Bearer 2" } });
    await get(`${base}/old`, { fresh, credentials: { authorization: "Bearer 1" } });
    expect(BYTES.equals(await readFile(join(folder, "a.media")))).toBe(true);
    expect(asked).toEqual(["/old  Bearer 1", "/old bytes=70000- Bearer 1", "/new bytes=70000- Bearer 2"]);
    await expect(get(`${base}/old`, { fresh })).rejects.toMatchObject({ code: "forbidden" });
  });

  it("begins anew when the file is another one by now", async () => {
    let asked = 0;
    const base = await serve((_request, response) => {
      asked++;
      response.writeHead(200, { "accept-ranges": "bytes", etag: `"${asked}"`, "content-length": BYTES.length });
      if (asked > 1) response.end(BYTES);
      else response.write(BYTES.subarray(0, 50_000), () => setTimeout(() => response.destroy(), 20));
    });
    await get(`${base}/a`);
    expect(BYTES.equals(await readFile(join(folder, "a.media")))).toBe(true);
  });

  it("says that the server broke off where it cannot go on", async () => {
    const base = await serve((_request, response) => {
      response.writeHead(200, { "content-length": BYTES.length });
      response.write(BYTES.subarray(0, 50_000), () => setTimeout(() => response.destroy(), 20));
    });
    await expect(get(`${base}/a`)).rejects.toMatchObject({ name: "PlatformError", code: "unavailable" });
    expect(await readdir(folder)).toEqual([]);
  });

  it("gives up on a server that is silent, slow for too long, or not there", async () => {
    const silent = await serve(() => {});
    await expect(get(`${silent}/a`, { idleMs: 50 })).rejects.toMatchObject({ code: "unavailable" });
    await expect(get(`${silent}/a`, { overallMs: 50 })).rejects.toMatchObject({ code: "unavailable" });
    await expect(get("http://127.0.0.1:9/a")).rejects.toMatchObject({ code: "unavailable" });
  });

  it("stops with the signal's reason", async () => {
    const base = await serve((_request, response) => void response.write("a"));
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("cancelled")), 50);
    await expect(get(`${base}/a`, { signal: stop.signal })).rejects.toThrow("cancelled");
    expect(await readdir(folder)).toEqual([]);
  });

  it("follows redirects among the known origins, and sends what it knows to the first alone", async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end(BYTES);
    });
    const base = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(302, { location: request.url === "/a" ? "/b" : `${other}/c` }).end();
    });
    const credentials = { authorization: "Bearer secret" };
    await get(`${base}/a`, { origins: [base, other], credentials });
    expect(seen).toEqual(["Bearer secret", "Bearer secret", undefined]);
    await expect(get(`${base}/a`, { credentials })).rejects.toMatchObject({ code: "rejected" });
    expect(seen).toHaveLength(5);
  });

  it("does not go round in circles", async () => {
    const base = await serve((_request, response) => response.writeHead(302, { location: "/a" }).end());
    await expect(get(`${base}/a`)).rejects.toMatchObject({ code: "unavailable" });
  });

  it("asks no private address, however the link is written", async () => {
    const base = await serve((_request, response) => response.end(BYTES));
    const port = new URL(base).port;
    for (const url of [
      "https://10.0.0.1/a",
      "https://169.254.169.254/a",
      "https://[::ffff:10.0.0.1]/a",
      `https://localhost:${port}/a`,
      `http://localhost:${port}/a`,
      "http://192.0.2.1/a",
    ]) {
      await expect(get(url), url).rejects.toMatchObject({ name: "PlatformError", code: "rejected" });
    }
    expect(["127.0.0.1", "::1", "fe80::1", "fd00::1", "100.64.1.1", "::ffff:127.0.0.1"].filter(isInside)).toHaveLength(
      6,
    );
    expect(["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"].filter(isInside)).toEqual([]);
  });

  it("lets its caller judge the content type", async () => {
    const base = await serve((_request, response) => {
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end("<html>sign in</html>");
    });
    const checkType = (type: string) => {
      if (type.startsWith("text/html")) throw new PlatformError("forbidden", "A page.");
    };
    await expect(get(`${base}/a`, { checkType })).rejects.toMatchObject({ code: "forbidden" });
    expect(await readdir(folder)).toEqual([]);
  });

  it("allows any name under one with a star, and not the one itself", () => {
    const allowed = ["https://*.sharepoint.com", "http://127.0.0.1:1"];
    for (const origin of ["https://contoso.sharepoint.com", "https://a-my.b.sharepoint.com", "http://127.0.0.1:1"]) {
      expect(isAmong(origin, allowed), origin).toBe(true);
    }
    for (const origin of [
      "https://sharepoint.com",
      "https://evilsharepoint.com",
      "https://x.sharepoint.com.evil.example",
      "http://contoso.sharepoint.com",
      "https://contoso.sharepoint.com:8443",
      "null",
    ]) {
      expect(isAmong(origin, allowed), origin).toBe(false);
    }
  });
});
