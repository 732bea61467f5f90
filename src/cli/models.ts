// `earshot models`: what there is, what is on disk, download, optimise, check and remove.
import { UserError } from "../core/errors.ts";
import { approximateBytes, catalogModels } from "../inference/catalog.ts";
import { FAST_PRECISIONS } from "../inference/layouts.ts";
import { type Progress, pullModel } from "../inference/model-download.ts";
import { type Precision, precisionSuffix, readManifest } from "../inference/model-files.ts";
import { removeModel, verifyModel } from "../inference/model-upkeep.ts";
import { demoFolder, installedModels, memoryNeed, resolveModel } from "../inference/models.ts";
import type { Device } from "../inference/session.ts";
import { type Option, parseArguments } from "./arguments.ts";
import { formatOptions } from "./help.ts";
import type { Io } from "./io.ts";
import { choice } from "./kinds.ts";
import { clockText } from "./spans.ts";

const HEAD = `Usage: earshot models list | pull NAME | optimize NAME | verify [NAME] | rm NAME

  list            what can be had, what is on disk, and what each needs
  pull NAME       download a model, or go on with a download that was stopped
  optimize NAME   make faster graphs for the CPU out of its fp32 or fp16 files
  verify [NAME]   compare the files on disk with their checksums
  rm NAME         delete a model

`;

const FOOT = `
The models lie in EARSHOT_MODELS (default: ~/.local/share/earshot/models). They
come from HF_ENDPOINT (default: https://huggingface.co), with HF_TOKEN where a
token is needed, or from a folder, EARSHOT_MIRROR.

Exit code: 0 done; 1 failed, or a file is wrong; 2 wrong command line; 130 after
Ctrl-C, which keeps what was downloaded.
`;

const DEVICES = ["auto", "cuda", "webgpu", "dml", "coreml", "cpu"] as const;
const PRECISIONS = Object.keys(precisionSuffix) as Precision[];

const OPTIONS = {
  device: {
    group: "Options",
    kind: choice(DEVICES),
    fallback: "auto",
    help: "what will compute; pull takes the files that are best there",
  } satisfies Option<(typeof DEVICES)[number]>,
  precision: {
    group: "Options",
    kind: choice(PRECISIONS),
    fallback: undefined,
    fallbackText: "the best one for the device",
    help: "which of the model's files to take; what optimize makes: fp32, int8 or q4",
  } satisfies Option<Precision | undefined>,
};

/** @throws UserError, InferenceError when the command cannot be carried out */
export async function models(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals, helpWanted, problems } = parseArguments(argv, OPTIONS);
  const [command, name, ...more] = positionals;
  if (helpWanted || (command === undefined && problems.length === 0)) {
    io.stdout.write(HEAD + formatOptions(OPTIONS) + FOOT);
    return helpWanted ? 0 : 2;
  }
  const wrong = [...problems, ...problemsWith(command, name, more)];
  if (wrong.length > 0) {
    for (const problem of wrong) io.stderr.write(`earshot models: ${problem}\n`);
    io.stderr.write("All of it is explained by: earshot models --help\n");
    return 2;
  }
  try {
    switch (command) {
      case "pull":
        return await pull(name ?? "", await deviceFor(values.device), values.precision, io);
      case "optimize":
        return await optimize(name ?? "", values.precision, io);
      case "verify":
        return await verify(name, io);
      case "rm":
        io.stdout.write(`Deleted ${await removeModel(name ?? "", io.env)}\n`);
        return 0;
      default:
        io.stdout.write(table(await deviceFor(values.device), values.precision, io));
        return 0;
    }
  } catch (error) {
    if (!io.signal.aborted) throw error;
    if (command === "pull") io.stderr.write("Stopped. The same command goes on from here.\n");
    return 130;
  }
}

function problemsWith(command: string | undefined, name: string | undefined, more: readonly string[]): string[] {
  if (!["list", "pull", "optimize", "verify", "rm"].includes(command ?? ""))
    return [`there is no "models ${command}".`];
  if (["pull", "optimize", "rm"].includes(command ?? "") && name === undefined) {
    return [`say which model: earshot models ${command} NAME (see: earshot models list).`];
  }
  const surplus = command === "list" && name !== undefined ? [name, ...more] : more;
  return surplus.length > 0 ? [`"models ${command}" does not take ${surplus.join(" ")}.`] : [];
}

/** For auto the device that will be tried first; asked only here, because onnxruntime takes a while to load. */
async function deviceFor(wanted: (typeof DEVICES)[number]): Promise<Device> {
  if (wanted !== "auto") return wanted;
  const { listDevices } = await import("../inference/session.ts");
  return listDevices().find((choice) => choice.passedOver === undefined)?.device ?? "cpu";
}

/** The table fits 80 columns. Sizes with ~ are estimates from the number of parameters. */
function table(device: Device, precision: Precision | undefined, io: Io): string {
  const installed = new Map(installedModels(io.env).map((one) => [one.model.name, one]));
  const wanted = precision ?? (device === "cpu" ? "q8" : "fp16");
  const rows = catalogModels.map((model) => {
    const there = installed.get(model.name);
    const estimate = approximateBytes(model, wanted);
    return [
      model.name,
      there ? "yes" : "-",
      there ? size(there.bytes) : `~${size(estimate)}`,
      `~${size(memoryNeed(estimate))}`,
      `${model.relativeSpeed}x`,
      model.goodFor,
    ];
  });
  const demo = readManifest(demoFolder)?.files.reduce((sum, file) => sum + file.bytes, 0);
  const all = [
    ["NAME", "ON DISK", "SIZE", "MEMORY", "SPEED", "GOOD FOR"],
    [
      "demo",
      demo ? "yes" : "broken",
      size(demo ?? 0),
      `~${size(memoryNeed(demo ?? 0))}`,
      "-",
      "a first try; few words",
    ],
    ...rows,
  ];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const note = `For ${wanted} on ${device}; ~ is an estimate. Speed is against large-v3.`;
  return `${lines.join("\n")}\n\n${note}\n`;
}

async function pull(name: string, device: Device, precision: Precision | undefined, io: Io): Promise<number> {
  const bar = progressBar(name, io.stderr);
  const pulled = await pullModel(name, {
    device,
    precision,
    signal: io.signal,
    env: io.env,
    onProgress: bar.show,
  }).finally(bar.clear);
  const what = pulled.fetchedBytes === 0 ? "was complete already" : `is ready: ${size(pulled.fetchedBytes)} fetched`;
  io.stdout.write(`${pulled.name} (${pulled.precision}, from ${pulled.repo}) ${what}.\n${pulled.path}\n`);
  return 0;
}

async function optimize(name: string, precision: Precision = "int8", io: Io): Promise<number> {
  const fast = FAST_PRECISIONS[precision];
  if (fast === undefined) {
    const known = Object.keys(FAST_PRECISIONS).join(", ");
    throw new UserError("bad_option", `optimize makes graphs in one of ${known}, not in ${precision}.`);
  }
  const { optimizeModel } = await import("../inference/onnx/optimize.ts");
  const folder = await resolveModel(name, { device: "cpu", env: io.env });
  await optimizeModel(folder.path, { precision: fast });
  io.stdout.write(`${folder.name} has fast graphs in ${precision}; from now on the CPU runs them.\n`);
  return 0;
}

async function verify(name: string | undefined, io: Io): Promise<number> {
  const names = name === undefined ? ["demo", ...installedModels(io.env).map((one) => one.model.name)] : [name];
  let wrong = 0;
  for (const one of names) {
    io.signal.throwIfAborted();
    const { files, problems } = await verifyModel(one, io.env);
    wrong += problems.length;
    if (problems.length === 0) io.stdout.write(`${one}: ${files} files, all right.\n`);
    else io.stdout.write(`${one}: ${problems.join("\n")}\nMend it: ${mend(one)}\n`);
  }
  return wrong === 0 ? 0 : 1;
}

function mend(name: string): string {
  return name === "demo" ? "git checkout -- models/demo" : `earshot models pull ${name}`;
}

/** One line that is written over on a terminal; a line for every tenth elsewhere, as in a log. */
function progressBar(name: string, output: Io["stderr"]) {
  let tenth = -1;
  let shownMs = 0;
  return {
    show(progress: Progress) {
      const share = progress.totalBytes === 0 ? 1 : progress.bytes / progress.totalBytes;
      const percent = `${Math.floor(share * 100)}%`.padStart(4);
      if (!output.isTTY) {
        if (Math.floor(share * 10) === tenth) return;
        tenth = Math.floor(share * 10);
        output.write(`${name}:${percent} of ${size(progress.totalBytes)}\n`);
        return;
      }
      if (performance.now() - shownMs < 100 && share < 1) return;
      shownMs = performance.now();
      const left = clockText((progress.totalBytes - progress.bytes) / Math.max(progress.bytesPerSecond, 1));
      const text = `${percent} of ${size(progress.totalBytes)}  ${size(progress.bytesPerSecond)}/s  ${left} left`;
      const room = Math.min(40, (output.columns ?? 80) - name.length - text.length - 6);
      const done = Math.round(share * Math.max(room, 0));
      const bar = room > 4 ? `[${"=".repeat(done)}${" ".repeat(room - done)}] ` : "";
      output.write(`\r\u001b[K${name} ${bar}${text}`);
    },
    clear() {
      if (output.isTTY && shownMs > 0) output.write("\r\u001b[K");
    },
  };
}

function size(bytes: number): string {
  if (bytes >= 995e6) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 995e3 ? `${Math.round(bytes / 1e6)} MB` : `${Math.round(bytes / 1e3)} kB`;
}
