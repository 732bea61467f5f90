import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
let project: string;

/** For tests that start npm, which takes its time on a busy machine. */
const npmTimeoutMs = 300_000;

/** A clone in small: one package, a build of one line, a demo model of a few bytes. */
beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), "earshot-setup-"));
  await mkdir(join(project, "scripts"));
  await cp(join(repository, "scripts/setup.mjs"), join(project, "scripts/setup.mjs"));
  await mkdir(join(project, "src"));
  await writeFile(join(project, "src/main.ts"), "");
  await writeFile(join(project, "tsconfig.json"), "{}");
  await writeFile(
    join(project, "build.mjs"),
    'import { appendFileSync, mkdirSync } from "node:fs"; mkdirSync("dist", { recursive: true }); appendFileSync("dist/main.js", "// built\\n");',
  );
  await lock("1.0.0");
  await mkdir(join(project, "models/demo/onnx"), { recursive: true });
  for (const file of [
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "onnx/a.onnx",
  ]) {
    await writeFile(join(project, "models/demo", file), file);
  }
  expect((await setup(["--write-checksums"])).exitCode).toBe(0);
});

afterEach(() => rm(project, { recursive: true, force: true }));

/** package.json and package-lock.json that want one version of a package, and the package as a tarball. */
async function lock(version: string) {
  await mkdir(join(project, "package"), { recursive: true });
  await writeFile(join(project, "package/package.json"), JSON.stringify({ name: "words", version }));
  const tarball = `words-${version}.tgz`;
  expect((await run("tar", ["-czf", tarball, "package"])).exitCode).toBe(0);
  const digest = createHash("sha512").update(await readFile(join(project, tarball)));
  const manifest = {
    name: "clone",
    version: "1.0.0",
    type: "module",
    engines: { node: ">=20" },
    scripts: { build: "node build.mjs", prestart: "node scripts/setup.mjs", start: "node dist/main.js" },
    dependencies: { words: `file:${tarball}` },
  };
  const words = { version, resolved: `file:${tarball}`, integrity: `sha512-${digest.digest("base64")}` };
  const packages = { "": manifest, "node_modules/words": words };
  await writeFile(join(project, "package.json"), JSON.stringify(manifest));
  await writeFile(join(project, "package-lock.json"), JSON.stringify({ name: "clone", lockfileVersion: 3, packages }));
}

/** As if npm ci and the build had run. */
async function prepare(built = true) {
  await mkdir(join(project, "node_modules"));
  await cp(join(project, "package-lock.json"), join(project, "node_modules/.package-lock.json"));
  if (!built) return;
  await mkdir(join(project, "dist"));
  for (const file of ["main.js", ".built"]) await writeFile(join(project, "dist", file), "");
}

interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  // Not the variables of the npm that runs these tests: they name its own project.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("npm_") && !name.startsWith("EARSHOT_"));
  const child = spawn(command, args, {
    cwd: project,
    env: {
      ...Object.fromEntries(own),
      npm_config_audit: "false",
      npm_config_fund: "false",
      npm_config_offline: "true",
      ...env,
    },
  });
  const texts = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    texts.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    texts.stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, ...texts }));
  });
}

const setup = (args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
  run(process.execPath, ["scripts/setup.mjs", ...args], env);

const installed = async () =>
  JSON.parse(await readFile(join(project, "node_modules/words/package.json"), "utf8")).version;
const builds = async () => (await readFile(join(project, "dist/main.js"), "utf8")).split("\n").length - 1;

describe("scripts/setup.mjs", () => {
  it(
    "installs and builds once, then says and does nothing, until the lock file changes",
    async () => {
      const first = await setup();
      expect([first.exitCode, first.stdout]).toEqual([0, ""]);
      expect(first.stderr).toContain("Installing packages (npm ci)");
      expect([await installed(), await builds()]).toEqual(["1.0.0", 1]);
      expect(await setup()).toEqual({ exitCode: 0, stdout: "", stderr: "" });
      expect(await builds()).toBe(1);
      await lock("1.1.0");
      expect((await setup()).exitCode).toBe(0);
      expect(await installed()).toBe("1.1.0");
    },
    npmTimeoutMs,
  );

  it(
    "builds again when a source is newer",
    async () => {
      await prepare();
      expect(await setup()).toEqual({ exitCode: 0, stdout: "", stderr: "" });
      const soon = new Date(Date.now() + 5_000);
      await utimes(join(project, "src/main.ts"), soon, soon);
      expect((await setup()).stderr).toContain("Building …\n");
      expect(await builds()).toBe(1);
    },
    npmTimeoutMs,
  );

  it(
    "runs before npm start without touching its output, and does not start over when the build calls npm start",
    async () => {
      await prepare(false);
      const nested = 'import { execFileSync } from "node:child_process"; execFileSync("npm", ["start", "--silent"]);';
      await writeFile(join(project, "build.mjs"), `${await readFile(join(project, "build.mjs"), "utf8")}${nested}`);
      const { exitCode, stdout } = await run("npm", ["start", "--silent"]);
      expect([exitCode, stdout, await builds()]).toEqual([0, "", 1]);
    },
    npmTimeoutMs,
  );

  it(
    "stops when the build fails",
    async () => {
      await prepare(false);
      await writeFile(join(project, "build.mjs"), "process.exit(3)");
      expect(await setup()).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("The build failed") });
    },
    npmTimeoutMs,
  );

  it(
    "stops when the packages cannot be installed",
    async () => {
      await rm(join(project, "words-1.0.0.tgz"));
      const { exitCode, stderr } = await setup([], { npm_config_cache: join(project, "cache") });
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining("The packages could not be installed")]);
    },
    npmTimeoutMs,
  );

  it("stops at a demo model that is damaged, missing or a git-lfs pointer", async () => {
    const graph = join(project, "models/demo/onnx/a.onnx");
    await writeFile(graph, "cut");
    expect(await setup()).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("is not the file that belongs to this version"),
    });
    await writeFile(graph, "version https://git-lfs.github.com/spec/v1\n");
    expect((await setup()).stderr).toMatch(/a\.onnx is a git-lfs pointer; run: git lfs pull\n$/);
    await rm(graph);
    expect((await setup()).stderr).toMatch(/a\.onnx is missing\); run: git checkout -- models\/demo\n$/);
    await rm(join(project, "models/demo/earshot.json"));
    expect((await setup()).stderr).toContain("earshot.json is missing");
  });
});

describe("scripts/setup.mjs and ffmpeg", () => {
  /** A folder for PATH with these programs in it and nothing else. */
  async function programs(scripts: Readonly<Record<string, string>>): Promise<string> {
    await prepare();
    const folder = join(project, "bin");
    await mkdir(folder);
    for (const [name, script] of Object.entries(scripts)) {
      await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
      await chmod(join(folder, name), 0o755);
    }
    return folder;
  }

  it("names the one command to run where it may not install", async () => {
    const folder = await programs({ "apt-get": "exit 9" });
    expect(await setup([], { PATH: folder, FFMPEG_PATH: "", EARSHOT_NO_APT: "1" })).toMatchObject({
      exitCode: 1,
      stderr: "Earshot needs ffmpeg and ffprobe. Run: sudo apt-get install -y ffmpeg\n",
    });
    expect((await setup([], { PATH: join(project, "src"), FFMPEG_PATH: "" })).stderr).toContain("https://ffmpeg.org");
  });

  // Only root may install packages.
  it.runIf(process.getuid?.() === 0)("installs it with apt where it may", async () => {
    const install =
      'echo "$@" >> "$0.log"; [ "$1" = update ] || for p in ffmpeg ffprobe; do /bin/cp "$0" "$TARGET/$p"; done';
    const folder = await programs({ "apt-get": install });
    expect(await setup([], { PATH: folder, FFMPEG_PATH: "", TARGET: folder })).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "Installing ffmpeg (apt-get) …\n",
    });
    expect(await readFile(join(folder, "apt-get.log"), "utf8")).toBe(
      "update -q\ninstall -y -q --no-install-recommends ffmpeg\n",
    );
  });

  it("says so when apt did not bring it", async () => {
    const folder = await programs({ "apt-get": "exit 100" });
    expect(await setup([], { PATH: folder, FFMPEG_PATH: "" })).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("Run: sudo apt-get install -y ffmpeg"),
    });
  });

  it("takes FFMPEG_PATH, with ffprobe beside it or at FFPROBE_PATH", async () => {
    const folder = await programs({ "my-ffmpeg": "", "my-ffprobe": "" });
    const FFMPEG_PATH = join(folder, "my-ffmpeg");
    const missing = await setup([], { FFMPEG_PATH });
    expect([missing.exitCode, missing.stderr]).toEqual([
      1,
      expect.stringContaining(`${join(folder, "ffprobe")} is no program`),
    ]);
    expect((await setup([], { FFMPEG_PATH, FFPROBE_PATH: join(folder, "my-ffprobe") })).exitCode).toBe(0);
    await symlink(join(folder, "my-ffprobe"), join(folder, "ffprobe"));
    expect((await setup([], { FFMPEG_PATH })).exitCode).toBe(0);
  });
});
