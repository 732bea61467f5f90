// The gateway's process never loads onnxruntime: a native crash must not take the chats along, and on Node 24 it cannot
// live in one process with better-sqlite3.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

/** What has been compiled says which imports are left at run time. */
const compiled = (name: string) => new URL(`../../dist/${name}.js`, import.meta.url);
const ENTRIES = ["app", "inference/local-transcriber", "inference/prompt-tokens"];

/** Every module that a file loads at once or may load later: its own files as URLs, packages by name. */
function reachable(entry: URL, seen = new Set<string>()): Set<string> {
  if (seen.has(entry.href)) return seen;
  seen.add(entry.href);
  const imports = readFileSync(entry, "utf8").matchAll(/(?:\bfrom|\bimport\(|^import)\s*"([^"]+)"/gm);
  for (const [, specifier = ""] of imports) {
    if (specifier.startsWith(".")) reachable(new URL(specifier, entry), seen);
    else seen.add(specifier);
  }
  return seen;
}

it.each(ENTRIES)("%s does not import onnxruntime, however far one follows", (name) => {
  const modules = reachable(compiled(name));
  expect(modules.size).toBeGreaterThan(5);
  expect([...modules]).not.toContain("onnxruntime-node");
});

it("the inference child does, so that the search would find it", () => {
  expect([...reachable(compiled("inference/child"))]).toContain("onnxruntime-node");
});

it("a process with all of the gateway's modules has no part of onnxruntime in it", () => {
  const script = `await import(${JSON.stringify(fileURLToPath(compiled("app")))});
    console.log(process.report.getReport().sharedObjects.join("\\n"));`;
  const loaded = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(loaded).toMatch(/lib/);
  expect(loaded).not.toMatch(/onnxruntime/);
});
