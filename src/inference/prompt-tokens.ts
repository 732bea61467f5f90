// Counts tokens for the gateway with the model's own tokenizer, without loading the model.
import { join } from "node:path";
import type { PromptTokens } from "../core/ports.ts";
import { type Environment, resolveModel } from "./models.ts";
import { loadTokenizer, type Tokenizer } from "./tokenizer.ts";

/** Of the 223 tokens before a window; the rest is for the text that was just heard. */
const INITIAL_PROMPT_TOKENS = 160;

/** @throws InferenceError model_missing, model_broken; from `count` */
export function createPromptTokens(model: string, env: Environment): PromptTokens {
  let known: { readonly path: string; readonly tokenizer: Tokenizer } | undefined;

  async function tokenizer(): Promise<Tokenizer> {
    // Each time anew: "auto" means another model, with other tokens, as soon as its download is done.
    const { path } = await resolveModel(model, { device: "cpu", env });
    if (known?.path !== path) {
      // Which of the special tokens there are makes no difference to the text's.
      known = { path, tokenizer: await loadTokenizer(join(path, "tokenizer.json"), true) };
    }
    return known.tokenizer;
  }

  return {
    budget: INITIAL_PROMPT_TOKENS,
    async count(text) {
      const trimmed = text.trim();
      // As `encodeInitialPrompt` does.
      return trimmed === "" ? 0 : (await tokenizer()).encode(` ${trimmed}`).length;
    },
  };
}
