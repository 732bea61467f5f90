// Transcript files where everybody in the conversation can open them: a channel's folder, or a OneDrive shared with a chat.
import { createHash } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { PlatformError } from "../../../core/errors.ts";
import type { OutputFile } from "../../../core/reply.ts";
import type { Graph } from "./client.ts";
import type { GraphHosts } from "./clouds.ts";
import type { DriveItem } from "./drive-items.ts";
import { graphStatus, isRefused } from "./errors.ts";
import { driveFileName, markedName } from "./file-name.ts";
import type { Folders } from "./folders.ts";
import type { FilesPlace, UploadedFile } from "./index.ts";
import { type GraphPath, path } from "./path.ts";
import { FILES, MEMBERS_READ } from "./permissions.ts";
import { quickXorHash } from "./quick-xor.ts";
import { uploadInPieces } from "./upload-session.ts";

export interface UploadParts {
  readonly graph: Graph;
  readonly hosts: GraphHosts;
  readonly folders: Folders;
  readonly tenant: string;
  readonly sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>;
}

/** Where a chat's files go in a person's OneDrive. Made by the first upload. */
const CHAT_FOLDER = "Earshot";
const SMALL_BYTES = 4 * 1024 ** 2;
const INVITED_AT_ONCE = 50;

/** Makes the path of a file of this name in the place. */
type Named = (name: string, action: "" | "content" | "createUploadSession") => GraphPath;

export function createUploads({ graph, hosts, folders, tenant, sleep = idle }: UploadParts) {
  async function write(at: Named, name: string, file: Content, behaviour: "fail" | "replace"): Promise<DriveItem> {
    const asked = { doing: "an upload", needs: FILES, signal: file.signal };
    const { bytes, mimeType } = file;
    if (bytes.length > SMALL_BYTES) {
      const body = { item: { "@microsoft.graph.conflictBehavior": behaviour } };
      return uploadInPieces({ ...asked, path: at(name, "createUploadSession"), body }, bytes, { graph, hosts, sleep });
    }
    return graph.put<DriveItem>({
      ...asked,
      path: at(name, "content"),
      query: { "@microsoft.graph.conflictBehavior": behaviour },
      bytes: { content: bytes, mimeType },
    });
  }

  /** The same content under this name, such as from an attempt whose answer was lost. */
  async function same(at: Named, name: string, { bytes }: Content): Promise<DriveItem | undefined> {
    const found = await graph.get<DriveItem>({ path: at(name, ""), doing: "an uploaded file" });
    const hash = found.file?.hashes?.quickXorHash;
    return found.size === bytes.length && hash === quickXorHash(bytes) ? found : undefined;
  }

  /**
   * A name that other content has already is left to it. The second name is made of the content, so that it means the
   * same file every time.
   */
  async function put(at: Named, file: Content): Promise<DriveItem> {
    try {
      return await write(at, file.name, file, "fail");
    } catch (error) {
      if (graphStatus(error) !== 409) throw error;
      const found = await same(at, file.name, file).catch((gone: unknown) => {
        if (isRefused(gone, "gone")) return undefined;
        throw gone;
      });
      if (found !== undefined) return found;
      const mark = createHash("sha256").update(file.bytes).digest("hex").slice(0, 6);
      return write(at, markedName(file.name, mark), file, "replace");
    }
  }

  /** The people of a chat who belong to this organisation, without the one whose drive it is. */
  async function readersOf(chat: string, owner: string, signal: AbortSignal | undefined): Promise<string[]> {
    const members = graph.list<{ userId?: string | null; tenantId?: string | null }>({
      path: path`/chats/${chat}/members`,
      doing: "who is in a chat",
      needs: MEMBERS_READ,
      signal,
    });
    const readers: string[] = [];
    for await (const { userId, tenantId } of members) {
      if (userId && userId !== owner && (!tenantId || tenantId === tenant)) readers.push(userId);
    }
    return readers;
  }

  async function share({ drive, item }: Where, readers: readonly string[], signal: AbortSignal | undefined) {
    for (let from = 0; from < readers.length; from += INVITED_AT_ONCE) {
      const recipients = readers.slice(from, from + INVITED_AT_ONCE).map((objectId) => ({ objectId }));
      await graph.post<unknown>({
        path: path`/drives/${drive}/items/${item}/invite`,
        body: { recipients, roles: ["read"], requireSignIn: true, sendInvitation: false },
        doing: "to share a file with a chat",
        needs: FILES,
        signal,
      });
    }
  }

  async function putAt(place: FilesPlace, file: Content): Promise<UploadedFile> {
    switch (place.kind) {
      case "channel": {
        const { drive, item } = await folders.ofChannel(place);
        return uploaded(await put(inFolder(drive, item), file));
      }
      case "chat": {
        // Asked first: a file that nobody may open then is not left behind.
        const readers = await readersOf(place.chat, place.owner, file.signal);
        const done = uploaded(await put(inDriveOf(place.owner), file));
        await share(done, readers, file.signal);
        return done;
      }
      default:
        return place satisfies never;
    }
  }

  return {
    async upload(place: FilesPlace, { name, mimeType, content }: OutputFile, signal?: AbortSignal) {
      const bytes = new Uint8Array(Buffer.from(content));
      try {
        return await putAt(place, { name: driveFileName(name), mimeType, bytes, signal });
      } catch (error) {
        // A channel whose files nobody has opened yet, a person without OneDrive, one that is full: no other try helps.
        if (!isRefused(error, "gone", "rejected")) throw error;
        throw new PlatformError("forbidden", `${error.message} There is no place for files.`, { cause: error });
      }
    },
  };
}

interface Content {
  readonly name: string;
  readonly mimeType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly signal: AbortSignal | undefined;
}

type Where = Pick<UploadedFile, "drive" | "item">;

function inFolder(drive: string, folder: string): Named {
  return (name, action) => {
    switch (action) {
      case "":
        return path`/drives/${drive}/items/${folder}:/${name}`;
      case "content":
        return path`/drives/${drive}/items/${folder}:/${name}:/content`;
      case "createUploadSession":
        return path`/drives/${drive}/items/${folder}:/${name}:/createUploadSession`;
      default:
        return action satisfies never;
    }
  };
}

function inDriveOf(user: string): Named {
  return (name, action) => {
    switch (action) {
      case "":
        return path`/users/${user}/drive/root:/${CHAT_FOLDER}/${name}`;
      case "content":
        return path`/users/${user}/drive/root:/${CHAT_FOLDER}/${name}:/content`;
      case "createUploadSession":
        return path`/users/${user}/drive/root:/${CHAT_FOLDER}/${name}:/createUploadSession`;
      default:
        return action satisfies never;
    }
  };
}

function uploaded({ id, name = "", webUrl = "", parentReference }: DriveItem): UploadedFile {
  const drive = parentReference?.driveId;
  if (id === undefined || drive === undefined || !/^https?:\/\//.test(webUrl)) {
    throw new PlatformError("unavailable", "Microsoft described an uploaded file without its ids.");
  }
  return { name, webUrl, drive, item: id };
}

function idle(ms: number, signal: AbortSignal | undefined): Promise<unknown> {
  return wait(ms, undefined, { ref: false, ...(signal === undefined ? {} : { signal }) });
}
