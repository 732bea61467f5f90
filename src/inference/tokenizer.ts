// Text to token ids and back, from the model's own tokenizer.json (byte-level BPE, as in GPT-2).

import { readFile } from "node:fs/promises";
import { InferenceError } from "../core/errors.ts";

export type Task = "transcribe" | "translate";

/** Ref: openai/whisper tokenizer.py `Tokenizer`. All ids come from the model's files. */
export interface Tokenizer {
  readonly eot: number;
  readonly sot: number;
  readonly sotPrev: number;
  readonly sotLm: number | undefined;
  readonly noSpeech: number | undefined;
  readonly noTimestamps: number;
  readonly transcribe: number;
  readonly translate: number;
  /** `<|0.00|>`; every id from here on is a timestamp, 0.02 s apart. */
  readonly timestampBegin: number;
  /** Language code -> token id; empty for English-only models. */
  readonly languages: ReadonlyMap<string, number>;
  /** What is not speech and suppressed by default: brackets, music notes, speaker dashes. Sorted ids. */
  readonly nonSpeechTokens: readonly number[];
  /** The text is taken literally: "<|endoftext|>" in it does not become a special token. */
  encode(text: string): number[];
  /** Leaves timestamp tokens out. Bytes that are not UTF-8 become U+FFFD. */
  decode(tokens: readonly number[]): string;
  decodeWithTimestamps(tokens: readonly number[]): string;
  /** `<|startoftranscript|>`, language and task; only the first for English-only models. */
  sotSequence(language: string, task: Task): number[];
  /** Groups tokens into words, for word times. */
  splitToWordTokens(tokens: readonly number[], language: string): WordTokens;
}

export interface WordTokens {
  readonly words: readonly string[];
  readonly tokens: readonly (readonly number[])[];
}

/** The parts of Hugging Face's tokenizer.json that Whisper uses. */
interface TokenizerFile {
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (string | readonly [string, string])[];
  };
  readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
}

/** @throws InferenceError model_broken */
export async function loadTokenizer(path: string, multilingual: boolean): Promise<Tokenizer> {
  let file: unknown;
  try {
    file = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new InferenceError("model_broken", `${path} cannot be read as JSON. Get the model again.`, { cause });
  }
  if (!isTokenizerFile(file)) {
    throw new InferenceError("model_broken", `${path} is not a byte-level BPE tokenizer. Get the model again.`);
  }
  return createTokenizer(file, multilingual, path);
}

/** By hand: a schema takes as long as the rest of the loading for fifty thousand entries. */
function isTokenizerFile(file: unknown): file is TokenizerFile {
  const { model, added_tokens: added } = (file ?? {}) as { model?: unknown; added_tokens?: unknown };
  const { vocab, merges } = (model ?? {}) as { vocab?: unknown; merges?: unknown };
  const isId = (id: unknown) => Number.isSafeInteger(id) && (id as number) >= 0;
  const isText = (text: unknown) => typeof text === "string";
  const isPair = (pair: unknown) => isText(pair) || (Array.isArray(pair) && pair.length === 2 && pair.every(isText));
  return (
    typeof vocab === "object" &&
    vocab !== null &&
    Object.values(vocab).every(isId) &&
    Array.isArray(merges) &&
    merges.every(isPair) &&
    Array.isArray(added) &&
    added.every((token) => isId(token?.id) && isText(token?.content))
  );
}

// The pattern by which GPT-2 cuts text into words before merging.
const WORD = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
const WORDS_CACHED = 20_000;

function createTokenizer(file: TokenizerFile, multilingual: boolean, path: string): Tokenizer {
  const vocab = new Map(Object.entries(file.model.vocab));
  const ranks = new Map(
    file.model.merges.map((pair, rank) => [typeof pair === "string" ? pair : `${pair[0]} ${pair[1]}`, rank]),
  );
  const special = new Map(file.added_tokens.map((token) => [token.content, token.id]));
  const specialText = new Map(file.added_tokens.map((token) => [token.id, token.content]));
  const bytesOf = new Map([...vocab].map(([text, id]) => [id, toBytes(text)]));
  const words = new Map<string, readonly number[]>();

  function idOf(name: string): number {
    const id = special.get(name);
    if (id === undefined)
      throw new InferenceError("model_broken", `${path} has no ${name} token: not a Whisper model.`);
    return id;
  }

  function encodeWord(word: string): readonly number[] {
    const known = words.get(word);
    if (known) return known;
    const ids = mergePairs(fromBytes(Buffer.from(word, "utf8")), ranks).map((piece) => {
      const id = vocab.get(piece);
      if (id === undefined)
        throw new InferenceError("model_broken", `${path} has no token for the bytes of "${word}".`);
      return id;
    });
    if (words.size >= WORDS_CACHED) words.clear();
    words.set(word, ids);
    return ids;
  }

  const encode = (text: string) => (text.match(WORD) ?? []).flatMap(encodeWord);
  const noTimestamps = idOf("<|notimestamps|>");
  // Older tokenizer.json files end before the timestamps, which follow <|notimestamps|>.
  const timestampBegin = special.get("<|0.00|>") ?? noTimestamps + 1;
  const timestampText = (id: number) => `<|${((id - timestampBegin) * 0.02).toFixed(2)}|>`;

  function decodeWithTimestamps(tokens: readonly number[]): string {
    const parts = tokens.map((id) => {
      const bytes = bytesOf.get(id);
      if (bytes) return bytes;
      return Buffer.from(specialText.get(id) ?? (id >= timestampBegin ? timestampText(id) : ""), "utf8");
    });
    return utf8.decode(Buffer.concat(parts));
  }

  const transcribe = idOf("<|transcribe|>");
  const translate = idOf("<|translate|>");
  const sot = idOf("<|startoftranscript|>");
  const eot = idOf("<|endoftext|>");
  const languages = multilingual ? languageTokens(special) : new Map<string, number>();

  return {
    eot,
    sot,
    sotPrev: idOf("<|startofprev|>"),
    sotLm: special.get("<|startoflm|>"),
    noSpeech: special.get("<|nospeech|>") ?? special.get("<|nocaptions|>"),
    noTimestamps,
    transcribe,
    translate,
    timestampBegin,
    languages,
    nonSpeechTokens: nonSpeechTokens(encode),
    encode,
    decode: (tokens) => decodeWithTimestamps(tokens.filter((id) => id < timestampBegin)),
    decodeWithTimestamps,
    sotSequence(language, task) {
      if (!multilingual) return [sot];
      return [sot, languages.get(language) ?? idOf(`<|${language}|>`), task === "transcribe" ? transcribe : translate];
    },
    splitToWordTokens(tokens, language) {
      const pieces = splitOnUnicode(tokens, decodeWithTimestamps);
      return WITHOUT_SPACES.has(language) ? pieces : joinOnSpaces(pieces, eot);
    },
  };
}

/** Joins the pair with the lowest rank again and again. */
function mergePairs(characters: string, ranks: ReadonlyMap<string, number>): string[] {
  const pieces = [...characters];
  while (pieces.length > 1) {
    let best = -1;
    let bestRank = Number.POSITIVE_INFINITY;
    for (let i = 0; i + 1 < pieces.length; i++) {
      const rank = ranks.get(`${pieces[i]} ${pieces[i + 1]}`);
      if (rank !== undefined && rank < bestRank) {
        best = i;
        bestRank = rank;
      }
    }
    if (best < 0) break;
    pieces.splice(best, 2, pieces[best]! + pieces[best + 1]!);
  }
  return pieces;
}

function languageTokens(special: ReadonlyMap<string, number>): Map<string, number> {
  // The languages stand between <|startoftranscript|> and <|translate|>, in openai's order.
  const first = special.get("<|startoftranscript|>") ?? 0;
  const end = Math.min(special.get("<|translate|>") ?? 0, special.get("<|transcribe|>") ?? 0);
  return new Map([...special].filter(([, id]) => id > first && id < end).map(([text, id]) => [text.slice(2, -2), id]));
}

// ---- bytes and the printable characters that stand for them in vocab and merges. Ref: openai/gpt-2 encoder.py

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const CHARACTER_OF_BYTE = bytesToUnicode();
const BYTE_OF_CHARACTER = new Map(CHARACTER_OF_BYTE.map((character, byte) => [character, byte]));

function bytesToUnicode(): string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : 256 + others++));
}

function fromBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => CHARACTER_OF_BYTE[byte]!).join("");
}

function toBytes(text: string): Uint8Array {
  return Uint8Array.from(Array.from(text, (character) => BYTE_OF_CHARACTER.get(character) ?? 0x3f));
}

// ---- what is not speech. Ref: openai/whisper tokenizer.py `non_speech_tokens`

const SYMBOLS = [
  ...'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
  ..."<< >> <<< >>> -- --- -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪".split(" "),
];
// May be several tokens; the first then stands for the block U+2640–U+267F, which is safe to suppress.
const MISCELLANEOUS = ["♩", "♪", "♫", "♬", "♭", "♮", "♯"];

function nonSpeechTokens(encode: (text: string) => number[]): number[] {
  const ids = new Set([encode(" -")[0]!, encode(" '")[0]!]);
  for (const symbol of [...SYMBOLS, ...MISCELLANEOUS]) {
    for (const tokens of [encode(symbol), encode(` ${symbol}`)]) {
      if (tokens.length === 1 || MISCELLANEOUS.includes(symbol)) ids.add(tokens[0]!);
    }
  }
  return [...ids].sort((a, b) => a - b);
}

// ---- words. Ref: openai/whisper tokenizer.py `split_to_word_tokens`

const WITHOUT_SPACES = new Set(["zh", "ja", "th", "lo", "my", "yue"]);
const REPLACEMENT = "\ufffd";
const PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/** Cuts where the tokens so far decode to whole characters. */
function splitOnUnicode(tokens: readonly number[], decode: (tokens: readonly number[]) => string): WordTokens {
  const whole = decode(tokens);
  const words: string[] = [];
  const wordTokens: number[][] = [];
  let current: number[] = [];
  let offset = 0;
  for (const token of tokens) {
    current.push(token);
    const text = decode(current);
    const at = text.indexOf(REPLACEMENT);
    if (at < 0 || whole[offset + at] === REPLACEMENT) {
      words.push(text);
      wordTokens.push(current);
      current = [];
      offset += text.length;
    }
  }
  return { words, tokens: wordTokens };
}

function joinOnSpaces(pieces: WordTokens, eot: number): WordTokens {
  const words: string[] = [];
  const wordTokens: number[][] = [];
  pieces.words.forEach((piece, i) => {
    const tokens = pieces.tokens[i]!;
    const starts =
      tokens[0]! >= eot || piece.startsWith(" ") || PUNCTUATION.includes(piece.trim()) || words.length === 0;
    if (starts) {
      words.push(piece);
      wordTokens.push([...tokens]);
    } else {
      words[words.length - 1] += piece;
      wordTokens.at(-1)!.push(...tokens);
    }
  });
  return { words, tokens: wordTokens };
}
