// `earshot models`: what there is, what is on disk, download, optimise, check and remove.
import { UserError } from "../core/errors.ts";
import { approximateBytes, catalogModels } from "../inference/catalog.ts";
import { FAST_PRECISIONS } from "../inference/layouts.ts";
import { pullModel } from "../inference/model-download.ts";
import { type Precision, precisionSuffix, readManifest } from "../inference/model-files.ts";
import { removeModel, verifyModel } from "../inference/model-upkeep.ts";
import { demoFolder, installedModels, memoryNeed, resolveModel } from "../inference/models.ts";
import type { Device } from "../inference/session.ts";
import { type Option, parseArguments } from "./arguments.ts";
import { downloadBar, sizeText } from "./download-bar.ts";
import { formatOptions } from "./help.ts";
import type { Io } from "./io.ts";
import { choice } from "./kinds.ts";

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

/** Asked only where it matters, because onnxruntime takes a while to load. */
async function deviceFor(wanted: (typeof DEVICES)[number]): Promise<Device> {
  return (await import("../inference/session.ts")).firstDevice(wanted);
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
      there ? sizeText(there.bytes) : `~${sizeText(estimate)}`,
      `~${sizeText(memoryNeed(estimate))}`,
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
      sizeText(demo ?? 0),
      `~${sizeText(memoryNeed(demo ?? 0))}`,
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
  const bar = downloadBar(name, io.stderr);
  const pulled = await pullModel(name, {
    device,
    precision,
    signal: io.signal,
    env: io.env,
    onProgress: bar.show,
  }).finally(bar.clear);
  const what =
    pulled.fetchedBytes === 0 ? "was complete already" : `is ready: ${sizeText(pulled.fetchedBytes)} fetched`;
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
