// Holds the layout of the sources: who may import whom, which file owns which library, how long a file may be.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const src = fileURLToPath(new URL("../src", import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.replaceAll("\\", "/"));
const textOf = (file: string) => readFileSync(join(src, file), "utf8");

/** What a file imports, statically or dynamically: paths in src for its own, package names for the others. */
function importsOf(file: string): string[] {
  const specifiers = textOf(file).matchAll(/(?:\bfrom|\bimport\(|^import)\s*"([^"]+)"/gm);
  return Array.from(specifiers, ([, specifier = ""]) =>
    specifier.startsWith(".")
      ? relative(src, resolve(join(src, dirname(file)), specifier)).replaceAll("\\", "/")
      : specifier,
  );
}
/** Without those for types alone, which are gone at run time. */
function valueImportsOf(file: string): string[] {
  const statements = textOf(file).matchAll(/^(?:import|export)\s+(?!type\b)(?:[^"';]*?\sfrom\s+)?"(\.[^"]+)"/gm);
  return Array.from(statements, ([, specifier = ""]) =>
    relative(src, resolve(join(src, dirname(file)), specifier)).replaceAll("\\", "/"),
  );
}
const folderOf = (file: string) => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "");
const isOwn = (specifier: string) => specifier.endsWith(".ts");

/** Folder -> the other folders of src that it may know. */
const KNOWS: Record<string, readonly string[]> = {
  core: [],
  inference: ["core"],
  adapters: ["core"],
  storage: ["core"],
  web: ["core"],
  config: ["core", "adapters", "inference", ""],
  cli: ["core", "inference", "storage", ""],
  "": ["core", "inference", "adapters", "storage", "web", "cli", "config"],
};

/** Package -> the only files that may import it. */
const FENCES: Record<string, RegExp> = {
  "onnxruntime-node": /^inference\/session\.ts$/,
  "fluent-ffmpeg": /^inference\/audio\.ts$/,
  "better-sqlite3": /^storage\//,
  "@slack/bolt": /^adapters\/slack\//,
  "discord.js": /^adapters\/discord\//,
  botbuilder: /^adapters\/teams\//,
  jose: /^adapters\/teams\//,
  "@nats-io/transport-node": /^inference\/pool\//,
  "@nats-io/jetstream": /^inference\/pool\//,
  "@nats-io/obj": /^inference\/pool\//,
  "@nats-io/kv": /^inference\/pool\//,
  "@azure/msal-node": /^adapters\/teams\/graph\//,
  "@fastify/multipart": /^adapters\/playground\//,
  "@fastify/static": /^adapters\/playground\//,
  pako: /^inference\//,
  tinyglobby: /^cli\//,
  "prom-client": /^web\//,
  pino: /^log\.ts$/,
};

describe("the sources", () => {
  it.each(files)("%s imports inwards only", (file) => {
    const known = KNOWS[folderOf(file)];
    expect(known, `no rule for the folder of ${file}`).toBeDefined();
    for (const specifier of importsOf(file).filter(isOwn)) {
      expect([folderOf(file), ...known!], `${file} imports ${specifier}`).toContain(folderOf(specifier));
    }
  });

  it("in core import nothing but node: built-ins and each other", () => {
    for (const file of files.filter((name) => folderOf(name) === "core")) {
      for (const specifier of importsOf(file))
        expect(isOwn(specifier) || specifier.startsWith("node:"), file).toBe(true);
    }
  });

  it.each(Object.entries(FENCES))("keep %s in its file", (name, owner) => {
    const importers = files.filter((file) => importsOf(file).includes(name));
    expect(importers.filter((file) => !owner.test(file))).toEqual([]);
  });

  it("keep onnxruntime out of the gateway's process, where better-sqlite3 is: on Node 24 the two abort", () => {
    const reached = new Set<string>();
    const visit = (file: string) => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const specifier of valueImportsOf(file).filter(isOwn)) visit(specifier);
    };
    visit("app.ts");
    expect([...reached]).not.toContain("inference/session.ts");
    expect([...reached]).toContain("storage/database.ts");
  });

  it.each(files)("%s says its one subject first and is no longer than 400 lines", (file) => {
    const lines = textOf(file).split("\n");
    expect(lines.find((line) => !line.startsWith("#!"))).toMatch(/^\/\/ \S/);
    expect(lines.length).toBeLessThanOrEqual(401);
  });

  it("end the process in one place", () => {
    expect(files.filter((file) => /process\.exit\(/.test(textOf(file)))).toEqual(["main.ts"]);
  });
});
