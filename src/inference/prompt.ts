// Which tokens stand before a window: the initial prompt and the text so far, within the prompt's budget.

import { UserError } from "../core/errors.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** The most tokens that may stand before a window: half the decoder's context, less one for `<|startofprev|>`. */
export function promptBudget(nTextCtx: number): number {
  return Math.floor(nTextCtx / 2) - 1;
}

/**
 * The initial prompt as tokens, as openai/whisper reads it.
 * @throws UserError prompt_too_long: openai/whisper would drop the beginning without a word
 */
export function encodeInitialPrompt(tokenizer: Pick<Tokenizer, "encode">, prompt: string, nTextCtx: number): number[] {
  const text = prompt.trim();
  const tokens = text === "" ? [] : tokenizer.encode(` ${text}`);
  const budget = promptBudget(nTextCtx);
  if (tokens.length > budget) {
    throw new UserError(
      "prompt_too_long",
      `The initial prompt has ${tokens.length} tokens and the model takes ${budget}. ` +
        `Shorten it by about ${Math.ceil((1 - budget / tokens.length) * 100)}%, the least important words first.`,
    );
  }
  return tokens;
}

export interface PromptState {
  readonly initial: readonly number[];
  /** Whether the initial prompt stands before every window, or fades as the text grows. */
  readonly carry: boolean;
  readonly nTextCtx: number;
}

/**
 * The prompt of the next window. Text before a reset was hot or unwanted and is left out.
 *
 * Ref: openai/whisper transcribe.py, with one difference: when the initial prompt fills the budget to the last token,
 * the reference's `[-0:]` appends the whole history and the prompt falls off its beginning.
 * @param history tokens of the text so far, without the initial prompt
 * @param resetSince length of the history at the last reset; undefined: there was none
 */
export function windowPrompt(state: PromptState, history: readonly number[], resetSince: number | undefined): number[] {
  const recent = history.slice(resetSince ?? 0);
  const budget = promptBudget(state.nTextCtx);
  if (state.carry) {
    const left = budget - state.initial.length;
    return [...state.initial, ...(left > 0 ? recent.slice(-left) : [])];
  }
  // In the reference the initial prompt is simply the start of the history, so a reset drops it with the rest.
  const whole = resetSince === undefined ? [...state.initial, ...recent] : recent;
  return whole.slice(-budget);
}
