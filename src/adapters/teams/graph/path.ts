// Paths of Graph's resources, made of ids that other people wrote: each stays one segment, whatever stands in it.
import { PlatformError } from "../../../core/errors.ts";

declare const brand: unique symbol;
/** Begins with "/", without the API's version. Made by `path` alone. */
export type GraphPath = string & { readonly [brand]: true };

/** path`/teams/${team}/channels/${channel}` */
export function path(parts: TemplateStringsArray, ...ids: readonly string[]): GraphPath {
  return parts.reduce((before, part, index) => before + segment(ids[index - 1] ?? "") + part) as GraphPath;
}

function segment(id: string): string {
  // "." and ".." would be walked, not asked for.
  if (id === "" || /^\.+$/.test(id)) throw new PlatformError("rejected", "An id of Microsoft's that is none.");
  // encodeURIComponent leaves the quote alone, which would end a function's parameter.
  return encodeURIComponent(id).replaceAll("'", "%27");
}
