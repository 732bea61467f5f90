// Files in SharePoint and OneDrive as Graph describes them.
import type { MessageFile } from "./index.ts";
import { mediaKind } from "./media-kind.ts";

/** The parts that are read here. Ref: Microsoft Graph, "driveItem resource type" */
export interface DriveItem {
  readonly id?: string;
  readonly name?: string;
  readonly size?: number;
  readonly webUrl?: string;
  readonly file?: { readonly mimeType?: string; readonly hashes?: { readonly quickXorHash?: string } };
  readonly folder?: object;
  /** Milliseconds. */
  readonly audio?: { readonly duration?: number };
  readonly video?: { readonly duration?: number };
  readonly parentReference?: { readonly driveId?: string };
  readonly createdBy?: IdentitySet;
  readonly lastModifiedBy?: IdentitySet;
  /** Good for about an hour, for whoever has it. */
  readonly "@microsoft.graph.downloadUrl"?: string;
}

export interface IdentitySet {
  readonly user?: { readonly id?: string | null } | null;
  readonly application?: { readonly id?: string | null } | null;
}

/** undefined: no audio and no video. */
export function mediaFileOf(item: DriveItem): MessageFile | undefined {
  const { id, name = "", size, file, parentReference } = item;
  const drive = parentReference?.driveId;
  const kind = mediaKind(name, file?.mimeType);
  if (id === undefined || drive === undefined || file === undefined || kind === undefined) return undefined;
  const durationMs = item.audio?.duration ?? item.video?.duration;
  return {
    name,
    kind,
    ...(size === undefined ? {} : { bytes: size }),
    ...(file.mimeType === undefined ? {} : { mimeType: file.mimeType }),
    ...(durationMs === undefined || durationMs <= 0 ? {} : { durationSeconds: durationMs / 1000 }),
    source: { from: "drive", drive, item: id },
  };
}
