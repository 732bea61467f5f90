// Whether a file may be heard in a conversation. The app reads more than people do, and anybody can attach a link:
// nobody gets to hear through Earshot what they could not open themselves.
import { PlatformError } from "../../../core/errors.ts";
import type { Graph } from "./client.ts";
import type { DriveItem, IdentitySet } from "./drive-items.ts";
import { isRefused } from "./errors.ts";
import type { Folders } from "./folders.ts";
import type { MessageAt } from "./index.ts";
import { path } from "./path.ts";
import { FILES } from "./permissions.ts";

export interface Rights {
  /** @throws PlatformError forbidden when nothing shows that the sender may read the file */
  check(item: DriveItem, sender: string | undefined, at: MessageAt): Promise<void>;
}

/** Ref: Microsoft Graph, "permission resource type" */
interface Permission {
  readonly grantedToV2?: IdentitySet | null;
  readonly grantedToIdentitiesV2?: readonly IdentitySet[] | null;
  readonly link?: { readonly scope?: string } | null;
}

export function createRights(graph: Graph, folders: Folders): Rights {
  async function isShared(item: DriveItem, sender: string | undefined): Promise<boolean> {
    const permissions = graph.list<Permission>({
      path: path`/drives/${item.parentReference?.driveId ?? ""}/items/${item.id ?? ""}/permissions`,
      doing: "who may read a file",
      needs: FILES,
    });
    for await (const { grantedToV2, grantedToIdentitiesV2, link } of permissions) {
      if (link?.scope === "organization" || link?.scope === "anonymous") return true;
      const granted = [grantedToV2, ...(grantedToIdentitiesV2 ?? [])];
      if (sender !== undefined && granted.some((each) => each?.user?.id === sender)) return true;
    }
    return false;
  }

  /** undefined: nobody has put a file there yet. */
  async function driveOf(at: { readonly team: string; readonly channel: string }): Promise<string | undefined> {
    try {
      return (await folders.ofChannel(at)).drive;
    } catch (error) {
      if (isRefused(error, "gone")) return undefined;
      throw error;
    }
  }

  return {
    async check(item, sender, at) {
      const { createdBy, lastModifiedBy, parentReference } = item;
      if (parentReference?.driveId === undefined) return refuse();
      const isOwn = [createdBy, lastModifiedBy].some((by) => by?.user?.id !== undefined && by.user?.id === sender);
      if (isOwn && sender !== undefined) return;
      if (at.kind === "channel" && (await driveOf(at)) === parentReference?.driveId) return;
      if (await isShared(item, sender)) return;
      refuse();
    },
  };
}

function refuse(): never {
  throw new PlatformError(
    "forbidden",
    "Nothing shows that the sender of a message may read the file in it. Upload the file to the conversation itself.",
  );
}
