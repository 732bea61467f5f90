// Drives of the Graph double: items, shares, links that run out, uploads whole and in pieces.
import { randomUUID } from "node:crypto";
import { type Answer, APP, type Asked, type Json, type Route, refused } from "./graph-double.ts";

export interface StoredItem {
  readonly id: string;
  readonly drive: string;
  /** "" for what has no folder. */
  readonly folder: string;
  readonly name: string;
  readonly mimeType: string;
  content: Buffer;
  readonly createdBy: string | undefined;
  readonly invited: string[];
  readonly organizationLink: boolean;
}

export interface Session {
  readonly finish: (content: Buffer) => Answer;
  readonly pieces: Buffer[];
  readonly total: number | undefined;
}

export type Drives = ReturnType<typeof createDrives>;

const PIECE = 320 * 1024;
const READ = ["Files.Read.All", "Files.ReadWrite.All"];
const WRITE = ["Files.ReadWrite.All"];

export function createDrives({ now, filesOrigin }: { now: () => number; filesOrigin: () => string }) {
  const items = new Map<string, StoredItem>();
  const shared = new Map<string, string>();
  const folders = new Map<string, { drive: string; item: string }>();
  const links = new Map<string, { readonly item: StoredItem; readonly untilMs: number }>();
  const sessions = new Map<string, Session>();
  const state = { linkMs: 3_600_000, breakAfter: undefined as number | undefined, breaks: 0, pieces: [] as string[] };

  function store(item: Partial<StoredItem> & { readonly name: string; readonly drive: string }): StoredItem {
    const stored: StoredItem = {
      id: randomUUID(),
      folder: "",
      mimeType: "application/octet-stream",
      content: Buffer.alloc(0),
      createdBy: undefined,
      invited: [],
      organizationLink: false,
      ...item,
    };
    items.set(stored.id, stored);
    return stored;
  }

  const find = (drive: string, folder: string, name: string) =>
    [...items.values()].find((each) => each.drive === drive && each.folder === folder && each.name === name);

  function itemJson(item: StoredItem): Json {
    return {
      id: item.id,
      name: item.name,
      size: item.content.length,
      webUrl: `${filesOrigin()}/sites/${encodeURIComponent(item.drive)}/${encodeURIComponent(item.name)}`,
      eTag: `"{${item.id}},1"`,
      file: { mimeType: item.mimeType, ...hashes(item.content) },
      parentReference: { driveId: item.drive, driveType: "documentLibrary" },
      ...(item.createdBy === undefined
        ? { createdBy: { application: { id: APP } } }
        : { createdBy: { user: { id: item.createdBy } } }),
    };
  }

  function described(item: StoredItem | undefined): Answer {
    if (item === undefined) return refused(404, "itemNotFound");
    const token = randomUUID();
    links.set(token, { item, untilMs: now() + state.linkMs });
    return {
      body: {
        ...itemJson(item),
        "@microsoft.graph.downloadUrl": `${filesOrigin()}/_layouts/15/download.aspx?UniqueId=${item.id}&tempauth=${token}`,
      },
    };
  }

  function write(
    drive: string,
    folder: string,
    name: string,
    behaviour: string,
    content: Buffer,
    type: string,
  ): Answer {
    const taken = find(drive, folder, name);
    if (taken !== undefined && behaviour === "fail") return refused(409, "nameAlreadyExists");
    if (taken !== undefined) {
      taken.content = content;
      return { status: 200, body: itemJson(taken) };
    }
    return { status: 201, body: itemJson(store({ drive, folder, name, content, mimeType: type })) };
  }

  function openSession(drive: string, folder: string, name: string, asked: Asked): Answer {
    const behaviour = String(
      (asked.json()["item"] as Json | undefined)?.["@microsoft.graph.conflictBehavior"] ?? "fail",
    );
    const token = randomUUID();
    sessions.set(token, {
      pieces: [],
      total: undefined,
      finish: (content) => write(drive, folder, name, behaviour, content, "application/octet-stream"),
    });
    const expirationDateTime = new Date(now() + 3_600_000).toISOString();
    return { body: { uploadUrl: `${filesOrigin()}/upload/${token}?guid=1`, expirationDateTime } };
  }

  function piece(asked: Asked): Answer {
    const [token = ""] = asked.ids;
    const session = sessions.get(token);
    if (session === undefined) return refused(404, "itemNotFound");
    const have = session.pieces.reduce((sum, each) => sum + each.length, 0);
    if (asked.method === "DELETE") {
      sessions.delete(token);
      return { status: 204 };
    }
    if (asked.method === "GET") return { body: { nextExpectedRanges: [`${have}-`] } };
    const range = String(asked.headers["content-range"]);
    state.pieces.push(range);
    const [, from, to, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range)?.map(Number) ?? [];
    if (from === undefined || to === undefined || total === undefined) return refused(400, "invalidRequest");
    if (asked.body.length !== to - from + 1) return refused(400, "invalidRequest");
    const isLast = to + 1 === total;
    if (!isLast && asked.body.length % PIECE !== 0) return refused(400, "fragmentNotAligned");
    if (from !== have) return refused(416, "invalidRange");
    session.pieces.push(asked.body);
    if (!isLast) return { status: 202, body: { nextExpectedRanges: [`${to + 1}-`] } };
    sessions.delete(token);
    return session.finish(Buffer.concat(session.pieces));
  }

  function download(asked: Asked): Answer {
    const link = links.get(asked.url.searchParams.get("tempauth") ?? "");
    if (link === undefined || link.untilMs <= now()) return refused(401, "unauthenticated");
    const { content, id } = link.item;
    return ranged(content, `"{${id}},1"`, asked);
  }

  /** As a file server does it, breaking off where a test wants that. */
  function ranged(content: Buffer, etag: string, { headers }: Asked): Answer {
    const condition = headers["if-range"];
    const from = Number(/^bytes=(\d+)-$/.exec(String(headers.range))?.[1] ?? Number.NaN);
    const isRest = !Number.isNaN(from) && (condition === undefined || condition === etag);
    const body = isRest ? content.subarray(from) : content;
    const cut = state.breaks > 0 && state.breakAfter !== undefined ? { breakAfter: state.breakAfter } : {};
    if (state.breaks > 0) state.breaks--;
    return {
      status: isRest ? 206 : 200,
      headers: {
        etag,
        "accept-ranges": "bytes",
        "content-type": "video/mp4",
        ...(isRest ? { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` } : {}),
      },
      body,
      ...cut,
    };
  }

  const channelKey = (team: string, channel: string) => `${team}|${channel}`;
  const CHANNEL = /^\/teams\/([^/]+)\/channels\/([^/]+)/.source;
  const ITEM = /^\/drives\/([^/]+)\/items\/([^/:]+)/.source;
  const MINE = /^\/users\/([^/]+)\/drive\/root:\/([^/:]+)\/([^/:]+)/.source;
  const behaviourOf = ({ url }: Asked) => url.searchParams.get("@microsoft.graph.conflictBehavior") ?? "replace";
  const typeOf = ({ headers }: Asked) => headers["content-type"] ?? "";

  const routes: Route[] = [
    {
      method: "GET",
      pattern: new RegExp(`${CHANNEL}/filesFolder$`),
      any: READ,
      answer({ ids: [team = "", channel = ""] }) {
        const folder = folders.get(channelKey(team, channel));
        if (folder === undefined) return refused(404, "NotFound");
        return { body: { id: folder.item, name: "General", parentReference: { driveId: folder.drive } } };
      },
    },
    {
      method: "GET",
      pattern: /^\/shares\/u!([\w-]+)\/driveItem$/,
      // Ref: Microsoft Graph, "Access shared items": to read alone is not among them.
      any: WRITE,
      answer: ({ ids: [token = ""] }) =>
        described(items.get(shared.get(Buffer.from(token, "base64url").toString()) ?? "")),
    },
    {
      method: "GET",
      pattern: new RegExp(`${ITEM}$`),
      any: READ,
      answer: ({ ids: [drive = "", id = ""] }) => {
        const item = items.get(id);
        return described(item?.drive === drive ? item : undefined);
      },
    },
    {
      method: "GET",
      pattern: /^\/users\/([^/]+)\/drive\/items\/([^/:]+)$/,
      any: READ,
      answer: ({ ids: [user = "", id = ""] }) => {
        const item = items.get(id);
        return described(item?.drive === driveOf(user) ? item : undefined);
      },
    },
    {
      method: "GET",
      pattern: new RegExp(`${ITEM}/permissions$`),
      any: READ,
      answer({ ids: [, id = ""] }) {
        const item = items.get(id);
        if (item === undefined) return refused(404, "itemNotFound");
        const people = item.invited.map((user) => ({ user: { id: user } }));
        return {
          body: {
            value: [
              { roles: ["write"], grantedToV2: { siteGroup: { id: "3" } } },
              ...(people.length > 0 ? [{ link: { scope: "users" }, grantedToIdentitiesV2: people }] : []),
              ...(item.organizationLink ? [{ link: { scope: "organization" } }] : []),
            ],
          },
        };
      },
    },
    {
      method: "POST",
      pattern: new RegExp(`${ITEM}/invite$`),
      any: WRITE,
      answer({ ids: [, id = ""], json }) {
        const recipients = json()["recipients"] as { objectId: string }[];
        items.get(id)?.invited.push(...recipients.map(({ objectId }) => objectId));
        return { body: { value: [] } };
      },
    },
    {
      method: "PUT",
      pattern: new RegExp(`${ITEM}:/([^/]+):/content$`),
      any: WRITE,
      answer: (asked) => {
        const [drive = "", folder = "", name = ""] = asked.ids;
        return write(drive, folder, name, behaviourOf(asked), asked.body, typeOf(asked));
      },
    },
    {
      method: "POST",
      pattern: new RegExp(`${ITEM}:/([^/]+):/createUploadSession$`),
      any: WRITE,
      answer: (asked) => openSession(asked.ids[0] ?? "", asked.ids[1] ?? "", asked.ids[2] ?? "", asked),
    },
    {
      method: "GET",
      pattern: new RegExp(`${ITEM}:/([^/]+)$`),
      any: READ,
      answer: ({ ids: [drive = "", folder = "", name = ""] }) => described(find(drive, folder, name)),
    },
    {
      method: "PUT",
      pattern: new RegExp(`${MINE}:/content$`),
      any: ["Files.ReadWrite.All"],
      answer: (asked) => {
        const [user = "", folder = "", name = ""] = asked.ids;
        return write(driveOf(user), folder, name, behaviourOf(asked), asked.body, typeOf(asked));
      },
    },
    {
      method: "POST",
      pattern: new RegExp(`${MINE}:/createUploadSession$`),
      any: ["Files.ReadWrite.All"],
      answer: (asked) => openSession(driveOf(asked.ids[0] ?? ""), asked.ids[1] ?? "", asked.ids[2] ?? "", asked),
    },
    {
      method: "GET",
      pattern: new RegExp(`${MINE}$`),
      any: READ,
      answer: ({ ids: [user = "", folder = "", name = ""] }) => described(find(driveOf(user), folder, name)),
    },
  ];

  const uploads = ["PUT", "GET", "DELETE"].map((method) => ({ method, pattern: /^\/upload\/([^/]+)$/, answer: piece }));

  return {
    routes,
    fileRoutes: [
      { method: "GET", pattern: /^\/_layouts\/15\/download\.aspx$/, answer: download },
      ...uploads,
    ] satisfies Route[],
    ranged,
    linkTo: (item: StoredItem) => (described(item).body as Json)["@microsoft.graph.downloadUrl"] as string,
    store,
    world: {
      /** `linkMs`: how long links last; `breaks`: how many of the next downloads end after `breakAfter` bytes. */
      drives: state,
      items,
      sessions,
      itemsIn: (drive: string) => [...items.values()].filter((each) => each.drive === drive),
      driveOf,
      addFolder(team: string, channel: string, drive = `b!${team}`): { drive: string; item: string } {
        const folder = { drive, item: `folder-${channel}` };
        folders.set(channelKey(team, channel), folder);
        return folder;
      },
      /** A file, and the address by which messages refer to it. */
      addFile(file: Partial<StoredItem> & { readonly name: string; readonly drive: string }) {
        const item = store(file);
        const contentUrl = `${filesOrigin()}/personal/${item.id}/${encodeURIComponent(item.name)}`;
        shared.set(contentUrl, item.id);
        return { item, attachment: { id: item.id, contentType: "reference", contentUrl, name: item.name } };
      },
    },
  };
}

function driveOf(user: string): string {
  return `b!of-${user}`;
}

/** Of small files alone: as in SharePoint, which makes them when it has the time. */
function hashes(content: Buffer): Json {
  return content.length > 100_000 ? {} : { hashes: { quickXorHash: xorHash(content) } };
}

/** QuickXorHash in another way than the adapter's: one number of 160 bits, turned by 11 for each byte. */
function xorHash(content: Buffer): string {
  const mask = (1n << 160n) - 1n;
  let hash = 0n;
  content.forEach((byte, index) => {
    const turn = BigInt((index * 11) % 160);
    const placed = BigInt(byte) << turn;
    hash ^= (placed & mask) | (placed >> 160n);
  });
  hash ^= BigInt(content.length) << 96n;
  const bytes = Buffer.alloc(20);
  for (let at = 0; at < 20; at++) bytes[at] = Number((hash >> BigInt(at * 8)) & 0xffn);
  return bytes.toString("base64");
}
