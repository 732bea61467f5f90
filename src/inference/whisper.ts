// A Whisper model loaded on the best device there is: what `import { loadWhisper } from "earshot"` gives.

import { join } from "node:path";
import process from "node:process";

import { InferenceError } from "../core/errors.ts";
import type { Segment, Transcript } from "../core/transcript.ts";
import type { AlignableModel } from "./alignment.ts";
import { openGraph } from "./layouts.ts";
import { readModelConfig } from "./model-config.ts";
import type { Precision } from "./model-files.ts";
import { type Environment, type ModelFolder, resolveModel } from "./models.ts";
import { DEVICES, type Device, type DeviceChoice, listDevices } from "./session.ts";
import { loadTokenizer } from "./tokenizer.ts";
import { type TracksOptions, transcribeTracks } from "./tracks.ts";
import type { Source } from "./transcribe.ts";

export interface LoadOptions {
  /** "auto" tries CUDA, WebGPU, DirectML, CoreML and CPU in turn. */
  readonly device?: Device | "auto";
  /** By default the best for the device that the model's folder holds. */
  readonly precision?: Precision;
  /** Threads inside one operator; onnxruntime chooses when left out. */
  readonly threads?: number;
  /** Where EARSHOT_MODELS and XDG_DATA_HOME are read from; the process's own by default. */
  readonly env?: Environment;
  /** Told what takes time for once while loading, and what could not be used: sentences for the operator. */
  onNotice?(sentence: string): void;
}

export interface Whisper extends AlignableModel {
  readonly name: string;
  readonly device: Device;
  /** Devices that were preferred but could not be used, each with the reason. */
  readonly passedOver: readonly DeviceChoice[];
  /** Sentences that belong with every answer of this model, such as that it is the demo model. */
  readonly notes: readonly string[];
  readonly isMultilingual: boolean;
  /** Segments as they are finished; the return value is the transcript. See `transcribe`. */
  transcribe(source: Source, options?: TracksOptions): AsyncGenerator<Segment, Transcript, void>;
  close(): Promise<void>;
}

/**
 * @param name a name of the catalog, "demo", "auto" (the best on disk), or a folder in Hugging Face's public layout
 * @throws InferenceError model_missing, model_broken, no_device, out_of_memory
 */
export async function loadWhisper(name = "auto", options: LoadOptions = {}): Promise<Whisper> {
  const passedOver: DeviceChoice[] = [];
  for (const choice of candidates(options.device ?? "auto")) {
    if (choice.passedOver !== undefined) {
      passedOver.push(choice);
      continue;
    }
    const folder = await resolveModel(name, { device: choice.device, env: options.env ?? process.env });
    try {
      return await loadOn(choice.device, folder, options, passedOver);
    } catch (error) {
      // A device that is asked for by name, and the last resort, must not fail without a word.
      if (choice.device === "cpu" || choice.device === options.device) throw error;
      passedOver.push({ device: choice.device, passedOver: error instanceof Error ? error.message : String(error) });
    }
  }
  throw new InferenceError(
    "no_device",
    passedOver.map(({ device, passedOver }) => `The device ${device} cannot be used: ${passedOver}.`).join(" "),
  );
}

function candidates(device: Device | "auto"): readonly DeviceChoice[] {
  const choices = listDevices();
  if (device === "auto") return choices;
  const chosen = choices.find((choice) => choice.device === device);
  if (chosen) return [chosen];
  throw new InferenceError("no_device", `There is no device "${device}". Known are: auto, ${DEVICES.join(", ")}.`);
}

async function loadOn(
  device: Device,
  folder: ModelFolder,
  options: LoadOptions,
  passedOver: readonly DeviceChoice[],
): Promise<Whisper> {
  const config = await readModelConfig(folder.path);
  const tokenizer = await loadTokenizer(join(folder.path, "tokenizer.json"), config.isMultilingual);
  const session = { device, threads: options.threads ?? 0 };
  const notice = (sentence: string) => options.onNotice?.(sentence);
  const graph = await openGraph(folder.path, config.dims, tokenizer.sot, options.precision, session, notice);
  const whisper: Whisper = {
    name: folder.name,
    device,
    passedOver,
    notes: folder.notes,
    isMultilingual: config.isMultilingual,
    dims: config.dims,
    tokenizer,
    graph,
    alignmentHeads: config.alignmentHeads,
    transcribe: (source, transcribeOptions) => transcribeTracks(whisper, source, transcribeOptions),
    close: () => graph.close(),
  };
  return whisper;
}
