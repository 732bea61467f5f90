// What the inference child takes of the machine's memory, and whether the kernel ended it for that.
import { readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

/**
 * Memory that a process has for itself: weights that are mapped from a file do not count, for they can be dropped.
 * @returns bytes; undefined where there is no /proc, or no such process any more
 */
export async function ownMemory(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** Processes that the kernel has killed for want of memory since the machine started; 0 where it does not say. */
export function oomKills(): number {
  return Number(/^oom_kill (\d+)$/m.exec(readText("/proc/vmstat"))?.[1] ?? 0);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Makes this process the one that the kernel takes when memory runs out, and not the gateway with its connections. */
export function offerToKernel(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "500");
  } catch {
    // Not Linux, or not allowed: then the kernel chooses as it likes, mostly the largest.
  }
}
