// The inference children of this process, as the system lists them.
import { execFileSync } from "node:child_process";
import process from "node:process";

/** Process ids. */
export function engineChildren(): number[] {
  return execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, parent, ...args]) => Number(parent) === process.pid && args.some((arg) => arg.endsWith("inference/child.js")),
    )
    .map(([pid]) => Number(pid));
}
