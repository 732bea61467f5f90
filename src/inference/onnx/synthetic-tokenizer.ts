// A tokenizer.json with Whisper's ids for every special token and made-up merges, for models with random weights.

import { LANGUAGES } from "../../core/languages.ts";

/** 0.00 to 30.00 s in steps of 20 ms. */
const TIMESTAMPS = 1501;
const TASKS = ["translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"];

export interface SyntheticTokenizer {
  /** For tokenizer.json. */
  readonly json: unknown;
  /** Text and special tokens. */
  readonly nVocab: number;
  /** Id by content, e.g. "<|en|>". */
  readonly specialTokens: ReadonlyMap<string, number>;
  readonly languages: readonly string[];
}

/**
 * @param isMultilingual false for the .en models, whose text vocabulary is one token smaller
 * @param languageCount 100 from large-v3 on, 99 before
 */
export function syntheticTokenizer(isMultilingual: boolean, languageCount: 99 | 100): SyntheticTokenizer {
  const nText = isMultilingual ? 50257 : 50256;
  const bytes = byteCharacters();
  const merges: [string, string][] = [];
  for (const left of bytes) {
    for (const right of bytes) {
      if (bytes.length + merges.length < nText) merges.push([left, right]);
    }
  }
  const vocab = [...bytes, ...merges.map((pair) => pair.join(""))];
  // Their order gives the ids. Ref: openai/whisper tokenizer.py
  const languages = Object.keys(LANGUAGES).slice(0, languageCount);
  const names = ["endoftext", "startoftranscript", ...languages, ...TASKS];
  for (let i = 0; i < TIMESTAMPS; i++) names.push((i * 0.02).toFixed(2));
  const specialTokens = new Map(names.map((name, i) => [`<|${name}|>`, nText + i]));
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: Array.from(specialTokens, ([content, id]) => ({ id, content, ...flags })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(vocab.map((token, id) => [token, id])),
      merges: merges.map((pair) => pair.join(" ")),
    },
  };
  return { json, nVocab: nText + names.length, specialTokens, languages };
}

/** The 256 bytes as printable characters, in the order of their ids. Ref: openai/gpt-2 encoder.py bytes_to_unicode */
function byteCharacters(): string[] {
  const printable = Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad),
  );
  const others = Array.from({ length: 256 - printable.length }, (_, i) => 256 + i);
  return [...printable, ...others].map((code) => String.fromCharCode(code));
}
