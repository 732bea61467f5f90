// Messages of Teams as Graph describes them, and the links of the files that they have.
import { isAmong } from "../../download.ts";
import type { GraphHosts } from "./clouds.ts";
import type { IdentitySet } from "./drive-items.ts";
import { mayBeMedia } from "./media-kind.ts";

/** The parts that are read here. Ref: Microsoft Graph, "chatMessage resource type" */
export interface ChatMessage {
  readonly id?: string;
  readonly createdDateTime?: string | null;
  readonly deletedDateTime?: string | null;
  readonly from?: IdentitySet | null;
  readonly attachments?: readonly Attachment[] | null;
  /** Of a message that began a thread, where they were asked for. */
  readonly replies?: readonly ChatMessage[] | null;
}

interface Attachment {
  /** "reference": a file in SharePoint or OneDrive. */
  readonly contentType?: string;
  readonly contentUrl?: string | null;
  readonly content?: string | null;
  readonly name?: string | null;
}

/** Links of the files that may be media; a forwarded message's files are attached to the one that forwards it. */
export function fileLinksOf({ attachments }: ChatMessage, { files }: Pick<GraphHosts, "files">): readonly string[] {
  const links = (attachments ?? []).flatMap(({ contentType, contentUrl, name }) =>
    contentType === "reference" && contentUrl && mayBeMedia(name ?? "") ? contentUrl : [],
  );
  return [...new Set(links)].filter((link) => URL.canParse(link) && isAmong(new URL(link).origin, files));
}
