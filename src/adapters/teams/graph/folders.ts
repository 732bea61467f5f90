// The folder in SharePoint where a channel keeps its files.
import { PlatformError } from "../../../core/errors.ts";
import type { Graph } from "./client.ts";
import type { DriveItem } from "./drive-items.ts";
import { path } from "./path.ts";
import { FILES } from "./permissions.ts";

export interface Folder {
  readonly drive: string;
  readonly item: string;
}

export interface Folders {
  /** @throws PlatformError forbidden, gone (nobody has opened the channel's files yet), … */
  ofChannel(at: { readonly team: string; readonly channel: string }): Promise<Folder>;
}

const REMEMBERED_MS = 10 * 60_000;
const MOST_REMEMBERED = 1000;

export function createFolders(graph: Graph, now: () => number): Folders {
  const known = new Map<string, Folder & { readonly atMs: number }>();
  return {
    async ofChannel({ team, channel }) {
      const key = `${team} ${channel}`;
      const found = known.get(key);
      if (found !== undefined && found.atMs > now() - REMEMBERED_MS) return found;
      const told = await graph.get<DriveItem>({
        path: path`/teams/${team}/channels/${channel}/filesFolder`,
        doing: "a channel's folder",
        needs: FILES,
      });
      const drive = told.parentReference?.driveId;
      if (told.id === undefined || drive === undefined) {
        throw new PlatformError("unavailable", "Microsoft described a channel's folder without its ids.");
      }
      if (known.size >= MOST_REMEMBERED) known.clear();
      const folder = { drive, item: told.id, atMs: now() };
      known.set(key, folder);
      return folder;
    },
  };
}
