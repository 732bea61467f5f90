// Names that SharePoint and OneDrive take for a file.
// Ref: Microsoft 365, "Restrictions and limitations in OneDrive and SharePoint"

const LONGEST = 120;
const RESERVED = /^(\.lock|con|prn|aux|nul|com\d|lpt\d|desktop\.ini|_vti_.*)$/i;

/** As close to the wished name as they take it. */
export function driveFileName(wished: string): string {
  const clean = wished
    .replace(/["*:<>?/\\|#%~\p{Cc}]/gu, "_")
    .replaceAll("_vti_", "_")
    .replace(/^[\s.]+|[\s.]+$/g, "");
  const { stem, ending } = parts(clean === "" || RESERVED.test(clean) ? `file ${clean}`.trim() : clean);
  // Cut between characters, not within one.
  const room = LONGEST - ending.length;
  return `${Array.from(stem).slice(0, room).join("").trimEnd()}${ending}`;
}

/** The same name with a mark before its ending: "weekly.srt" -> "weekly (1f3a9c).srt". */
export function markedName(name: string, mark: string): string {
  const { stem, ending } = parts(name);
  return `${stem} (${mark})${ending}`;
}

function parts(name: string): { readonly stem: string; readonly ending: string } {
  const [, stem = name, ending = ""] = /^(.*?)(\.[A-Za-z0-9]{1,8})?$/s.exec(name) ?? [];
  return { stem, ending };
}
