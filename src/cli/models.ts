// `earshot models`: what there is, what is on disk, download, check and remove.
import { parseArgs } from "node:util";
import { InferenceError, UserError } from "../core/errors.ts";
import { approximateBytes, catalogModels } from "../inference/catalog.ts";
import { type Progress, pullModel } from "../inference/model-download.ts";
import { graphFiles, isPrecision, type Precision, precisionSuffix, weightBytes } from "../inference/model-files.ts";
import { removeModel, verifyModel } from "../inference/model-upkeep.ts";
import { demoFolder, installedModels, memoryNeed } from "../inference/models.ts";
import { DEVICES, type Device, listDevices } from "../inference/session.ts";
import type { Io } from "./io.ts";

const usage = `Usage: earshot models <command>

  list              what can be had, what is on disk, and what each needs
  pull NAME         download a model, or go on with a download that was stopped
  verify [NAME]     compare the files on disk with their checksums
  rm NAME           delete a model

Options:
  --device NAME     ${DEVICES.join(", ")}; pull takes the files that are best there
  --precision NAME  ${Object.keys(precisionSuffix).join(", ")}; default: the best for the device

The models lie in EARSHOT_MODELS (default ~/.local/share/earshot/models). They come from
HF_ENDPOINT (default https://huggingface.co), or from the folder EARSHOT_MIRROR.
`;

/** @returns 0; 1 when something failed or is wrong; 2 for a wrong command line; 130 after Ctrl-C */
export async function models(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await run(argv, io);
  } catch (error) {
    if (io.signal.aborted) {
      io.stderr.write("Stopped. What was downloaded is kept: the same command goes on from there.\n");
      return 130;
    }
    if (!(error instanceof UserError) && !(error instanceof InferenceError)) throw error;
    io.stderr.write(`${error.message}\n`);
    return error instanceof UserError && error.code === "bad_option" ? 2 : 1;
  }
}

async function run(argv: readonly string[], io: Io): Promise<number> {
  const { command, names, device, precision } = parse(argv);
  const [name] = names;
  switch (command) {
    case "help":
      io.stdout.write(usage);
      return 0;
    case "list":
      io.stdout.write(table(device, precision, io));
      return 0;
    case "pull":
      return pull(required(name, "pull"), device, precision, io);
    case "verify":
      return verify(name, io);
    case "rm":
      io.stdout.write(`Deleted ${await removeModel(required(name, "rm"), io.env)}\n`);
      return 0;
    default:
      throw new UserError("bad_option", `There is no "earshot models ${command}".\n\n${usage}`);
  }
}

function parse(argv: readonly string[]) {
  let parsed: ReturnType<typeof parseOptions>;
  try {
    parsed = parseOptions(argv);
  } catch (cause) {
    throw new UserError("bad_option", `${(cause as Error).message}\n\n${usage}`, { cause });
  }
  const { values, positionals } = parsed;
  const [command = "help", ...names] = positionals;
  const device = DEVICES.find((one) => one === values.device);
  if (values.device !== undefined && !device) {
    throw new UserError("bad_option", `There is no device "${values.device}": use one of ${DEVICES.join(", ")}.`);
  }
  if (values.precision !== undefined && !isPrecision(values.precision)) {
    const known = Object.keys(precisionSuffix).join(", ");
    throw new UserError("bad_option", `There is no precision "${values.precision}": use one of ${known}.`);
  }
  if (names.length > 1) throw new UserError("bad_option", `"earshot models ${command}" takes one name.`);
  return {
    command: values.help ? "help" : command,
    names,
    device: device ?? likelyDevice(),
    precision: values.precision,
  };
}

function parseOptions(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { device: { type: "string" }, precision: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
}

/** The device that would be chosen, as far as can be told without opening a model. */
function likelyDevice(): Device {
  return listDevices().find((choice) => choice.passedOver === undefined)?.device ?? "cpu";
}

function required(name: string | undefined, command: string): string {
  if (name !== undefined) return name;
  throw new UserError("bad_option", `Say which model: earshot models ${command} NAME (see "earshot models list").`);
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
  const demo = weightBytes(graphFiles(demoFolder, undefined, device));
  const all = [
    ["NAME", "ON DISK", "SIZE", "MEMORY", "SPEED", "GOOD FOR"],
    ["demo", "yes", size(demo), `~${size(memoryNeed(demo))}`, "-", "trying out: few words"],
    ...rows,
  ];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const note = `Size and memory in ${wanted}, the best for ${device}; ~ is an estimate. Speed: against large-v3.`;
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
      const left = duration((progress.totalBytes - progress.bytes) / Math.max(progress.bytesPerSecond, 1));
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

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
