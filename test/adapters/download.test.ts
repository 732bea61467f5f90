// The guarded download against real local servers, one test for each way in which it can end.
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DownloadOptions, downloadFile, isAmong } from "../../src/adapters/download.ts";
import { PlatformError } from "../../src/core/errors.ts";

const never = new AbortController().signal;
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

  /** Sends that much, and the connection ends when it is on the disk at the other end. */
  function sendAndBreak(response: ServerResponse, bytes: Buffer, total = bytes.length): void {
    response.write(bytes);
    const timer = setInterval(async () => {
      const { size } = await stat(join(folder, "a.media.part")).catch(() => ({ size: 0 }));
      if (size < total) return;
      clearInterval(timer);
      response.destroy();
    }, 5);
    response.on("close", () => clearInterval(timer));
  }

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
        ...(range !== undefined && { "content-range": `bytes ${from}-${BYTES.length - 1}/${BYTES.length}` }),
      });
      if (ranges.length === 3) response.end(BYTES.subarray(from));
      else sendAndBreak(response, BYTES.subarray(from, from + 70_000), from + 70_000);
    });
    await get(`${base}/a`);
    expect(BYTES.equals(await readFile(join(folder, "a.media")))).toBe(true);
    expect(ranges).toEqual([undefined, "bytes=70000-", "bytes=140000-"]);
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
        ...(from > 0 && { "content-range": `bytes ${from}-${BYTES.length - 1}/${BYTES.length}` }),
      });
      if (from > 0) return response.end(BYTES.subarray(from));
      return sendAndBreak(response, BYTES.subarray(0, 70_000));
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
      else sendAndBreak(response, BYTES.subarray(0, 50_000));
    });
    await get(`${base}/a`);
    expect(BYTES.equals(await readFile(join(folder, "a.media")))).toBe(true);
  });

  it("says that the server broke off where it cannot go on", async () => {
    const base = await serve((_request, response) => {
      response.writeHead(200, { "content-length": BYTES.length });
      sendAndBreak(response, BYTES.subarray(0, 50_000));
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
  });

  it("gives up on a server that sends a byte now and then, in the body or in the headers", async () => {
    const trickle = await serve((_request, response) => {
      const timer = setInterval(() => response.write("a"), 10);
      response.on("close", () => clearInterval(timer));
    });
    await expect(get(`${trickle}/a`, { pace: { bytes: 1000, everyMs: 100 } })).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("next to nothing"),
    });
    const raw = createTcpServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      const timer = setInterval(() => socket.write("X-A: a\r\n"), 10);
      socket.on("close", () => clearInterval(timer)).on("error", () => {});
    });
    await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
    const { port } = raw.address() as AddressInfo;
    await expect(get(`http://127.0.0.1:${port}/a`, { idleMs: 200 })).rejects.toMatchObject({ code: "unavailable" });
    raw.close();
    expect(await readdir(folder)).toEqual([]);
  });

  it("does not give up on a slow server that keeps sending", async () => {
    const base = await serve((_request, response) => {
      let sent = 0;
      const timer = setInterval(() => {
        response.write(BYTES.subarray(sent, sent + 20_000));
        sent += 20_000;
        if (sent < BYTES.length) return;
        clearInterval(timer);
        response.end();
      }, 20);
    });
    await get(`${base}/a`, { pace: { bytes: 100, everyMs: 150 } });
    expect(BYTES.equals(await readFile(join(folder, "a.media")))).toBe(true);
  });

  it("takes no packed body, which might unpack to anything", async () => {
    const base = await serve((_request, response) => {
      response.setHeader("content-encoding", "gzip");
      response.end(gzipSync(BYTES));
    });
    await expect(get(`${base}/a`)).rejects.toMatchObject({
      code: "rejected",
      message: expect.stringContaining("packed"),
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    ["a part that nobody asked for", { "content-range": "bytes 0-9/200000" }, 0],
    ["another part than it was asked for", { "content-range": "bytes 10-199999/200000" }, 1],
    ["a part of another version", { etag: '"2"' }, 1],
    ["a part that is said to end before the file does", { "content-range": "bytes 70000-199998/200000" }, 1],
    ["a part with no word on which", { "content-range": undefined }, 1],
  ])("begins anew when the server sends %s", async (_name, wrong, after) => {
    let asked = 0;
    const base = await serve((request, response) => {
      asked++;
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      const headers = { "accept-ranges": "bytes", etag: '"1"' };
      if (asked <= after) {
        response.writeHead(200, { ...headers, "content-length": BYTES.length });
        sendAndBreak(response, BYTES.subarray(0, 70_000));
      } else if (asked === after + 1) {
        const right = { "content-range": `bytes ${from}-199999/200000` };
        const all = Object.entries({ ...headers, ...right, ...wrong }).filter(([, value]) => value !== undefined);
        response.writeHead(206, Object.fromEntries(all)).end(BYTES.subarray(from + 10));
      } else {
        expect(request.headers.range).toBeUndefined();
        response.writeHead(200, headers).end(BYTES);
      }
    });
    await get(`${base}/a`);
    expect(BYTES.equals(await readFile(join(folder, "a.media")))).toBe(true);
    expect(asked).toBe(after + 2);
  });

  it("does not take parts for ever", async () => {
    let asked = 0;
    const base = await serve((_request, response) => {
      asked++;
      response.writeHead(206, { "content-range": "bytes 5-9/10" }).end("abcde");
    });
    await expect(get(`${base}/a`)).rejects.toMatchObject({ code: "rejected" });
    expect(asked).toBe(4);
    expect(await readdir(folder)).toEqual([]);
  });

  it("begins anew when the file has become shorter than what is there of it", async () => {
    let asked = 0;
    const base = await serve((request, response) => {
      asked++;
      if (asked === 1) {
        response.writeHead(200, { "accept-ranges": "bytes", etag: '"1"', "content-length": BYTES.length });
        sendAndBreak(response, BYTES.subarray(0, 70_000));
      } else if (request.headers.range !== undefined) response.writeHead(416).end();
      else response.end(BYTES.subarray(0, 500));
    });
    await get(`${base}/a`);
    expect((await stat(join(folder, "a.media"))).size).toBe(500);
  });

  it("takes no more than was announced, and not less", async () => {
    const raw = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (asked) => {
        const length = asked.toString().startsWith("GET /long") ? 10 : 1000;
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${"a".repeat(100)}`);
      });
    });
    await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
    const base = `http://127.0.0.1:${(raw.address() as AddressInfo).port}`;
    await get(`${base}/long`);
    expect((await stat(join(folder, "a.media"))).size).toBe(10);
    await rm(join(folder, "a.media"));
    await expect(get(`${base}/short`)).rejects.toMatchObject({ code: "unavailable" });
    raw.close();
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    "Content-Length: 10\r\nTransfer-Encoding: chunked",
    "Content-Length: -1",
    "Content-Length: 10\r\nContent-Length: 11",
    `X-Long: ${"a".repeat(100_000)}`,
  ])("takes headers that contradict themselves for a server that broke off (%#)", async (headers) => {
    const raw = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\n${headers}\r\n\r\n0123456789`));
    });
    await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
    const { port } = raw.address() as AddressInfo;
    await expect(get(`http://127.0.0.1:${port}/a`)).rejects.toMatchObject({ name: "PlatformError" });
    raw.close();
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(["http://[::", "file:///etc/passwd", "data:audio/mp3,aaaa", "//10.0.0.1/a", "ftp://127.0.0.1/a"])(
    "does not follow a redirect to %s",
    async (location) => {
      const base = await serve((_request, response) => response.writeHead(302, { location }).end());
      await expect(get(`${base}/a`)).rejects.toMatchObject({ name: "PlatformError", code: "rejected" });
    },
  );

  it("says to nobody who a link says that we are", async () => {
    const seen: (string | undefined)[] = [];
    const base = await serve((request, response) => {
      seen.push(request.headers.authorization);
      if (request.url === "/a")
        response.writeHead(302, { location: "//u:p@127.0.0.1:0/b".replace(":0/", `:${port}/`) });
      response.end(BYTES);
    });
    const port = new URL(base).port;
    await get(`http://me:secret@127.0.0.1:${port}/a`);
    expect(seen).toEqual([undefined, undefined]);
    await expect(
      downloadFile("no link", join(folder, "b"), { origins: [], maxBytes: 1, name: "b", signal: never }),
    ).rejects.toMatchObject({ code: "rejected" });
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
