// The bytes of recordings: files in SharePoint and OneDrive by a link that is asked for each time, meetings from Graph itself.
import { PlatformError } from "../../../core/errors.ts";
import { type DownloadOptions, downloadFile, type FileLink } from "../../download.ts";
import type { Graph } from "./client.ts";
import type { GraphHosts } from "./clouds.ts";
import type { DriveItem } from "./drive-items.ts";
import { isRefused } from "./errors.ts";
import { path } from "./path.ts";
import { FILES, RECORDINGS_READ } from "./permissions.ts";

export interface MediaParts {
  readonly graph: Graph;
  readonly hosts: GraphHosts;
  readonly maxBytes: number;
}

export interface Wanted {
  readonly name: string;
  /** As it stood in the job. */
  readonly source: Readonly<Record<string, string>>;
}

/** @throws as `Platform.download` */
export async function downloadMedia(
  { name, source }: Wanted,
  toPath: string,
  signal: AbortSignal,
  { graph, hosts, maxBytes }: MediaParts,
): Promise<void> {
  signal.throwIfAborted();
  const bounds = { name, maxBytes, signal };
  switch (source["from"]) {
    case "drive": {
      const fresh = () => linkOf(source["drive"] ?? "", source["item"] ?? "", { graph, signal });
      return fetched(toPath, { ...bounds, origins: hosts.files, fresh }, LINK_REFUSED);
    }
    case "meeting": {
      const { organizer = "", meeting = "", recording = "" } = source;
      const content = path`/users/${organizer}/onlineMeetings/${meeting}/recordings/${recording}/content`;
      // Graph may send on to where the file lies: the download keeps the token to Graph's own host.
      const origins = [new URL(hosts.graph).origin, ...hosts.files];
      return fetched(toPath, { ...bounds, origins, fresh: () => graph.content(content) }, MEETING_REFUSED);
    }
    default:
      throw new PlatformError("rejected", "A recording of Teams that no version of Earshot knows how to fetch.");
  }
}

async function linkOf(
  drive: string,
  item: string,
  { graph, signal }: Pick<MediaParts, "graph"> & { readonly signal: AbortSignal },
): Promise<FileLink> {
  const told = await graph.get<DriveItem>({
    path: path`/drives/${drive}/items/${item}`,
    query: { $select: "id,size,@microsoft.graph.downloadUrl" },
    doing: "a file's link",
    needs: FILES,
    signal,
  });
  const url = told["@microsoft.graph.downloadUrl"];
  // Files under a policy, such as a virus that was found in them, have none.
  if (url === undefined) throw new PlatformError("forbidden", "Microsoft keeps the file from downloads.");
  return { url };
}

type Refused = (error: PlatformError) => PlatformError;

/** The link is the permission: one that is refused has run out, and the next attempt asks for another. */
const LINK_REFUSED: Refused = (cause) =>
  new PlatformError("unavailable", "The link to a file ran out before it was used.", { cause });

const MEETING_REFUSED: Refused = (cause) =>
  new PlatformError(
    "forbidden",
    `Microsoft refused the content of a meeting's recording. It takes ${RECORDINGS_READ}; docs/teams.md says who grants it.`,
    { cause },
  );

async function fetched(
  toPath: string,
  options: DownloadOptions & { readonly fresh: () => Promise<FileLink> },
  asRefused: Refused,
): Promise<void> {
  const { url, credentials } = await options.fresh();
  try {
    await downloadFile(url, toPath, { ...options, ...(credentials === undefined ? {} : { credentials }) });
  } catch (error) {
    throw isRefused(error, "forbidden") ? asRefused(error) : error;
  }
}
