// Fetches onnxruntime's CUDA libraries (Linux, x64), which are too large for the npm package: `npm run setup:cuda`.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";

/** Ends with one sentence, good or bad. */
function stop(sentence, exitCode) {
  process[exitCode === 0 ? "stdout" : "stderr"].write(`${sentence}\n`);
  process.exit(exitCode);
}

const platform = `${process.platform}/${process.arch}`;
if (platform !== "linux/x64") {
  stop(
    `onnxruntime has no CUDA libraries for ${platform}: there Earshot uses WebGPU, DirectML or CoreML without any setup.`,
    1,
  );
}

function packageFolder() {
  try {
    return dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  } catch {
    return stop("onnxruntime-node is not installed yet: run npm ci, then npm run setup:cuda again.", 1);
  }
}

const folder = packageFolder();
const provider = join(folder, "bin", "napi-v6", "linux", "x64", "libonnxruntime_providers_cuda.so");

if (!existsSync(provider)) {
  // "true" is the one word that works: the documented "cuda12" is parsed as nothing, and the script ends well having done nothing.
  const { stderr } = spawnSync(process.execPath, [join(folder, "script", "install.js")], {
    cwd: folder,
    stdio: ["ignore", "inherit", "pipe"],
    encoding: "utf8",
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "true" },
  });
  // The script's exit status says too little either way: the file is what counts.
  if (!existsSync(provider)) {
    const why = /^Error: (.*)$/m.exec(stderr ?? "")?.[1] ?? "the download ended without them";
    stop(
      `The CUDA libraries were not installed (${why}): try again with a connection to api.nuget.org (GLOBAL_AGENT_HTTPS_PROXY sets a proxy); until then Earshot runs without CUDA.`,
      1,
    );
  }
}

/** Libraries of the system that the provider wants and the loader does not find: CUDA's own and cuDNN. */
function missingLibraries() {
  const { stdout } = spawnSync("ldd", [provider], { encoding: "utf8" });
  const lines = (stdout ?? "").split("\n").filter((line) => line.includes("not found"));
  return lines.map((line) => line.trim().split(/\s/)[0]).filter((name) => !name.startsWith("libonnxruntime"));
}

const missing = missingLibraries();
if (missing.length > 0) {
  stop(`The CUDA provider is installed, but this system lacks ${missing.join(", ")}: install CUDA 12 and cuDNN 9.`, 1);
}
stop("The CUDA libraries are installed: Earshot now tries CUDA first (see: earshot doctor).", 0);
