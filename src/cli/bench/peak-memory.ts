// The highest resident memory that a process has had.

import { readFile } from "node:fs/promises";

/** @returns bytes; undefined where there is no /proc, or no such process any more */
export async function peakMemory(pid: number | "self"): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}
