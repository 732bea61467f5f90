// The command line reads as openai/whisper's does, and says everything that is wrong with it at once.
import { describe, expect, it } from "vitest";
import { formatOptions } from "../../src/cli/help.ts";
import { OPTIONS, readArguments, warningsFor } from "../../src/cli/options.ts";
import { clippedSeconds, engineOptions, loadOptions, remainingClips, temperatures } from "../../src/cli/request.ts";
import { clockText, spanText, speedText } from "../../src/cli/spans.ts";
import { closeLanguages, LANGUAGES, languageCode } from "../../src/core/languages.ts";

const read = (commandLine: string) => readArguments(commandLine.split(" ").filter((word) => word !== ""));

function valuesOf(commandLine: string) {
  const { values, problems } = read(`talk.mp3 ${commandLine}`);
  expect(problems).toEqual([]);
  return values;
}

describe("openai/whisper's command lines", () => {
  it("has its defaults", () => {
    // Ref: openai/whisper transcribe.py `cli`, but for carry_initial_prompt and vad_filter, and the model and device, chosen here.
    expect(valuesOf("")).toEqual({
      output_dir: ".",
      overwrite: false,
      pool: false,
      parallel: 32,
      nats: "",
      creds: "",
      ca: "",
      cert: "",
      key: "",
      output_format: ["all"],
      verbose: true,
      "json-lines": false,
      model: "auto",
      model_dir: undefined,
      device: "auto",
      precision: undefined,
      fp16: true,
      threads: 0,
      task: "transcribe",
      language: undefined,
      languages: undefined,
      initial_prompt: undefined,
      carry_initial_prompt: true,
      condition_on_previous_text: true,
      temperature: 0,
      temperature_increment_on_fallback: 0.2,
      compression_ratio_threshold: 2.4,
      logprob_threshold: -1,
      no_speech_threshold: 0.6,
      beam_size: 5,
      best_of: 5,
      patience: undefined,
      length_penalty: undefined,
      suppress_tokens: [-1],
      vad_filter: true,
      way: "auto",
      batch_size: undefined,
      encoder_margin: undefined,
      word_timestamps: false,
      prepend_punctuations: "\"'“¿([{-",
      append_punctuations: "\"'.。,，!！?？:：”)]}、",
      highlight_words: false,
      max_line_width: undefined,
      max_line_count: undefined,
      max_words_per_line: undefined,
      hallucination_silence_threshold: undefined,
      clip_timestamps: [0],
      track: undefined,
      channel: undefined,
      // Our own, which openai has not.
      verbatim: true,
      chapters: false,
      mixed_languages: false,
      tracks: "auto",
      speakers: [],
    });
  });

  it.each([
    ["--beam_size 3", { beam_size: 3 }],
    ["--beam_size=3", { beam_size: 3 }],
    ["--beam-size 3", { beam_size: 3 }],
    ["--beam 3", { beam_size: 3 }],
    ["--beam_size 1 --beam_size 2", { beam_size: 2 }],
    ["--best_of None", { best_of: undefined }],
    ["--lang de", { language: "de" }],
    ["--track 1", { track: 1, tracks: "auto" }],
    ["--tracks on --speakers Anna,Ben", { tracks: "on", speakers: ["Anna", "Ben"] }],
    ["--language German", { language: "de" }],
    ["--language GERMAN", { language: "de" }],
    ["--language Castilian", { language: "es" }],
    ["--language None", { language: undefined }],
    ["--languages en,German", { languages: ["en", "de"] }],
    ["-o out -f srt", { output_dir: "out", output_format: ["srt"] }],
    ["-oout -f=txt,srt", { output_dir: "out", output_format: ["txt", "srt"] }],
    ["--output-format vtt", { output_format: ["vtt"] }],
    ["--logprob_threshold -0.5", { logprob_threshold: -0.5 }],
    ["--suppress_tokens -1", { suppress_tokens: [-1] }],
    ["--suppress_tokens -1,50", { suppress_tokens: [-1, 50] }],
    ["--suppress_tokens=", { suppress_tokens: [] }],
    ["--word_timestamps True", { word_timestamps: true }],
    ["--word_timestamps", { word_timestamps: true }],
    ["--word_timestamps --highlight_words", { word_timestamps: true, highlight_words: true }],
    ["--verbose False", { verbose: false }],
    ["--fp16=false", { fp16: false }],
    ["--clip_timestamps 0,60,120.5", { clip_timestamps: [0, 60, 120.5] }],
    ["--temperature_increment_on_fallback None", { temperature_increment_on_fallback: undefined }],
    ["--initial_prompt=-dash", { initial_prompt: "-dash" }],
    ["--track mix", { track: "mix" }],
    ["--track 1 --channel 0", { track: 1, channel: 0 }],
  ])("%s", (commandLine, expected) => {
    expect(valuesOf(commandLine)).toMatchObject(expected);
  });

  it("takes texts with spaces and dashes as values", () => {
    const { values, problems } = readArguments(["a.mp3", "--initial_prompt", "- Earshot, Kubernetes", "--beam_size=2"]);
    expect({ problems, prompt: values.initial_prompt }).toEqual({ problems: [], prompt: "- Earshot, Kubernetes" });
    expect(readArguments(["a.mp3", "--initial_prompt=a = b c"]).values.initial_prompt).toBe("a = b c");
  });

  it("takes file names between, after a bare boolean, and after --", () => {
    expect(read("--word_timestamps a.mp3 - --task translate b.mp3 -- -c.mp3 --beam_size").positionals).toEqual([
      "a.mp3",
      "-",
      "b.mp3",
      "-c.mp3",
      "--beam_size",
    ]);
  });
});

describe("what is wrong with a command line", () => {
  it.each([
    ["", ["Name at least one recording, or - for standard input."]],
    ["a --beam_size", ["--beam_size needs a value: a whole number of at least 1, or None."]],
    ["a --beam_size --task translate", ["--beam_size needs a value: a whole number of at least 1, or None."]],
    ["a --beam_size 0", ['--beam_size must be a whole number of at least 1, or None, not "0".']],
    ["a --beam_size 2.5", ['--beam_size must be a whole number of at least 1, or None, not "2.5".']],
    ["a --beam_size=", ['--beam_size must be a whole number of at least 1, or None, not "".']],
    ["a --temperature hot", ['--temperature must be a number of at least 0, not "hot".']],
    ["a --temperature Infinity", ['--temperature must be a number of at least 0, not "Infinity".']],
    [
      "a --temperature_increment_on_fallback 0",
      ['--temperature_increment_on_fallback must be a number above 0, or None, not "0".'],
    ],
    ["a --length_penalty 2", ['--length_penalty must be a number of at least 0 up to 1, or None, not "2".']],
    ["a --word_timestamps=yes", ['--word_timestamps must be True or False, not "yes".']],
    ["a --task sing", ['--task must be one of transcribe, translate, not "sing".']],
    ["a --output_format doc", ['--output_format must be one or several of txt,vtt,srt,tsv,json, or all, not "doc".']],
    ["a --suppress_tokens 1,x", ['--suppress_tokens must be token ids such as -1,50, not "1,x".']],
    [
      "a --language Germn",
      [
        '--language must be a code or an English name such as de or German, or None, not "Germn". Did you mean German (de)?',
      ],
    ],
    [
      "a --language Klingon",
      ['--language must be a code or an English name such as de or German, or None, not "Klingon".'],
    ],
    [
      "a --languages en,Frnch",
      ['--languages must be codes or English names such as en,de, not "en,Frnch". Did you mean French (fr)?'],
    ],
    [
      "a --language en --languages de",
      ["--language says what is spoken and --languages what to detect: give only one of them."],
    ],
    ["a --beam_sise 3 b", ["There is no option --beam_sise. Did you mean --beam_size?"]],
    ["a --volume", ["There is no option --volume."]],
    ["a -x", ["There is no option -x."]],
    ["a --output x", ["--output may be --output_dir or --output_format: write more of it."]],
    [
      "a --mixed_languages --language de",
      ["--mixed_languages detects the language in each window: leave out --language, or give --languages."],
    ],
    ["- --tracks on", ["--tracks on needs a file: standard input can be read once only."]],
    ["a --tracks off --speakers Anna,Ben", ["--speakers names the speakers of the tracks: leave out --tracks off."]],
    ["a --tracks on --channel 1", ["--tracks on takes each channel by itself: leave out --channel and --track mix."]],
    ["a --max_line_width 40", ["--max_line_width requires --word_timestamps True."]],
    ["a --patience 2 --beam_size None", ["--patience requires --beam_size."]],
    ["a --clip_timestamps 5,3", ["--clip_timestamps must give each clip's end after its start."]],
    [
      "a --way batched --vad_filter False",
      ["--way batched requires --vad_filter True: it cuts the recording where nobody speaks."],
    ],
    ["a --track mix --channel 1", ["--channel chooses from one track, not from --track mix."]],
    [
      "--beam_size x --task sing --volume",
      [
        '--beam_size must be a whole number of at least 1, or None, not "x".',
        '--task must be one of transcribe, translate, not "sing".',
        "There is no option --volume.",
        "Name at least one recording, or - for standard input.",
      ],
    ],
  ])("%s", (commandLine, problems) => {
    expect(read(commandLine).problems).toEqual(problems);
  });

  it("warns of options without effect", () => {
    expect(warningsFor(valuesOf("--word_timestamps --max_line_count 2 --task translate"))).toEqual([
      "--max_line_count has no effect without --max_line_width.",
      "Word times of translations may not be reliable.",
    ]);
    expect(warningsFor(valuesOf("--word_timestamps --max_line_width 40 --max_words_per_line 3"))).toEqual([
      "--max_words_per_line has no effect with --max_line_width.",
    ]);
    expect(warningsFor(valuesOf("--hallucination_silence_threshold 2 --way sequential --batch_size 3"))).toEqual([
      "--hallucination_silence_threshold has no effect without --word_timestamps True.",
      "--batch_size has no effect with --way sequential.",
    ]);
    expect(warningsFor(valuesOf(""))).toEqual([]);
  });
});

describe("what the engine is asked", () => {
  it("looks for models where --model_dir says", () => {
    const env = { EARSHOT_MODELS: "/elsewhere", HOME: "/home" };
    expect(loadOptions(valuesOf("--model_dir /mine"), env).env).toEqual({ EARSHOT_MODELS: "/mine", HOME: "/home" });
    expect(loadOptions(valuesOf(""), env).env).toBe(env);
  });

  it("loads fp32 when fp16 is refused and nothing else is asked for", () => {
    expect(loadOptions(valuesOf(""), {})).toEqual({ env: {}, device: "auto" });
    expect(loadOptions(valuesOf("--fp16 False --threads 2"), {})).toEqual({
      env: {},
      device: "auto",
      precision: "fp32",
      threads: 2,
    });
    expect(loadOptions(valuesOf("--fp16 False --precision q8 --device cpu"), {})).toEqual({
      env: {},
      device: "cpu",
      precision: "q8",
    });
  });

  it("hears only speech unless that is switched off, and chooses the way itself unless it is told", () => {
    expect(engineOptions(valuesOf(""))).toMatchObject({ vad: true, way: "auto" });
    expect(engineOptions(valuesOf("")).batchSize).toBeUndefined();
    expect(engineOptions(valuesOf("--vad_filter False"))).toMatchObject({ vad: false });
    expect(engineOptions(valuesOf("--way batched --batch_size 3"))).toMatchObject({ way: "batched", batchSize: 3 });
  });

  it("turns None into never", () => {
    const asked = engineOptions(valuesOf("--logprob_threshold None --no_speech_threshold None --beam_size None"));
    expect(asked).toMatchObject({ logprobThreshold: null, noSpeechThreshold: null, compressionRatioThreshold: 2.4 });
    expect(asked).not.toHaveProperty("beamSize");
  });

  it("tries numpy's temperatures", () => {
    // From numpy: np.arange(0, 1.0 + 1e-6, 0.2), (0.1, …, 0.3), (0.7, …, 0.1), (1, …, 0.2)
    expect(temperatures(0, 0.2)).toEqual([0, 0.2, 0.4, 0.6000000000000001, 0.8, 1]);
    expect(temperatures(0.1, 0.3)).toEqual([0.1, 0.4, 0.7000000000000001, 1.0000000000000002]);
    expect(temperatures(0.7, 0.1)).toEqual([0.7, 0.7999999999999999, 0.8999999999999999, 0.9999999999999999]);
    expect(temperatures(1, 0.2)).toEqual([1]);
    expect(temperatures(1.5, 0.2)).toEqual([1.5]);
    expect(temperatures(0.4, undefined)).toEqual([0.4]);
  });

  it("goes on with the clips that are left", () => {
    expect(remainingClips([0], 34.2)).toEqual([34.2]);
    expect(remainingClips([], 34.2)).toEqual([34.2]);
    expect(remainingClips([0, 60, 120], 20)).toEqual([20, 60, 120]);
    expect(remainingClips([0, 60, 120], 60)).toEqual([120]);
    expect(remainingClips([10, 20, 30, 40], 35)).toEqual([35, 40]);
  });

  it("counts the seconds in clips", () => {
    expect(clippedSeconds([0], 90)).toBe(90);
    expect(clippedSeconds([10, 20, 80], 90)).toBe(20);
    expect(clippedSeconds([10, 20, 80, 200], 90)).toBe(20);
    expect(clippedSeconds([100], 90)).toBe(0);
  });
});

describe("help", () => {
  const help = formatOptions(OPTIONS);

  it("has every option and fits into 80 columns", () => {
    for (const name of Object.keys(OPTIONS)) expect(help).toMatch(new RegExp(`  --${name}( |\n)|, --${name} `));
    expect(help.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  it("says where a default is not openai/whisper's", () => {
    expect(help.replace(/\s+/g, " ")).toContain(
      "openai/whisper: False, the prompt fades after the first (default: True)",
    );
  });
});

describe("languages", () => {
  it("knows codes, names and aliases in any case", () => {
    expect(Object.keys(LANGUAGES)).toHaveLength(100);
    expect(["EN", " yue", "Haitian Creole", "flemish", "__proto__", ""].map(languageCode)).toEqual([
      "en",
      "yue",
      "ht",
      "nl",
      undefined,
      undefined,
    ]);
  });

  it.each([
    ["Germn", ["German (de)"]],
    ["deutsch", ["German (de)"]],
    ["de-DE", ["German (de)"]],
    ["pt_BR", ["Portuguese (pt)"]],
    ["mandrin", ["Chinese (zh)"]],
    ["espanol", ["Spanish (es)"]],
    ["Klingon", []],
    ["xx", []],
    ["", []],
  ])("guesses what %s means", (word, expected) => {
    expect(closeLanguages(word)).toEqual(expected);
  });
});

it("writes lengths of time for people", () => {
  expect([0.04, 12.44, 59.96, 312.4, 3599.4, 11_530].map(spanText)).toEqual([
    "0.0 s",
    "12.4 s",
    "1 min 0 s",
    "5 min 12 s",
    "59 min 59 s",
    "3 h 12 min",
  ]);
  expect([0, 750, 3730].map(clockText)).toEqual(["00:00", "12:30", "1:02:10"]);
  expect([speedText(12.4, 1.1), speedText(12.4, 5), speedText(3, 8)]).toEqual([
    "11x real time",
    "2.5x real time",
    "0.4x real time",
  ]);
});
