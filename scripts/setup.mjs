// Makes a fresh clone ready to run: packages, build, ffmpeg, and the demo model's files. Needs Node and nothing else.
// Runs before `npm start` and `npm test`; says nothing when there is nothing to do.
// With --for-tests, before `npm test`, it also looks for nats-server, in which the tests of the pool run.
// `node scripts/setup.mjs --write-checksums` records the demo model's files after they were changed on purpose.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...names) => join(root, ...names);

/** Ends the setup with one sentence that says what to do. */
function stop(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    // npm's own chatter goes to the error stream: `npm start` prints a transcript on the other one.
    stdio: ["ignore", 2, 2],
    // So that a package or build script which calls us does not start all over.
    env: { ...process.env, EARSHOT_SETUP: "running", ...env },
    shell: process.platform === "win32" && command === "npm",
  });
  return error === undefined && status === 0;
}

/** Under npm its own program is known, and is the one to use: there may be several. */
function npm(args, env) {
  const program = process.env.npm_execpath;
  return program?.endsWith(".js") ? run(process.execPath, [program, ...args], env) : run("npm", args, env);
}

function checkNode() {
  const { engines } = JSON.parse(readFileSync(at("package.json"), "utf8"));
  const [major, minor] = process.versions.node.split(".").map(Number);
  const fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24;
  if (!fits)
    stop(`Earshot needs Node ${engines.node}; this is ${process.version}. Install one from https://nodejs.org.`);
}

/** node_modules/.package-lock.json is npm's own record of what it installed. */
function packagesAreInstalled() {
  const record = at("node_modules", ".package-lock.json");
  const wanted = JSON.parse(readFileSync(at("package-lock.json"), "utf8")).packages;
  const installed = existsSync(record) ? JSON.parse(readFileSync(record, "utf8")).packages : {};
  return Object.entries(wanted).every(([path, entry]) => {
    // Outside node_modules lies our own code. Optional packages are those of other platforms.
    if (!path.startsWith("node_modules/") || (entry.optional && !installed[path])) return true;
    return installed[path]?.version === entry.version && installed[path]?.integrity === entry.integrity;
  });
}

function installPackages() {
  if (packagesAreInstalled()) return;
  process.stderr.write("Installing packages (npm ci) …\n");
  // Without "skip" onnxruntime-node asks NuGet for CUDA libraries on Linux, and fails where that cannot be reached.
  const done = npm(["ci", "--include=dev", "--no-audit", "--no-fund"], { ONNXRUNTIME_NODE_INSTALL: "skip" });
  if (!done) stop("The packages could not be installed: see npm's message above, check the network, run it again.");
}

function newestMs(path) {
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return mtimeMs;
  // A folder's own time tells of files that were removed.
  return Math.max(mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

function build() {
  const stamp = at("dist", ".built");
  const sources = Math.max(...["src", "tsconfig.json", "package-lock.json"].map((name) => newestMs(at(name))));
  if (existsSync(at("dist", "main.js")) && existsSync(stamp) && statSync(stamp).mtimeMs >= sources) return;
  process.stderr.write("Building …\n");
  if (!npm(["run", "--silent", "build"])) stop("The build failed: see the compiler's messages above.");
  writeFileSync(stamp, "");
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isOnPath(program) {
  const names = process.platform === "win32" ? [`${program}.exe`] : [program];
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  return folders.some((folder) => names.some((name) => isExecutable(join(folder, name))));
}

const ffmpegCommands = [
  ["brew", "brew install ffmpeg"],
  ["winget", "winget install Gyan.FFmpeg"],
  ["apt-get", "sudo apt-get install -y ffmpeg"],
  ["dnf", "sudo dnf install -y ffmpeg-free"],
  ["apk", "sudo apk add ffmpeg"],
  ["pacman", "sudo pacman -S ffmpeg"],
  ["zypper", "sudo zypper install ffmpeg"],
];

/** @returns whether it was tried */
function installFromDebian(name) {
  if (process.getuid?.() !== 0 || !isOnPath("apt-get") || process.env.EARSHOT_NO_APT) return false;
  process.stderr.write(`Installing ${name} (apt-get) …\n`);
  const quiet = { DEBIAN_FRONTEND: "noninteractive" };
  run("apt-get", ["update", "-q"], quiet);
  run("apt-get", ["install", "-y", "-q", "--no-install-recommends", name], quiet);
  return true;
}

/** Where it cannot be had, the tests of the pool are skipped and say so. */
function checkNats() {
  if (isOnPath("nats-server") || isExecutable("/usr/sbin/nats-server")) return;
  installFromDebian("nats-server");
}

function checkFfmpeg() {
  const { FFMPEG_PATH, FFPROBE_PATH } = process.env;
  if (FFMPEG_PATH) {
    const ffprobe =
      FFPROBE_PATH || join(dirname(FFMPEG_PATH), process.platform === "win32" ? "ffprobe.exe" : "ffprobe");
    const missing = [FFMPEG_PATH, ffprobe].find((path) => !isExecutable(path));
    if (!missing) return;
    stop(`${missing} is no program: correct FFMPEG_PATH (and FFPROBE_PATH), or unset it to use the system's ffmpeg.`);
  }
  const isThere = () => isOnPath("ffmpeg") && isOnPath("ffprobe");
  if (isThere()) return;
  if (installFromDebian("ffmpeg") && isThere()) return;
  const command = ffmpegCommands.find(([program]) => isOnPath(program))?.[1];
  stop(
    `Earshot needs ffmpeg and ffprobe. ${command ? `Run: ${command}` : "Install them from https://ffmpeg.org/download.html"}`,
  );
}

const demo = at("models", "demo");
const manifest = join(demo, "earshot.json");

function describeFile(path) {
  const content = readFileSync(join(demo, path));
  return { path, bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
}

/** The same form as the manifest of a downloaded model, so `earshot models verify demo` checks it too. */
function writeChecksums() {
  const graphs = readdirSync(join(demo, "onnx"))
    .sort()
    .map((name) => `onnx/${name}`);
  const paths = ["config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json", ...graphs];
  const files = paths.map(describeFile);
  writeFileSync(manifest, `${JSON.stringify({ name: "demo", repo: "demo", files }, null, 2)}\n`);
  process.stderr.write(`Wrote the checksums of ${files.length} files to ${manifest}\n`);
}

function checkDemoModel() {
  const restore = "run: git checkout -- models/demo";
  if (!existsSync(manifest)) stop(`The demo model is not whole (${manifest} is missing); ${restore}`);
  for (const file of JSON.parse(readFileSync(manifest, "utf8")).files) {
    const path = join(demo, file.path);
    if (!existsSync(path)) stop(`The demo model is not whole (${path} is missing); ${restore}`);
    if (describeFile(file.path).sha256 === file.sha256) continue;
    if (readFileSync(path, "latin1").startsWith("version https://git-lfs")) {
      stop(`${path} is a git-lfs pointer; run: git lfs pull`);
    }
    stop(
      `${path} is not the file that belongs to this version; ${restore} (or, when you changed it on purpose: node scripts/setup.mjs --write-checksums)`,
    );
  }
}

if (process.env.EARSHOT_SETUP !== "running") {
  if (process.argv.includes("--write-checksums")) {
    writeChecksums();
  } else {
    checkNode();
    checkDemoModel();
    checkFfmpeg();
    if (process.argv.includes("--for-tests")) checkNats();
    installPackages();
    build();
  }
}
