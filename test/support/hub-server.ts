// A Hugging Face hub on 127.0.0.1: the tree API, resolve with its redirect to a CDN on another port, and its ways to fail.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HubRequest {
  readonly server: "hub" | "cdn";
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  /** Bytes of content that went out. */
  readonly sentBytes: number;
}

/** What goes wrong at the next request to a path that ends so; used up by it. */
export interface Fault {
  readonly path: string;
  readonly kind:
    | { readonly dropAfterBytes: number }
    | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
    | { readonly content: Buffer }
    | { readonly stallAfterBytes: number };
}

export interface HubServer {
  readonly endpoint: string;
  readonly requests: HubRequest[];
  readonly faults: Fault[];
  /** repo -> path -> content; may be changed at any time. */
  readonly repos: Map<string, Map<string, Buffer>>;
  /** The token that callers must have, if any. */
  token: string | undefined;
  readonly gated: Set<string>;
  /** Sizes that the tree claims instead of the true ones. */
  readonly claimedBytes: Map<string, number>;
  pageSize: number;
  close(): Promise<void>;
}

const lfs = (path: string) => /\.onnx(_data(_\d+)?)?$/.test(path);
const sha = (algorithm: string, ...parts: (string | Buffer)[]) => {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

export async function startHubServer(): Promise<HubServer> {
  const cdn = createServer((request, response) => serve("cdn", request, response));
  const hub = createServer((request, response) => serve("hub", request, response));
  const [cdnOrigin, endpoint] = [await listen(cdn), await listen(hub)];
  const state: HubServer = {
    endpoint,
    requests: [],
    faults: [],
    repos: new Map(),
    token: undefined,
    gated: new Set(),
    claimedBytes: new Map(),
    pageSize: 1000,
    async close() {
      for (const server of [hub, cdn]) {
        server.closeAllConnections();
        server.close();
        await once(server, "close");
      }
    },
  };

  function serve(server: "hub" | "cdn", request: IncomingMessage, response: ServerResponse) {
    const url = new URL(request.url ?? "/", endpoint);
    const path = decodeURIComponent(url.pathname);
    const log = (sentBytes: number) =>
      state.requests.push({
        server,
        path,
        range: request.headers.range,
        authorization: request.headers.authorization,
        sentBytes,
      });
    const answer = (status: number, headers: Record<string, string> = {}, text = "") => {
      log(0);
      response.writeHead(status, headers).end(text);
    };
    const index = state.faults.findIndex((fault) => path.endsWith(fault.path) && (server === "cdn" || !lfs(path)));
    const [fault] = index < 0 ? [] : state.faults.splice(index, 1);
    if (fault && "status" in fault.kind) return answer(fault.kind.status, { ...fault.kind.headers });

    const [, repo = "", file] = /^\/(?:api\/models\/)?([^/]+\/[^/]+)\/(?:tree|resolve)\/main\/?(.*)$/.exec(path) ?? [];
    const files = state.repos.get(repo);
    const refused = state.token !== undefined && request.headers.authorization !== `Bearer ${state.token}`;
    if (server === "hub" && state.gated.has(repo) && refused) return answer(403, { "x-error-code": "GatedRepo" });
    if (server === "hub" && (!files || refused)) return answer(401, { "x-error-code": "RepoNotFound" });
    if (!files) return answer(404);

    if (path.startsWith("/api/")) {
      const from = Number(url.searchParams.get("cursor") ?? 0);
      const entries = tree(files, state.claimedBytes);
      const next = `<${endpoint}${url.pathname}?recursive=true&cursor=${from + state.pageSize}>; rel="next"`;
      const headers = {
        "content-type": "application/json",
        ...(from + state.pageSize < entries.length ? { link: next } : {}),
      };
      return answer(200, headers, JSON.stringify(entries.slice(from, from + state.pageSize)));
    }
    const content = fault && "content" in fault.kind ? fault.kind.content : files.get(file ?? "");
    if (!content) return answer(404, { "x-error-code": "EntryNotFound" });
    if (server === "hub" && lfs(path)) return answer(302, { location: `${cdnOrigin}${url.pathname}` });

    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const rest = content.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": rest.length,
      ...(start > 0 ? { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
    });
    if (fault && "dropAfterBytes" in fault.kind) {
      log(fault.kind.dropAfterBytes);
      response.write(rest.subarray(0, fault.kind.dropAfterBytes), () => setTimeout(() => response.destroy(), 50));
    } else if (fault && "stallAfterBytes" in fault.kind) {
      log(fault.kind.stallAfterBytes);
      response.write(rest.subarray(0, fault.kind.stallAfterBytes));
    } else {
      log(rest.length);
      response.end(rest);
    }
  }
  return state;
}

function tree(files: ReadonlyMap<string, Buffer>, claimedBytes: ReadonlyMap<string, number>): object[] {
  const entries = [...files].map(([path, content]) => {
    const size = claimedBytes.get(path) ?? content.length;
    const oid = sha("sha1", `blob ${content.length}\0`, content);
    return lfs(path)
      ? { type: "file", path, size, oid, lfs: { oid: sha("sha256", content), size, pointerSize: 134 } }
      : { type: "file", path, size, oid };
  });
  return [{ type: "directory", path: "onnx", size: 0, oid: "0".repeat(40) }, ...entries];
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
