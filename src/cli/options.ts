// The options of `earshot transcribe`: openai/whisper's names, defaults and meaning, and some of our own.
// Ref: openai/whisper transcribe.py `cli`
import { closeLanguages, languageCode } from "../core/languages.ts";
import { type Kind, type Option, type ParsedArguments, parseArguments, type ValuesOf } from "./arguments.ts";
import { boolean, choice, flag, integer, list, number, orNone, text } from "./kinds.ts";
import { NATS_OPTIONS } from "./nats-options.ts";

export const FORMATS = ["txt", "vtt", "srt", "tsv", "json"] as const;
export type Format = (typeof FORMATS)[number];

const language: Kind<string> = {
  metavar: "LANGUAGE",
  expects: "a code or an English name such as de or German",
  parse(value) {
    const code = languageCode(value);
    return code === undefined ? undefined : { value: code };
  },
  hint(value) {
    const close = closeLanguages(value);
    return close.length > 0 ? `Did you mean ${close.join(" or ")}?` : "";
  },
};

const punctuation = text("MARKS", "punctuation marks");

const track: Kind<number | "mix"> = {
  ...integer({ atLeast: 0 }),
  expects: "a whole number of at least 0, or mix",
  parse: (value) => (value === "mix" ? { value } : integer({ atLeast: 0 }).parse(value)),
};

const inOutput = group("Output");
const inMany = group("Many recordings");
const inModel = group("Model");
const inLanguage = group("Language and prompt");
const inDecoding = group("Decoding");
const inWords = group("Word times (with --word_timestamps)");
const inParts = group("Parts of a recording");

export const OPTIONS = {
  output_dir: inOutput({
    short: "o",
    kind: text("FOLDER", "a folder"),
    fallback: ".",
    fallbackText: "this folder; beside each recording of a FOLDER, 'PATTERN' or @LIST",
    help: "folder for the files; made when missing",
  }),
  output_format: inOutput({
    short: "f",
    kind: list(choice([...FORMATS, "all"]), "FORMATS", `one or several of ${FORMATS.join(",")}, or all`),
    fallback: ["all"],
    fallbackText: "all; none with --json-lines",
    help: "files to write: one or several of txt,vtt,srt,tsv,json, or all",
  }),
  verbose: inOutput({ kind: boolean, fallback: true, help: "print each segment when it is finished" }),
  verbatim: inOutput({
    kind: boolean,
    fallback: true,
    help: "False: leave out um and uh, and write English numbers from ten on in digits",
  }),
  chapters: inOutput({
    kind: boolean,
    fallback: false,
    help: "cut long transcripts into chapters, by pauses and changes of topic: in json, and beside vtt as NAME.chapters.vtt",
  }),
  "json-lines": inOutput({
    kind: flag,
    fallback: false,
    help: 'print each segment as a line of JSON and after each file a line with "type": "done", and nothing else',
  }),

  overwrite: inMany({
    kind: flag,
    fallback: false,
    help: "transcribe again what has its files already; without it the same command goes on where an earlier one stopped",
  }),

  pool: inMany({
    kind: flag,
    fallback: false,
    help: "give the recordings to the machines of a pool over NATS, also a single one; docs/pool.md says how to set it up",
  }),
  parallel: inMany({
    kind: integer({ atLeast: 1 }),
    fallback: 32,
    help: "recordings that the pool is given at once",
  }),
  ...NATS_OPTIONS,

  model: inModel({
    kind: text("NAME", "a name or a folder"),
    fallback: "auto",
    help: "a name from `earshot models list`, a folder, demo, or auto: the best one on this machine that fits, fetched where there is none",
  }),
  model_dir: inModel({
    kind: text("FOLDER", "a folder"),
    fallback: undefined,
    help: "where the models lie, instead of the folder that `earshot models list` names",
  }),
  device: inModel({
    kind: choice(["auto", "cuda", "webgpu", "dml", "coreml", "cpu"]),
    fallback: "auto",
    help: "what computes; auto: the first that works",
  }),
  precision: inModel({
    kind: choice(["fp32", "fp16", "int8", "uint8", "q8", "q4", "q4f16", "bnb4"]),
    fallback: undefined,
    fallbackText: "the best one that is there for the device",
    help: "which of the model's files to load",
  }),
  fp16: inModel({
    kind: boolean,
    fallback: true,
    help: "False loads the model in fp32, as --precision fp32 does; True leaves the choice to --precision",
  }),
  threads: inModel({
    kind: integer({ atLeast: 0 }),
    fallback: 0,
    help: "CPU threads; 0: one for each physical core",
  }),

  task: inLanguage({
    kind: choice(["transcribe", "translate"]),
    fallback: "transcribe",
    help: "translate: write English, whatever is spoken",
  }),
  language: inLanguage({
    kind: orNone(language),
    fallback: undefined,
    help: "what is spoken, by code or English name; detected in the first 30 seconds when not given",
  }),
  languages: inLanguage({
    kind: list(language, "LIST", "codes or English names such as en,de"),
    fallback: undefined,
    help: "detect one of these only: en,de",
  }),
  mixed_languages: inLanguage({
    kind: boolean,
    fallback: false,
    help: "detect the language in each window of 30 seconds, for recordings in which people change it",
  }),
  initial_prompt: inLanguage({
    kind: text("TEXT", "a text"),
    fallback: undefined,
    help: "names and jargon as they are to be spelled; refused, not cut, when the model has no room for it",
  }),
  carry_initial_prompt: inLanguage({
    kind: boolean,
    fallback: true,
    help: "give the initial prompt to every window of 30 seconds. openai/whisper: False, the prompt fades after the first",
  }),
  condition_on_previous_text: inLanguage({
    kind: boolean,
    fallback: true,
    help: "let each window read the text before it; False: less consistent, but less prone to repeat itself in a loop",
  }),

  temperature: inDecoding({ kind: number({ atLeast: 0 }), fallback: 0, help: "sampling temperature to begin with" }),
  temperature_increment_on_fallback: inDecoding({
    kind: orNone(number({ above: 0 })),
    fallback: 0.2,
    help: "added for each new attempt, up to 1, when a text fails one of the thresholds below; None: one attempt",
  }),
  compression_ratio_threshold: inDecoding({
    kind: orNone(number()),
    fallback: 2.4,
    help: "a text that compresses better than this repeats itself and fails",
  }),
  logprob_threshold: inDecoding({
    kind: orNone(number()),
    fallback: -1,
    help: "a text with a lower average log probability fails",
  }),
  no_speech_threshold: inDecoding({
    kind: orNone(number()),
    fallback: 0.6,
    help: "a window that failed --logprob_threshold and is silence with a higher probability than this is skipped",
  }),
  beam_size: inDecoding({
    kind: orNone(integer({ atLeast: 1 })),
    fallback: 5,
    help: "beams at temperature 0; None: greedy, which is faster",
  }),
  best_of: inDecoding({
    kind: orNone(integer({ atLeast: 1 })),
    fallback: 5,
    help: "candidates at temperatures above 0",
  }),
  patience: inDecoding({
    kind: orNone(number({ above: 0 })),
    fallback: undefined,
    help: "beam search goes on until it has beam_size times this many texts; like 1 when not given",
  }),
  length_penalty: inDecoding({
    kind: orNone(number({ atLeast: 0, atMost: 1 })),
    fallback: undefined,
    help: "exponent alpha for comparing texts of different length; plain average when not given",
  }),
  suppress_tokens: inDecoding({
    kind: list(integer({ atLeast: -1 }), "IDS", "token ids such as -1,50"),
    fallback: [-1],
    fallbackText: "-1",
    help: "token ids that are never written; -1: all special characters but common punctuation",
  }),

  vad_filter: inDecoding({
    kind: boolean,
    fallback: true,
    help: "hear only where somebody speaks, by Silero's model, and drop text that nobody spoke; False: openai/whisper's algorithm alone",
  }),
  way: inDecoding({
    kind: choice(["auto", "sequential", "batched"]),
    fallback: "auto",
    help: "sequential: window after window, each reading the text before it; batched: several windows at once, each by itself; auto: batched from a minute of speech on",
  }),
  batch_size: inDecoding({
    kind: orNone(integer({ atLeast: 1 })),
    fallback: undefined,
    fallbackText: "as many as the device gains from",
    help: "windows decoded at once, where the way is batched",
  }),
  encoder_margin: inDecoding({
    kind: orNone(number({ atLeast: 0 })),
    fallback: undefined,
    fallbackText: "None",
    help: "seconds of silence that are encoded after a recording shorter than 30 s; None: all of it, as models are trained; less is much faster, and wrong with some models",
  }),

  word_timestamps: inWords({ kind: boolean, fallback: false, help: "find the time of each word" }),
  prepend_punctuations: inWords({
    kind: punctuation,
    fallback: "\"'“¿([{-",
    help: "marks that belong to the word after them",
  }),
  append_punctuations: inWords({
    kind: punctuation,
    fallback: "\"'.。,，!！?？:：”)]}、",
    help: "marks that belong to the word before them",
  }),
  highlight_words: inWords({
    kind: boolean,
    fallback: false,
    help: "underline each word while it is spoken, in srt and vtt",
  }),
  max_line_width: inWords({
    kind: orNone(integer({ atLeast: 1 })),
    fallback: undefined,
    help: "characters in a subtitle's line",
  }),
  max_line_count: inWords({
    kind: orNone(integer({ atLeast: 1 })),
    fallback: undefined,
    help: "lines in a subtitle; needs --max_line_width",
  }),
  max_words_per_line: inWords({
    kind: orNone(integer({ atLeast: 1 })),
    fallback: undefined,
    help: "words in a subtitle; no effect with --max_line_width",
  }),
  hallucination_silence_threshold: inWords({
    kind: orNone(number({ atLeast: 0 })),
    fallback: undefined,
    help: "skip silence longer than this many seconds around text that may have been made up",
  }),

  clip_timestamps: inParts({
    kind: list(number({ atLeast: 0 }), "TIMES", "seconds such as 0,60,120"),
    fallback: [0],
    fallbackText: "0",
    help: "start,end,start,end,… in seconds; without the last end, up to the end of the recording",
  }),
  track: inParts({
    kind: track,
    fallback: undefined,
    fallbackText: "the one that players choose",
    help: "sound track, counted from 0; mix: all of them together",
  }),
  channel: inParts({
    kind: integer({ atLeast: 0 }),
    fallback: undefined,
    fallbackText: "all, mixed down",
    help: "channel of the track, counted from 0",
  }),
  tracks: inParts({
    kind: choice(["auto", "on", "off"]),
    fallback: "auto",
    help: "on: one speaker on each track, or on each channel of the only track; auto: where the sound shows it; off: all sound together, as openai/whisper",
  }),
  speakers: inParts({
    kind: list(text("NAME", "a name"), "NAMES", "names such as Anna,Ben"),
    fallback: [],
    fallbackText: "the tracks' titles, else Speaker 1, Speaker 2, …",
    help: "who speaks on each track or channel",
  }),
};

export type TranscribeValues = ValuesOf<typeof OPTIONS>;
export type TranscribeArguments = ParsedArguments<typeof OPTIONS>;

/** Reads the command line and what does not fit together in it. */
export function readArguments(argv: readonly string[]): TranscribeArguments {
  const parsed = parseArguments(argv, OPTIONS);
  const { values, positionals } = parsed;
  const problems = [...parsed.problems];
  if (positionals.length === 0) problems.push("Name at least one recording, or - for standard input.");
  if (values.language !== undefined && values.languages !== undefined) {
    problems.push("--language says what is spoken and --languages what to detect: give only one of them.");
  }
  if (!values.word_timestamps) {
    for (const name of ["highlight_words", "max_line_count", "max_line_width", "max_words_per_line"] as const) {
      if (values[name]) problems.push(`--${name} requires --word_timestamps True.`);
    }
  }
  if (values.patience !== undefined && values.beam_size === undefined) {
    problems.push("--patience requires --beam_size.");
  }
  if (values.way === "batched" && !values.vad_filter) {
    problems.push("--way batched requires --vad_filter True: it cuts the recording where nobody speaks.");
  }
  if (values.mixed_languages && values.language !== undefined) {
    problems.push("--mixed_languages detects the language in each window: leave out --language, or give --languages.");
  }
  if (values.speakers.length > 0 && values.tracks === "off") {
    problems.push("--speakers names the speakers of the tracks: leave out --tracks off.");
  }
  if (values.tracks === "on" && positionals.includes("-")) {
    problems.push("--tracks on needs a file: standard input can be read once only.");
  }
  if (values.tracks === "on" && (values.channel !== undefined || values.track === "mix")) {
    problems.push("--tracks on takes each channel by itself: leave out --channel and --track mix.");
  }
  if (values.track === "mix" && values.channel !== undefined) {
    problems.push("--channel chooses from one track, not from --track mix.");
  }
  const clips = values.clip_timestamps;
  if (clips.some((seconds, index) => index % 2 === 1 && seconds <= (clips[index - 1] ?? 0))) {
    problems.push("--clip_timestamps must give each clip's end after its start.");
  }
  return { ...parsed, problems };
}

/** Sentences about options that have no effect, as openai/whisper warns. */
export function warningsFor(values: TranscribeValues): string[] {
  const warnings: string[] = [];
  if (values.max_line_count && !values.max_line_width) {
    warnings.push("--max_line_count has no effect without --max_line_width.");
  }
  if (values.max_words_per_line && values.max_line_width) {
    warnings.push("--max_words_per_line has no effect with --max_line_width.");
  }
  if (values.hallucination_silence_threshold !== undefined && !values.word_timestamps) {
    warnings.push("--hallucination_silence_threshold has no effect without --word_timestamps True.");
  }
  if (values.batch_size !== undefined && values.way === "sequential") {
    warnings.push("--batch_size has no effect with --way sequential.");
  }
  if (values.word_timestamps && values.task === "translate") {
    warnings.push("Word times of translations may not be reliable.");
  }
  return warnings;
}

type Ungrouped<T, Fallback> = Omit<Option<T>, "group" | "fallback"> & { readonly fallback: Fallback };

function group(name: string) {
  return <T, const Fallback extends T | undefined>(option: Ungrouped<T, Fallback>): Option<T | Fallback> => ({
    ...option,
    group: name,
  });
}
