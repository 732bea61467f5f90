// Counts tokens for the gateway with the model's own tokenizer, without loading the model.
import { join } from "node:path";
import type { PromptTokens } from "../core/ports.ts";
import { type Environment, installedModels, resolveModel } from "./models.ts";
import { loadTokenizer, type Tokenizer } from "./tokenizer.ts";

/** Of the 223 tokens before a window; the rest is for the text that was just heard. */
const INITIAL_PROMPT_TOKENS = 160;

/** Fewer than in nearly every text, so that a prompt is rather too short than refused. */
const BYTES_PER_TOKEN = 2;

/**
 * @param isElsewhere the model need not be on this machine; it is counted with another one's tokenizer then, or roughly
 * @throws InferenceError model_missing, model_broken; from `count`
 */
export function createPromptTokens(model: string, env: Environment, isElsewhere = false): PromptTokens {
  let known: { readonly path: string; readonly tokenizer: Tokenizer } | undefined;

  async function tokenizer(): Promise<Tokenizer | undefined> {
    // Each time anew: "auto" means another model, with other tokens, as soon as its download is done.
    const path = await folderOf(model);
    if (path === undefined) return undefined;
    if (known?.path !== path) {
      // Which of the special tokens there are makes no difference to the text's.
      known = { path, tokenizer: await loadTokenizer(join(path, "tokenizer.json"), true) };
    }
    return known.tokenizer;
  }

  async function folderOf(name: string): Promise<string | undefined> {
    // All the multilingual models have one tokenizer, and the English ones another that hardly differs.
    const similar = () => installedModels(env)[0]?.path;
    // What serves elsewhere as "auto" is not what would serve here.
    if (isElsewhere && name === "auto") return similar();
    try {
      return (await resolveModel(name, { device: "cpu", env })).path;
    } catch (error) {
      if (!isElsewhere) throw error;
      return similar();
    }
  }

  return {
    budget: INITIAL_PROMPT_TOKENS,
    async count(text) {
      const trimmed = text.trim();
      // As `encodeInitialPrompt` does.
      if (trimmed === "") return 0;
      const known = await tokenizer();
      return known?.encode(` ${trimmed}`).length ?? Math.ceil(Buffer.byteLength(trimmed) / BYTES_PER_TOKEN);
    },
  };
}
