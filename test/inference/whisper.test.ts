import { cp, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { demoFolder } from "../../src/inference/models.ts";
import { listDevices } from "../../src/inference/session.ts";
import { type LoadOptions, loadWhisper } from "../../src/inference/whisper.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-model-"));
  for (const part of ["config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json", "onnx"]) {
    await cp(join(demoFolder, part), join(folder, part), { recursive: true });
  }
});
afterEach(() => rm(folder, { recursive: true }));

describe("loading a model", () => {
  it("says on which device it runs, and why the better ones were passed over", async () => {
    const whisper = await loadWhisper(folder);
    const passedOver = whisper.passedOver.map(({ device }) => device);
    expect([...passedOver, whisper.device]).toEqual(
      listDevices()
        .map(({ device }) => device)
        .slice(0, passedOver.length + 1),
    );
    for (const choice of whisper.passedOver) expect(choice.passedOver).toMatch(/\w+ \w+/);
    expect(whisper.graph.description).toMatch(/, fp\d+, public layout$/);
    await whisper.close();
  });

  it("carries the demo model's warning, and none for a model from a folder", async () => {
    const demo = await loadWhisper("demo", { device: "cpu" });
    expect(demo.notes.join()).toMatch(/Demo model.*earshot models pull/);
    await demo.close();
    const other = await loadWhisper(folder, { device: "cpu" });
    expect(other.notes).toEqual([]);
    await other.close();
  });

  const refusal = (options: LoadOptions = { device: "cpu" }) =>
    loadWhisper(folder, options).then(
      () => expect.fail("loaded all the same"),
      (error: { code: string; message: string }) => error,
    );

  it("refuses a device that is not there, with the reason", async () => {
    const missing = listDevices().find((choice) => choice.passedOver !== undefined);
    if (!missing) return expect(listDevices().every((choice) => choice.passedOver === undefined)).toBe(true);
    const error = await refusal({ device: missing.device });
    expect(error.code).toBe("no_device");
    expect(error.message).toContain(missing.passedOver);
  });

  it("refuses a graph that is cut short", async () => {
    await truncate(join(folder, "onnx", "encoder_model.onnx"), 100_000);
    expect(await refusal()).toMatchObject({
      code: "model_broken",
      message: expect.stringContaining("encoder_model.onnx"),
    });
  });

  it("refuses a graph that is text", async () => {
    await writeFile(join(folder, "onnx", "decoder_model_merged.onnx"), "not a model");
    expect(await refusal()).toMatchObject({ code: "model_broken" });
  });

  it.each(["config.json", "generation_config.json", "tokenizer.json", "onnx"])(
    "names what is missing: %s",
    async (part) => {
      await rm(join(folder, part), { recursive: true });
      expect((await refusal()).message).toContain(part);
    },
  );

  it("refuses a tokenizer that is not Whisper's", async () => {
    await writeFile(
      join(folder, "tokenizer.json"),
      JSON.stringify({ model: { vocab: { a: 0 }, merges: [] }, added_tokens: [] }),
    );
    expect(await refusal()).toMatchObject({ code: "model_broken", message: expect.stringContaining("Whisper") });
  });
});
