// `earshot doctor`: looks at everything Earshot stands on and says for each part what was found and what mends it.
import { execFile } from "node:child_process";
import { constants, existsSync, statSync } from "node:fs";
import { access, readdir, readFile, statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Config, readConfig } from "../config.ts";
import { ConfigError } from "../core/errors.ts";
import { childEnvironment } from "../inference/child-environment.ts";
import { ffmpegPath, ffprobePath } from "../inference/media.ts";
import { verifyModel } from "../inference/model-upkeep.ts";
import { demoFolder, installedModels, memoryNeed, modelsFolder, recommendedModel } from "../inference/models.ts";
import { onPath, type SandboxKind, sandboxFor } from "../inference/sandbox.ts";
import type { Device } from "../inference/session.ts";
import { checkPlatforms } from "../platform-checks.ts";
import { databasePath } from "../storage/paths.ts";
import { parseArguments } from "./arguments.ts";
import { checkPool } from "./doctor-pool.ts";
import { formatOptions, wrap } from "./help.ts";
import type { Io } from "./io.ts";
import { flag } from "./kinds.ts";
import { NATS_OPTIONS, natsSettings } from "./nats-options.ts";

const HEAD = `Usage: earshot doctor [--json] [--nats URL]

Checks what Earshot stands on: Node, ffmpeg, onnxruntime and its devices, the
models and their checksums, disk and memory, the settings, the database, and
the chat platforms that are set up; with --nats, a pool of machines as well.

`;

const OPTIONS = {
  ...NATS_OPTIONS,
  json: { group: "Options", kind: flag, fallback: false, help: "print the findings as JSON, for programs" },
};

export interface Finding {
  readonly check: string;
  /** "mend": Earshot cannot work so; "note": it works, and could work better. */
  readonly state: "ok" | "note" | "mend";
  readonly finding: string;
  readonly remedy?: string;
}

/** @returns 0 when nothing must be mended, else 1; 2 for a wrong command line */
export async function doctor(argv: readonly string[], io: Io): Promise<number> {
  const { values, helpWanted, positionals, problems } = parseArguments(argv, OPTIONS);
  if (helpWanted) {
    io.stdout.write(HEAD + formatOptions(OPTIONS));
    return 0;
  }
  const wrong = [...problems, ...positionals.map((word) => `doctor does not take "${word}".`)];
  if (wrong.length > 0) {
    for (const problem of wrong) io.stderr.write(`earshot doctor: ${problem}\n`);
    return 2;
  }
  const { device, findings: devices } = await checkDevices();
  const findings = [
    await checkNode(),
    await checkProgram("ffmpeg", ffmpegPath()),
    await checkProgram("ffprobe", ffprobePath()),
    await checkSandbox(io),
    ...devices,
    ...(await checkModels(io, device)),
    await checkFolder("models folder", modelsFolder(io.env), "EARSHOT_MODELS"),
    checkMemory(),
    ...(await checkGateway(io)),
    ...(await checkPool(natsSettings(values, io.env))),
  ];
  io.stdout.write(values.json ? `${JSON.stringify(findings, null, 2)}\n` : findings.map(lines).join(""));
  return findings.some((finding) => finding.state === "mend") ? 1 : 0;
}

/** For programs that are only asked something. */
const withoutSecrets = childEnvironment(process.env);

/** As wide as "model large-v3-turbo", and a space. */
const CHECK_COLUMNS = 21;

function lines({ check, state, finding, remedy }: Finding): string {
  const margin = " ".repeat(6 + CHECK_COLUMNS);
  const texts = [...wrap(finding, 80 - margin.length), ...(remedy ? wrap(`-> ${remedy}`, 80 - margin.length) : [])];
  return texts
    .map((text, index) => (index === 0 ? state.padEnd(6) + check.padEnd(CHECK_COLUMNS) : margin) + text)
    .map((line) => `${line}\n`)
    .join("");
}

async function checkNode(): Promise<Finding> {
  const { engines } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24;
  const found = { check: "Node", finding: `${process.version}, ${process.platform} ${process.arch}` };
  return fits ? { ...found, state: "ok" } : { ...found, state: "mend", remedy: `install Node ${engines.node}` };
}

async function checkProgram(name: string, path: string): Promise<Finding> {
  try {
    const { stdout } = await promisify(execFile)(path, ["-hide_banner", "-version"], { env: withoutSecrets });
    const version = /version (\S+)/.exec(stdout)?.[1] ?? "unknown version";
    return { check: name, state: "ok", finding: `${version}, ${await locate(path)}` };
  } catch {
    const remedy = "install ffmpeg (Debian, Ubuntu: apt-get install ffmpeg), or point FFMPEG_PATH at it";
    return { check: name, state: "mend", finding: `${path} cannot be started`, remedy };
  }
}

const WALLS: Readonly<Record<SandboxKind, string>> = {
  bubblewrap: "bubblewrap: ffmpeg sees no network and no file but the recording",
  namespaces: "namespaces: ffmpeg sees no network, and may read what this account may",
  limits: "none: ffmpeg runs with this account's rights, within limits of time and memory",
};

/** What stands between ffmpeg, which reads what strangers send, and the machine. */
async function checkSandbox({ env }: Io): Promise<Finding> {
  const check = "sandbox";
  try {
    const { kind, passedOver } = await sandboxFor(ffmpegPath(), env);
    const finding = [WALLS[kind], ...passedOver].join("; ");
    if (kind === "bubblewrap" || process.platform !== "linux") return { check, state: "ok", finding };
    const install = "install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap) and allow user namespaces";
    return { check, state: "note", finding, remedy: env["EARSHOT_SANDBOX"] === "off" ? "set it to auto" : install };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { check, state: "mend", finding: error.message };
  }
}

/** Where PATH finds a program; execFile searches the same way and does not tell. */
async function locate(program: string): Promise<string> {
  return (/[\\/]/.test(program) ? undefined : await onPath(program)) ?? program;
}

async function checkDevices(): Promise<{ device: Device; findings: Finding[] }> {
  let session: typeof import("../inference/session.ts");
  try {
    session = await import("../inference/session.ts");
  } catch (error) {
    const finding = `cannot be loaded: ${error instanceof Error ? error.message.split("\n")[0] : error}`;
    return {
      device: "cpu",
      findings: [
        { check: "onnxruntime", state: "mend", finding, remedy: "npm ci, on a system that has glibc 2.28 or newer" },
      ],
    };
  }
  const devices = session.listDevices();
  const usable = devices.filter((choice) => choice.passedOver === undefined).map((choice) => choice.device);
  const others = devices.filter((choice) => choice.passedOver !== undefined);
  const [device = "cpu", ...rest] = usable;
  const then = rest.length > 0 ? `, else ${rest.join(", ")}` : "";
  return {
    device,
    findings: [
      { check: "onnxruntime", state: "ok", finding: "loads" },
      { check: "device", state: "ok", finding: `${device} is tried first${then}` },
      ...others.map(
        ({ device, passedOver }): Finding => ({ check: "", state: "ok", finding: `not ${device}: ${passedOver}` }),
      ),
    ],
  };
}

async function checkModels(io: Io, device: Device): Promise<Finding[]> {
  const findings: Finding[] = [];
  const installed = installedModels(io.env);
  for (const name of ["demo", ...installed.map((one) => one.model.name)]) {
    io.signal.throwIfAborted();
    const check = `model ${name}`;
    const verified = await verifyModel(name, io.env).catch((error: Error) => ({ files: 0, problems: [error.message] }));
    const remedy = name === "demo" ? `git -C ${demoFolder} checkout -- .` : `earshot models pull ${name}`;
    const [problem] = verified.problems;
    if (problem) findings.push({ check, state: "mend", finding: problem, remedy });
    else findings.push({ check, state: "ok", finding: `${verified.files} files with the right checksums` });
  }
  for (const name of await unfinished(modelsFolder(io.env))) {
    const remedy = `earshot models pull ${name}, or earshot models rm ${name}`;
    findings.push({ check: `model ${name}`, state: "note", finding: "its download was stopped", remedy });
  }
  if (installed.length === 0) {
    const remedy = `earshot models pull ${recommendedModel(device)}`;
    findings.push({
      check: "models",
      state: "note",
      finding: "only the demo model is here: it knows few words",
      remedy,
    });
  }
  return findings;
}

async function unfinished(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  const parts = files.filter((file) => file.endsWith(".part"));
  return [...new Set(parts.map((file) => file.split(/[\\/]/)[0] ?? file))];
}

/** @param variable names another folder */
async function checkFolder(check: string, folder: string, variable: string): Promise<Finding> {
  let there = folder;
  while (!existsSync(there)) there = dirname(there);
  const isWritable = await access(there, constants.W_OK).then(
    () => statSync(there).isDirectory(),
    () => false,
  );
  if (!isWritable) {
    const remedy = `allow writing there, or set ${variable} to a folder of yours`;
    return { check, state: "mend", finding: `${folder} cannot be written`, remedy };
  }
  const { bavail, bsize } = await statfs(there);
  const found = { check, finding: `${folder}, ${gigabytes(bavail * bsize)} free` };
  if (bavail * bsize >= 1e9) return { ...found, state: "ok" };
  return { ...found, state: "note", remedy: `make room, or set ${variable} to another disk` };
}

/** What only the bot needs: its settings, its database, and the chat platforms. */
async function checkGateway(io: Io): Promise<Finding[]> {
  let config: Config;
  try {
    config = readConfig({ flags: [], env: io.env, cwd: process.cwd() });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const remedy = "earshot start --help explains every setting";
    return error.problems.map((finding): Finding => ({ check: "settings", state: "mend", finding, remedy }));
  }
  return [
    { check: "settings", state: "ok", finding: "can be read" },
    await checkFolder("data folder", config.data, "EARSHOT_DATA"),
    await checkDatabase(databasePath(config.data)),
    ...(await checkPlatforms(config)).map(
      ({ name, ...found }): Finding => ({ check: name, state: "remedy" in found ? "mend" : "ok", ...found }),
    ),
  ];
}

/** In a process of its own: better-sqlite3 beside onnxruntime-node, which was loaded above, aborts on Node 24. */
async function checkDatabase(path: string): Promise<Finding> {
  const check = "database";
  if (!existsSync(path)) return { check, state: "ok", finding: `none yet; the first start makes ${path}` };
  const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
  try {
    for (const question of [
      ["jobs", "--json", "--limit", "1"],
      ["backup", "--check"],
    ]) {
      await promisify(execFile)(process.execPath, [main, ...question, "--database", path], { env: withoutSecrets });
    }
    return { check, state: "ok", finding: `${path} is whole` };
  } catch (error) {
    const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    return {
      check,
      state: "mend",
      finding: stderr || `${path} cannot be read`,
      remedy: "as it says, then start again",
    };
  }
}

function checkMemory(): Finding {
  const available = process.availableMemory();
  const found = { check: "memory", finding: `${gigabytes(available)} available of ${gigabytes(totalmem())}` };
  // base, the smallest model that is of use, in the precision for the CPU.
  if (available >= memoryNeed(74e6)) return { ...found, state: "ok" };
  return { ...found, state: "note", remedy: "close other programs, or give this machine more memory" };
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
