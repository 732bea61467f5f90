// Files that people send to the bot itself: the link that came with one, as long as it works, and then a fresh one.
import { PlatformError } from "../../core/errors.ts";
import type { PlatformNotes } from "../../core/ports.ts";
import type { Recording } from "../../core/recording.ts";
import { downloadFile } from "../download.ts";
import { record, text } from "./activity.ts";
import type { TeamsGraph } from "./graph/index.ts";

export interface SentFiles {
  /** The link is the permission to read the file, and lies apart from the job, which keeps the id. */
  keepLink(file: string, url: string): Promise<void>;
  /** @throws as `Platform.download` */
  download(recording: Recording, toPath: string, signal: AbortSignal): Promise<void>;
  tidy(): Promise<void>;
}

export interface SentFilesParts {
  readonly notes: PlatformNotes;
  readonly graph: Pick<TeamsGraph, "userFile" | "download"> | undefined;
  /** Where the organization's files lie. */
  readonly origins: readonly string[];
  readonly maxBytes: number;
  readonly now: () => number;
}

/** Links that come with files work for about an hour. */
const KEPT_MS = 86_400_000;

export function createSentFiles({ notes, graph, origins, maxBytes, now }: SentFilesParts): SentFiles {
  const keyOf = (file: string) => `file:${file}`;

  return {
    async keepLink(file, url) {
      await notes.put(keyOf(file), { url });
    },

    async download(recording, toPath, signal) {
      const { file = "", user = "" } = recording.source;
      const link = text(record(await notes.get(keyOf(file)))["url"]);
      let failure: unknown = new PlatformError("gone", "The link to the file is over.");
      if (link !== undefined) {
        try {
          await downloadFile(link, toPath, { origins, maxBytes, name: recording.name, signal });
          return;
        } catch (error) {
          if (!isOver(error)) throw error;
          failure = error;
        }
      }
      const fresh = await graph?.userFile(user, file).catch((error: unknown) => {
        // That Graph may not be asked says nothing of the file.
        if (isOver(error)) return undefined;
        throw error;
      });
      if (graph === undefined || fresh === undefined) throw failure;
      await graph.download({ name: recording.name, source: fresh.source }, toPath, signal);
    },

    async tidy() {
      for (const { key, atMs } of await notes.list(keyOf(""))) {
        if (atMs < now() - KEPT_MS) await notes.remove(key);
      }
    },
  };
}

function isOver(error: unknown): boolean {
  return error instanceof PlatformError && ["gone", "forbidden", "rejected"].includes(error.code);
}
