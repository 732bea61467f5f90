// The progress of a download on a terminal, and in a log.
import type { Progress } from "../inference/model-download.ts";
import type { Io } from "./io.ts";
import { clockText } from "./spans.ts";

/** One line that is written over on a terminal; a line for every tenth elsewhere, as in a log. */
export function downloadBar(name: string, output: Io["stderr"]) {
  let tenth = -1;
  let shownMs = 0;
  return {
    show(progress: Progress) {
      const share = progress.totalBytes === 0 ? 1 : progress.bytes / progress.totalBytes;
      const percent = `${Math.floor(share * 100)}%`.padStart(4);
      if (!output.isTTY) {
        if (Math.floor(share * 10) === tenth) return;
        tenth = Math.floor(share * 10);
        output.write(`${name}:${percent} of ${sizeText(progress.totalBytes)}\n`);
        return;
      }
      if (performance.now() - shownMs < 100 && share < 1) return;
      shownMs = performance.now();
      const left = clockText((progress.totalBytes - progress.bytes) / Math.max(progress.bytesPerSecond, 1));
      const text = `${percent} of ${sizeText(progress.totalBytes)}  ${sizeText(progress.bytesPerSecond)}/s  ${left} left`;
      const room = Math.min(40, (output.columns ?? 80) - name.length - text.length - 6);
      const done = Math.round(share * Math.max(room, 0));
      const bar = room > 4 ? `[${"=".repeat(done)}${" ".repeat(room - done)}] ` : "";
      output.write(`\r\u001b[K${name} ${bar}${text}`);
    },
    clear() {
      if (output.isTTY && shownMs > 0) output.write("\r\u001b[K");
    },
  };
}

export function sizeText(bytes: number): string {
  if (bytes >= 995e6) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 995e3 ? `${Math.round(bytes / 1e6)} MB` : `${Math.round(bytes / 1e3)} kB`;
}
