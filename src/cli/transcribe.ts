// `earshot transcribe`: reads the command line, loads the model, and goes through the recordings.
import type { LoadOptions, Whisper } from "../inference/whisper.ts";
import { openPoolEngine, poolProblems } from "./bulk/pool-engine.ts";
import { type Engine, findWork, isBulk, transcribeMany } from "./bulk.ts";
import { downloadBar, sizeText } from "./download-bar.ts";
import { concernsOneFile, describeFailure } from "./failure.ts";
import { formatOptions } from "./help.ts";
import type { Io } from "./io.ts";
import { errorLine, jsonLine } from "./json-lines.ts";
import { natsSettings } from "./nats-options.ts";
import { FORMATS, OPTIONS, readArguments, type TranscribeValues, warningsFor } from "./options.ts";
import { outputClashes, prepareFolder } from "./output-files.ts";
import { engineOptions, loadOptions } from "./request.ts";
import { type Run, transcribeFile } from "./transcribe-file.ts";

const HEAD = `Usage: earshot transcribe FILE... [options]

Turns recordings into text on this machine. FILE is anything that ffmpeg reads,
or - for standard input. The options are those of openai/whisper's command.

A FOLDER, a 'PATTERN' or a @LIST (a text file with one recording on each line)
stands for many: their files lie beside them or, with --output_dir, in the same
tree there, and a summary tells what became of each.

`;

const FOOT = `
Names may be shortened (--lang) and written with dashes (--output-format);
--name=VALUE works too. None means "not set"; a True|False name alone is True.

Exit code: 0 done; 1 a recording failed; 2 wrong command line; 130 after Ctrl-C,
which writes what was finished by then. A second Ctrl-C stops at once.
`;

/**
 * @returns 0; 1 when a recording failed; 2 for a wrong command line; 130 after Ctrl-C
 * @throws UserError, InferenceError when no recording can be transcribed
 */
export async function transcribe(argv: readonly string[], io: Io): Promise<number> {
  const { values, given, positionals: files, helpWanted, problems } = readArguments(argv);
  if (helpWanted) {
    io.stdout.write(HEAD + formatOptions(OPTIONS) + FOOT);
    return 0;
  }
  const wanted = values["json-lines"] && !given.has("output_format") ? [] : values.output_format;
  const formats = wanted.includes("all") ? FORMATS : FORMATS.filter((format) => wanted.includes(format));
  const isPool = values.pool || values.nats !== "";
  const nats = isPool ? natsSettings(values, io.env) : undefined;
  const isMany = problems.length === 0 && (isPool || (await isBulk(files)));
  const allProblems = [
    ...problems,
    ...(isPool ? poolProblems(given) : []),
    ...(isMany ? [] : outputClashes(files, values.output_dir, formats)),
  ];
  if (isPool && nats === undefined) {
    allProblems.push("--pool needs the address of its NATS server: give --nats nats://host:4222, or set EARSHOT_NATS.");
  }
  if (isMany && files.includes("-")) allProblems.push("Standard input (-) is one recording: transcribe it by itself.");
  else if (files.includes("-") && io.stdin.isTTY === true) {
    allProblems.push("- reads a recording from standard input, which is a terminal here: pipe one in.");
  }
  if (allProblems.length > 0) {
    for (const problem of allProblems) io.stderr.write(`earshot transcribe: ${problem}\n`);
    io.stderr.write("All options are explained by: earshot transcribe --help\n");
    return 2;
  }

  const said = new Set<string>();
  const note = (sentence: string) => {
    if (!said.has(sentence)) io.stderr.write(`${sentence}\n`);
    said.add(sentence);
  };
  warningsFor(values).forEach(note);
  const bulk = {
    io,
    values,
    formats,
    parallel: isPool ? values.parallel : 1,
    outputFolder: given.has("output_dir") ? values.output_dir : undefined,
  };
  const work = isMany ? await findWork(files, bulk) : undefined;
  if (work?.recordings.length === 0) {
    note(`All ${work.doneBefore.length} recordings have their files already: --overwrite transcribes them again.`);
    return 0;
  }
  if (work !== undefined && nats !== undefined) {
    const pool = openPoolEngine(values, nats, note);
    return transcribeMany(work, pool, bulk).finally(() => pool.close());
  }
  if (work === undefined && formats.length > 0) await prepareFolder(values.output_dir);

  const { loadWhisper } = await import("../inference/whisper.ts");
  const load = loadOptions(values, io.env);
  if (values.model === "auto" && (await fetchMissing(load, io)) === "stopped") return 130;
  const whisper = await loadWhisper(values.model, { ...load, onNotice: note });
  try {
    whisper.notes.forEach(note);
    if (work !== undefined) return await transcribeMany(work, inThisProcess(whisper, values), bulk);
    return await transcribeAll(files, { io, values, formats, whisper, note });
  } finally {
    await whisper.close();
  }
}

/** At the first start the recommended model comes by itself; where it cannot come, the demo model serves and says so. */
async function fetchMissing({ device = "auto", precision, env }: LoadOptions, io: Io): Promise<"stopped" | undefined> {
  const [{ autoModel }, { firstDevice }] = await Promise.all([
    import("../inference/auto-model.ts"),
    import("../inference/session.ts"),
  ]);
  const { missing } = await autoModel({ device: firstDevice(device), env: env ?? io.env });
  if (missing === undefined) return undefined;
  io.stderr.write(`There is no model on this machine yet: fetching ${missing.name}, once.\n`);
  const bar = downloadBar(missing.name, io.stderr);
  try {
    const pulled = await missing.fetch({ precision, signal: io.signal, onProgress: bar.show });
    bar.clear();
    io.stderr.write(`${missing.name} is ready: ${sizeText(pulled.fetchedBytes)} in ${pulled.path}\n`);
  } catch (error) {
    bar.clear();
    if (io.signal.aborted) {
      io.stderr.write("Stopped. The same command goes on from here.\n");
      return "stopped";
    }
    io.stderr.write(`${missing.name} could not be fetched. ${describeFailure(error, io.env)}\n`);
  }
  return undefined;
}

function inThisProcess({ name: model, device, transcribe }: Whisper, values: TranscribeValues): Engine {
  return {
    async transcribe(path, progress, signal) {
      const { collect } = await import("../inference/transcribe.ts");
      const transcript = await collect(transcribe(path, { ...engineOptions(values), signal, on: { progress } }));
      return { ...transcript, model, device };
    },
  };
}

async function transcribeAll(files: readonly string[], run: Run): Promise<number> {
  const { io, values } = run;
  let exitCode = 0;
  for (const [index, file] of files.entries()) {
    try {
      const outcome = await transcribeFile(file, run);
      if (outcome === "done") continue;
      const rest = files.slice(index + 1);
      if (rest.length > 0) io.stderr.write(`Not begun: ${rest.join(", ")}\n`);
      return 130;
    } catch (error) {
      if (!concernsOneFile(error)) throw error;
      exitCode = 1;
      const message = describeFailure(error, io.env);
      io.stderr.write(files.length > 1 ? `Skipping ${file}: ${message}\n` : `${message}\n`);
      if (values["json-lines"]) {
        io.stdout.write(`${jsonLine(errorLine(file, error, message))}\n`);
      }
    }
  }
  return exitCode;
}
