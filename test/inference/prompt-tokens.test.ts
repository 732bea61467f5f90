// How the gateway counts a prompt's tokens: as the engine will.
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { demoFolder } from "../../src/inference/models.ts";
import { encodeInitialPrompt } from "../../src/inference/prompt.ts";
import { createPromptTokens } from "../../src/inference/prompt-tokens.ts";
import { loadTokenizer } from "../../src/inference/tokenizer.ts";

let models: string;
beforeEach(async () => {
  models = await mkdtemp(join(tmpdir(), "earshot-tokens-"));
});
afterEach(() => rm(models, { recursive: true, force: true }));

describe("the tokens of a prompt", () => {
  it.each([
    "",
    "   ",
    "Qavylow",
    " Glossary: Qavylow, Xamoetee. ",
    "naïve 日本語 🙂 <|endoftext|>",
    "C++,n8n;\n\nGrüße",
  ])("are as many as the engine puts before a window: %j", async (text) => {
    const tokenizer = await loadTokenizer(join(demoFolder, "tokenizer.json"), true);
    const tokens = createPromptTokens("demo", { EARSHOT_MODELS: models });
    expect(await tokens.count(text)).toBe(encodeInitialPrompt(tokenizer, text, 448).length);
  });

  it("may be 160 of the 223 that fit before a window", () => {
    expect(createPromptTokens("demo", {}).budget).toBe(160);
  });

  it("are refused for a model that is not there, and counted once it is", async () => {
    const folder = join(models, "mine");
    const tokens = createPromptTokens(folder, { EARSHOT_MODELS: models });
    await expect(tokens.count("Qavylow")).rejects.toMatchObject({ name: "InferenceError", code: "model_missing" });
    await cp(join(demoFolder, "config.json"), join(folder, "config.json"), { recursive: true });
    await writeFile(join(folder, "tokenizer.json"), "{");
    await expect(tokens.count("Qavylow")).rejects.toMatchObject({ name: "InferenceError", code: "model_broken" });
    await writeFile(join(folder, "tokenizer.json"), await readFile(join(demoFolder, "tokenizer.json")));
    expect(await tokens.count("Qavylow")).toBeGreaterThan(0);
  });
});
