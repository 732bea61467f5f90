import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { approximateBytes, catalogModels, findCatalogModel, languageWarning } from "../../src/inference/catalog.ts";
import { readModelConfig } from "../../src/inference/model-config.ts";
import { chooseGraphs, graphFiles, weightBytes } from "../../src/inference/model-files.ts";
import { demoFolder, installedModels, memoryNeed, modelsFolder, resolveModel } from "../../src/inference/models.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-models-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** A model on disk, as a download leaves it; the graphs are of the given sizes. */
async function install(name: string, graphs: Readonly<Record<string, number>>): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, "onnx"), { recursive: true });
  await writeFile(join(path, "config.json"), "{}");
  const files = [];
  for (const [graph, bytes] of Object.entries(graphs)) {
    await writeFile(join(path, "onnx", graph), Buffer.alloc(bytes, "x"));
    files.push({ path: `onnx/${graph}`, bytes, sha256: "0".repeat(64) });
  }
  await writeFile(join(path, "earshot.json"), JSON.stringify({ name, repo: "a/b", files }));
  return path;
}

const fp32 = { "encoder_model.onnx": 1_000, "decoder_model_merged.onnx": 2_000 };

describe("modelsFolder", () => {
  it("is EARSHOT_MODELS, else earshot/models in the user's data folder", () => {
    expect(modelsFolder({ EARSHOT_MODELS: "/srv/models", XDG_DATA_HOME: "/data" })).toBe("/srv/models");
    expect(modelsFolder({ XDG_DATA_HOME: "/data" })).toBe("/data/earshot/models");
    expect(modelsFolder({})).toBe(join(homedir(), ".local/share/earshot/models"));
  });
});

describe("resolveModel", () => {
  const env = () => ({ EARSHOT_MODELS: folder });

  it("finds a model of the catalog by its name and aliases", async () => {
    const path = await install("large-v3-turbo", fp32);
    for (const name of ["large-v3-turbo", "turbo", "large-v3-turbo_timestamped"]) {
      expect(await resolveModel(name, { device: "cpu", env: env() })).toEqual({
        name: "large-v3-turbo",
        path,
        isDemo: false,
        notes: [],
      });
    }
  });

  it("says how to get a model that is not there, a half-downloaded one included", async () => {
    await mkdir(join(folder, "base"));
    await writeFile(join(folder, "base/config.json"), "{}");
    await expect(resolveModel("base", { device: "cpu", env: env() })).rejects.toMatchObject({
      code: "model_missing",
      message: 'The model base is not on this machine: run "earshot models pull base".',
    });
  });

  it("takes a folder in the public layout by its path", async () => {
    const path = await install("mine", fp32);
    expect(await resolveModel(path, { device: "cpu", env: {} })).toMatchObject({ name: "mine", path, isDemo: false });
    await expect(resolveModel(join(folder, "none"), { device: "cpu", env: {} })).rejects.toMatchObject({
      code: "model_missing",
      message: expect.stringContaining('give a name from "earshot models list", or a folder'),
    });
  });

  it("auto is the best on disk that fits into the memory, an English-only model only when it is alone", async () => {
    const auto = (memoryBytes = 8e9) => resolveModel("auto", { device: "cpu", memoryBytes, env: env() });
    await install("medium.en", fp32);
    expect((await auto()).name).toBe("medium.en");
    await install("base", fp32);
    expect((await auto()).name).toBe("base");
    await install("small", { "encoder_model.onnx": 2_000_000, "decoder_model_merged.onnx": 3_000_000 });
    expect((await auto()).name).toBe("small");
    expect((await auto(memoryNeed(4_999_999))).name).toBe("base");
    await writeFile(join(folder, "small/onnx/encoder_model.onnx"), "cut off");
    expect((await auto()).name).toBe("base");
  });

  it("auto is the demo model where there is nothing else, with a note for every answer", async () => {
    const demo = (device: "cpu" | "cuda") => resolveModel("auto", { device, env: env() });
    expect(await demo("cpu")).toEqual({
      name: "demo",
      path: demoFolder,
      isDemo: true,
      notes: [expect.stringMatching(/^Demo model: .*vocabulary.*"earshot models pull base"/)],
    });
    expect((await demo("cuda")).notes[0]).toContain("earshot models pull large-v3-turbo");
    expect(await resolveModel("demo", { device: "cpu", env: env() })).toEqual(await demo("cpu"));
    await install("tiny", fp32);
    expect((await resolveModel("auto", { device: "cpu", memoryBytes: 1e6, env: env() })).isDemo).toBe(true);
  });
});

describe("installedModels", () => {
  it("lists whole models in the catalog's order, with the size of their files", async () => {
    await install("base", fp32);
    await install("tiny", fp32);
    await mkdir(join(folder, "small"));
    await writeFile(join(folder, "small/earshot.json"), "{ not whole");
    expect(installedModels({ EARSHOT_MODELS: folder }).map(({ model, bytes }) => [model.name, bytes])).toEqual([
      ["tiny", 3_000],
      ["base", 3_000],
    ]);
  });
});

describe("chooseGraphs", () => {
  const files = (...names: string[]) => new Set(names.map((name) => `onnx/${name}.onnx`));
  const all = files(
    ...["", "_fp16", "_int8", "_quantized", "_q4"].flatMap((suffix) => [
      `encoder_model${suffix}`,
      `decoder_model_merged${suffix}`,
    ]),
  );

  it("prefers int8 on a CPU and fp16 on a GPU, and obeys", () => {
    const precision = (...args: Parameters<typeof chooseGraphs>) => {
      const chosen = chooseGraphs(...args);
      return "missing" in chosen ? chosen : chosen.precision;
    };
    expect(precision(all, undefined, "cpu")).toBe("q8");
    expect(precision(all, undefined, "cuda")).toBe("fp16");
    expect(precision(all, "q4", "cuda")).toBe("q4");
    expect(precision(all, "bnb4", "cpu")).toEqual({ missing: "onnx/encoder_model_bnb4.onnx" });
    expect(precision(files("encoder_model_fp16", "decoder_model_merged_fp16"), undefined, "cpu")).toBe("fp16");
  });

  it("mixes precisions where no precision has both graphs", () => {
    expect(
      chooseGraphs(files("encoder_model", "encoder_model_fp16", "decoder_model_merged_q4"), undefined, "cuda"),
    ).toEqual({
      encoder: "onnx/encoder_model_fp16.onnx",
      decoder: "onnx/decoder_model_merged_q4.onnx",
      precision: "fp16 encoder, q4 decoder",
    });
  });

  it("takes a pair of decoders where there is no merged one, and never half a pair", () => {
    expect(chooseGraphs(files("encoder_model", "decoder_model", "decoder_with_past_model"), undefined, "cpu")).toEqual({
      encoder: "onnx/encoder_model.onnx",
      decoder: "onnx/decoder_model.onnx",
      withPast: "onnx/decoder_with_past_model.onnx",
      precision: "fp32",
    });
    expect(chooseGraphs(files("encoder_model", "decoder_model"), undefined, "cpu")).toEqual({
      missing: "onnx/decoder_model_merged.onnx",
    });
  });
});

describe("graphFiles", () => {
  it("gives the demo model's graphs", () => {
    const graphs = graphFiles(demoFolder, undefined, "cpu");
    expect(graphs.encoder.startsWith(join(demoFolder, "onnx/encoder_model"))).toBe(true);
    expect(weightBytes(graphs)).toBeGreaterThan(1e6);
  });

  it("names the missing file and the command that brings it", async () => {
    const path = await install("base", { "encoder_model.onnx": 10 });
    expect(() => graphFiles(path, undefined, "cpu")).toThrow(
      `${join(path, "onnx/decoder_model_merged.onnx")} is missing: run "earshot models pull base".`,
    );
    expect(() => graphFiles(path, "fp16", "cpu")).toThrow('run "earshot models pull base --precision fp16"');
    await rm(join(path, "earshot.json"));
    expect(() => graphFiles(path, "fp16", "cpu")).toThrow("leave out --precision, or get that file");
    expect(() => graphFiles(join(folder, "none"), undefined, "cpu")).toThrow("get the model's files again");
  });

  it("names a file that was cut off, that is empty, or that git-lfs left out", async () => {
    const path = await install("base", fp32);
    const encoder = join(path, "onnx/encoder_model.onnx");
    await writeFile(encoder, "x".repeat(500));
    expect(() => graphFiles(path, undefined, "cpu")).toThrow(
      `${encoder} has 500 bytes instead of 1000: run "earshot models pull base".`,
    );
    await rm(join(path, "earshot.json"));
    await writeFile(encoder, "");
    expect(() => graphFiles(path, undefined, "cpu")).toThrow(`${encoder} has 0 bytes`);
    await writeFile(encoder, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n");
    expect(() => graphFiles(path, undefined, "cpu")).toThrow('is a git-lfs pointer, not a model: run "git lfs pull"');
  });

  it("wants the weights that lie beside a graph, and counts them", async () => {
    const path = await install("base", fp32);
    await rm(join(path, "earshot.json"));
    const encoder = join(path, "onnx/encoder_model.onnx");
    const references = Buffer.from("\u0001location\u0012encoder_model.onnx_data\u0000encoder_model.onnx_data_1\u0000");
    await writeFile(encoder, references);
    await writeFile(`${encoder}_data`, Buffer.alloc(5_000));
    expect(() => graphFiles(path, undefined, "cpu")).toThrow(
      `${encoder}_data_1 is missing, it holds weights of the model`,
    );
    await writeFile(`${encoder}_data_1`, Buffer.alloc(700));
    expect(weightBytes(graphFiles(path, undefined, "cpu"))).toBe(references.length + 5_000 + 700 + 2_000);
  });
});

describe("readModelConfig", () => {
  const demoJson = async (file: string) => JSON.parse(await readFile(join(demoFolder, file), "utf8"));

  /** The demo model's configuration with changes; undefined removes a field. */
  async function changed(file: string, changes: Readonly<Record<string, unknown>>): Promise<string> {
    for (const name of ["config.json", "generation_config.json", "preprocessor_config.json"]) {
      await cp(join(demoFolder, name), join(folder, name));
    }
    await writeFile(join(folder, file), JSON.stringify({ ...(await demoJson(file)), ...changes }));
    return folder;
  }

  it("reads the demo model's sizes and token ids as its files have them", async () => {
    const [config, generation] = [await demoJson("config.json"), await demoJson("generation_config.json")];
    const read = await readModelConfig(demoFolder);
    expect(read.dims).toEqual({
      nMels: config.num_mel_bins,
      nAudioCtx: 1500,
      nAudioState: config.d_model,
      nAudioHead: config.encoder_attention_heads,
      nAudioLayer: config.encoder_layers,
      nVocab: config.vocab_size,
      nTextCtx: 448,
      nTextState: config.d_model,
      nTextHead: config.decoder_attention_heads,
      nTextLayer: config.decoder_layers,
    });
    expect(read.eosTokenId).toBe(config.eos_token_id);
    expect(read.alignmentHeads).toEqual(generation.alignment_heads);
    expect(read.isMultilingual).toBe(true);
  });

  it("reads an English-only model, and one that does not name its alignment heads: then it is the later half", async () => {
    const path = await changed("generation_config.json", { is_multilingual: false, alignment_heads: undefined });
    const read = await readModelConfig(path);
    expect(read.isMultilingual).toBe(false);
    const { nTextLayer, nTextHead } = read.dims;
    expect(read.alignmentHeads).toHaveLength(Math.ceil(nTextLayer / 2) * nTextHead);
    expect(read.alignmentHeads[0]).toEqual([Math.floor(nTextLayer / 2), 0]);
  });

  it.each([
    ["config.json", { model_type: "wav2vec2" }, /config\.json is not that of a Whisper model \(model_type: /],
    ["config.json", { d_model: "192" }, /\(d_model: /],
    ["generation_config.json", { is_multilingual: undefined }, /\(is_multilingual: /],
    ["preprocessor_config.json", { sampling_rate: 8000 }, /\(sampling_rate: /],
    ["preprocessor_config.json", { feature_size: 3 }, /holds the files of two models: 3 mel bins/],
  ])("says in one sentence what is wrong with %s %j", async (file, changes, message) => {
    const path = await changed(file, changes);
    await expect(readModelConfig(path)).rejects.toMatchObject({
      code: "model_broken",
      message: expect.stringMatching(message),
    });
  });

  it("names a file that is missing or not JSON", async () => {
    const path = await changed("config.json", {});
    await writeFile(join(path, "generation_config.json"), '{"cut off');
    await expect(readModelConfig(path)).rejects.toMatchObject({
      code: "model_broken",
      message: expect.stringContaining("is not valid JSON"),
    });
    await rm(join(path, "generation_config.json"));
    await expect(readModelConfig(path)).rejects.toMatchObject({
      code: "model_missing",
      message: expect.stringContaining("generation_config.json is missing"),
    });
  });
});

describe("the catalog", () => {
  it("holds every public model under openai/whisper's names", () => {
    expect(catalogModels.map((model) => model.name).sort()).toEqual([
      "base",
      "base.en",
      "large-v3",
      "large-v3-turbo",
      "medium",
      "medium.en",
      "small",
      "small.en",
      "tiny",
      "tiny.en",
    ]);
    expect(findCatalogModel("turbo")?.name).toBe("large-v3-turbo");
    expect(findCatalogModel("huge")).toBeUndefined();
    for (const model of catalogModels) expect(model.repos[0]).toBe(`onnx-community/whisper-${model.name}_timestamped`);
  });

  // Ref: file lists of Xenova/whisper-base, Xenova/whisper-medium and Xenova/whisper-large-v3 (encoder and merged decoder)
  it.each([
    ["base", "fp32", 82.5e6 + 209e6],
    ["base", "fp16", 41.3e6 + 105e6],
    ["base", "q8", 23.2e6 + 53.7e6],
    ["medium", "fp32", 1.23e9 + 1.83e9],
    ["medium", "q8", 313e6 + 463e6],
    ["large-v3", "fp32", 2.55e9 + 3.63e9],
    ["large-v3", "q8", 645e6 + 915e6],
  ] as const)("estimates the download of %s in %s within 5%%", (name, precision, bytes) => {
    const model = findCatalogModel(name);
    if (!model) throw new Error(name);
    expect(approximateBytes(model, precision) / bytes).toBeGreaterThan(0.95);
    expect(approximateBytes(model, precision) / bytes).toBeLessThan(1.05);
  });
});

describe("languageWarning", () => {
  it("warns of a language that openai measured as weak, with the figure", () => {
    expect(languageWarning("large-v3", "be")).toBe(
      "Whisper is weak in Belarusian: large-v3 gets about 43 of 100 words wrong. Check the text before you rely on it.",
    );
    expect(languageWarning("base", "be")).toContain("large-v3 gets about 43 of 100 words wrong, base more.");
    expect(languageWarning("turbo", "sq")).toContain("Albanian");
  });

  it("says so when nobody published a figure", () => {
    expect(languageWarning("base", "yo")).toContain("Whisper is weak in Yoruba, or nobody measured it");
  });

  it("is silent about strong languages and unknown models", () => {
    for (const language of ["en", "es", "de", "ja", "cs"])
      expect(languageWarning("large-v3", language)).toBeUndefined();
    expect(languageWarning("demo", "be")).toBeUndefined();
  });

  it("sends other languages to the multilingual model", () => {
    expect(languageWarning("base.en", "de")).toBe("base.en understands English only: use base for German.");
    expect(languageWarning("base.en", "en")).toBeUndefined();
  });
});
