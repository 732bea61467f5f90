// Ends the inference child when its parent is gone, even while an operator of onnxruntime holds the child's main thread.
import process from "node:process";
import { Worker } from "node:worker_threads";

// In a thread of its own, as text: a file would have another name in src than in dist. On Windows the parent's id never
// changes; there the main thread sees the closed channel as soon as it is free.
const WATCH = `
const { workerData } = require("node:worker_threads");
setInterval(() => {
  if (process.ppid !== workerData) process.kill(process.pid, "SIGKILL");
}, 500);
`;

/** SIGKILL: nothing in the child is worth keeping, and only it ends a process whose main thread is held. */
export function endWithParent(parentPid: number): void {
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  new Worker(WATCH, { eval: true, execArgv: [], workerData: parentPid }).unref();
}
