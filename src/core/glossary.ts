// The words of a channel: terms, replacements and a free prompt, and how the initial prompt is made of them.
import type { Level } from "./ports.ts";

export interface Term {
  readonly text: string;
  /** How the model has been seen to write it; replaced by `text`. */
  readonly soundsLike: readonly string[];
  readonly level: Level;
  /** How many transcripts it was found in. */
  readonly uses: number;
}

/** What the model writes -> what is meant. */
export interface ReplacementPair {
  readonly wrong: string;
  readonly right: string;
  readonly level: Level;
}

export interface Glossary {
  readonly terms: readonly Term[];
  readonly pairs: readonly ReplacementPair[];
  /** Free text that stands before the terms; the channel's, else the workspace's. */
  readonly prompt: string;
}

/** Terms and pairs are told apart by their text, without regard to case. */
export type GlossaryChange =
  | { readonly kind: "add"; readonly terms: readonly Pick<Term, "text" | "soundsLike">[] }
  | { readonly kind: "remove"; readonly terms: readonly string[] }
  | {
      readonly kind: "pairs";
      readonly add: readonly Pick<ReplacementPair, "wrong" | "right">[];
      readonly remove: readonly string[];
    }
  | { readonly kind: "prompt"; readonly text: string }
  | { readonly kind: "used"; readonly terms: readonly string[] };
