import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readWords } from "../../src/cli/eval/engines.ts";
import { align, type HeardWord, keyOf, loopsIn, measure } from "../../src/cli/eval/measures.ts";
import { type EvalRecording, RECORDINGS, SMALL } from "../../src/cli/eval/recordings.ts";
import { makeSound, SOUNDS } from "../../src/cli/eval/sounds.ts";
import { type Clip, readSpeech } from "../../src/cli/eval/speech.ts";
import { evaluate } from "../../src/cli/eval.ts";
import type { Io } from "../../src/cli/io.ts";
import { demoFolder } from "../../src/inference/models.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures/speech", import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-eval-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function run(argv: readonly string[]) {
  const texts = { stdout: "", stderr: "" };
  const sink = (name: keyof typeof texts) =>
    new Writable({
      write(chunk, _encoding, done) {
        texts[name] += chunk;
        done();
      },
    });
  const { signal } = new AbortController();
  const io: Io = { stdin: Readable.from([]), stdout: sink("stdout"), stderr: sink("stderr"), env: {}, signal };
  return { exitCode: await evaluate(argv, io), ...texts };
}

const heard = (text: string, start = 0, isTimed = true): HeardWord[] =>
  text.split(" ").map((word, i) => ({ text: word, start: start + i, end: start + i + 1, isTimed }));

function recordingOf(text: string, start: number, seconds: number, term?: string): EvalRecording {
  const words = text.split(" ").map((word, i) => ({ text: word, start: start + i, end: start + i + 1 }));
  const utterance = { start, end: start + words.length, words, ...(term === undefined ? {} : { term }) };
  return { name: "", about: "", prompt: "", samples: new Float32Array(seconds * 16_000), utterances: [utterance] };
}

const bytesOf = (recording: EvalRecording | undefined) => Buffer.from(recording?.samples.buffer ?? new ArrayBuffer(0));

describe("earshot eval", () => {
  it("measures the demo model on a short recording, in a table and as JSON", async () => {
    const json = join(folder, "figures.json");
    const { exitCode, stdout, stderr } = await run([
      "--recordings",
      "jargon",
      "--minutes",
      "1",
      "--ways",
      "sequential,batched",
      "--json",
      json,
    ]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout.split("\n").filter((line) => line.length > 103)).toEqual([]);
    expect(stdout).toMatch(/^jargon: 4 names in each of 1 windows; 30 s, \d+ words$/m);
    expect(stdout).toMatch(/^ {2}Earshot, batched +\d+\.\d% +\d+ +\d+ +\d+\/-\/-\/\d+ +\d+ +(\d+\/\d+|-) +\d+x$/m);
    const { results } = JSON.parse(await readFile(json, "utf8"));
    expect(results.map(({ name }: { name: string }) => name)).toEqual(["jargon"]);
    for (const { measures } of results.flatMap(({ rows }: { rows: [] }) => rows)) {
      expect(measures.wordErrorRate).toBeLessThan(0.8);
      expect(measures.loops).toEqual([]);
    }
  }, 120_000);

  it("says everything that is wrong with a command line, and where a folder has no clips", async () => {
    const { exitCode, stderr } = await run(["--recordings", "opera", "--seed=0", "fast"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("--recordings must be one or several of talk,");
    expect(stderr).toContain("--seed must be a whole number of at least 1");
    expect(stderr).toContain("fast is not an option.");
    await expect(run(["--speech", folder])).rejects.toThrow(/refs\.json is missing: --speech takes a folder of clips/);
    const missing = ["--whisper-cpp", folder, "--minutes", "1"];
    await expect(run(missing)).rejects.toThrow(/whisper-cli is missing: --whisper-cpp takes the folder/);
  });
});

describe("the recordings", () => {
  let clips: readonly Clip[];
  beforeAll(async () => {
    clips = await readSpeech(join(demoFolder, "eval"));
  }, 60_000);

  it("are the same for the same seed, and hold what they say they hold", () => {
    const lengths = {
      ...SMALL,
      talkMinutes: 1,
      pausesMinutes: 1,
      soundMinutes: 1,
      jargonWindows: 3,
      silenceMinutes: 1,
    };
    for (const make of Object.values(RECORDINGS)) {
      const [one, same, other] = [make(clips, lengths, 1), make(clips, lengths, 1), make(clips, lengths, 2)];
      if (one === undefined) throw new Error("no recording");
      expect([bytesOf(one).equals(bytesOf(same)), bytesOf(one).equals(bytesOf(other))]).toEqual([true, false]);
      expect(one.utterances).toEqual(same?.utterances);
      const seconds = one.samples.length / 16_000;
      let before = 0;
      for (const { start, end, words } of one.utterances) {
        expect(start).toBeGreaterThanOrEqual(before);
        expect(end).toBeLessThanOrEqual(seconds);
        // Loud where somebody speaks.
        const middle = one.samples.subarray(Math.floor(start * 16_000), Math.floor(end * 16_000));
        expect(middle.some((sample) => Math.abs(sample) > 0.05)).toBe(true);
        for (const word of words) {
          if (word.start !== undefined) expect(word.start).toBeGreaterThanOrEqual(start - 0.01);
          if (word.end !== undefined) expect(word.end).toBeLessThanOrEqual(end + 0.01);
        }
        before = start;
      }
      // Nobody can say a perfect transcript made up, lost or repeated anything.
      const perfect = one.utterances.flatMap(({ start, end, words }) =>
        words.map((word) => ({ text: word.text, start: word.start ?? start, end: word.end ?? end, isTimed: true })),
      );
      const { wordErrorRate, inSilence, loops, recall, leaked, timeErrors } = measure(one, perfect);
      expect([inSilence, loops, leaked]).toEqual([[], [], 0]);
      expect(perfect.length === 0 ? Number.isNaN(wordErrorRate) : wordErrorRate === 0).toBe(true);
      expect(Math.max(0, ...timeErrors)).toBe(0);
      expect(recall.filter((share) => share < 1)).toEqual([]);
    }
  }, 60_000);

  it("have each of the names once in every window of 30 s", () => {
    const jargon = RECORDINGS.jargon(clips, { ...SMALL, jargonWindows: 4 }, 1);
    expect(jargon?.samples.length).toBe(4 * 30 * 16_000);
    const terms = jargon?.prompt.replace(/^Glossary: |\.$/g, "").split(", ") ?? [];
    expect(terms).toHaveLength(4);
    for (let window = 0; window < 4; window++) {
      const said = jargon?.utterances.filter(({ start }) => Math.floor(start / 30) === window).map(({ term }) => term);
      expect(said?.filter((term) => term !== undefined).sort()).toEqual([...terms].sort());
    }
  });

  it("reads the other set of clips too, which has no word times", async () => {
    // Two of its 62 clips: each is decoded by an ffmpeg of its own.
    const files = ["clean_004.flac", "jargonnew_000.flac"];
    const refs = JSON.parse(await readFile(join(FIXTURES, "refs.json"), "utf8")) as { readonly file: string }[];
    await writeFile(join(folder, "refs.json"), JSON.stringify(refs.filter(({ file }) => files.includes(file))));
    for (const file of files) await copyFile(join(FIXTURES, file), join(folder, file));
    const others = await readSpeech(folder);
    expect(others.map(({ category, term }) => [category, term])).toEqual([
      ["clean", undefined],
      ["jargonnew", "Scelbor"],
    ]);
    const talk = RECORDINGS.talk(others, { ...SMALL, talkMinutes: 1 }, 1);
    expect(talk?.utterances.length).toBeGreaterThan(5);
    expect(talk?.utterances.flatMap(({ words }) => words).every(({ start }) => start === undefined)).toBe(true);
  }, 30_000);

  it.each(SOUNDS)("%s is not louder than speech and as long as asked for", (sound) => {
    const samples = makeSound(sound, 2, 1);
    expect(samples).toHaveLength(32_000);
    expect(Math.max(...samples.map(Math.abs))).toBeLessThan(0.6);
    expect(samples.some((sample) => sample !== 0)).toBe(sound !== "silence");
  });
});

describe("the measures", () => {
  it("count wrong, missing and added words, whatever their case, commas and quotes", () => {
    const recording = recordingOf("We spent $45,000 on “the” server.", 1, 10);
    expect(measure(recording, heard("we spent $45000 on the Server", 1)).wordErrorRate).toBe(0);
    expect(measure(recording, heard("we spent on that server today", 1)).wordErrorRate).toBeCloseTo(3 / 6);
    expect(keyOf("6.2.")).toBe("6.2");
    expect(keyOf("18%,")).toBe("18%");
    expect(keyOf("—")).toBe("");
  });

  it("find words where nobody speaks, half a second from any speech", () => {
    const recording = recordingOf("one two", 10, 60);
    expect(measure(recording, heard("Thank you", 40)).inSilence).toEqual(["Thank", "you"]);
    expect(measure(recording, [{ text: "one", start: 9, end: 9.6, isTimed: true }]).inSilence).toEqual([]);
    expect(measure(recording, [{ text: "one", start: 9, end: 9.4, isTimed: true }]).inSilence).toEqual(["one"]);
  });

  it("find loops, and none in plain speech", () => {
    expect(loopsIn("a b a b a b c".split(" "))).toEqual(["a b (3 times)"]);
    expect(loopsIn("no no no no".split(" "))).toEqual(["no (4 times)"]);
    expect(loopsIn("no no no and it is what it is".split(" "))).toEqual([]);
    const recording = recordingOf("very very very very good", 0, 10);
    expect(measure(recording, heard("very very very very good")).loops).toEqual([]);
  });

  it("find names by window, and names where none was said", () => {
    const recording = recordingOf("we use Qavylow daily", 31, 90, "Qavylow");
    expect(measure(recording, heard("we use Qavylow daily", 31)).recall).toEqual([Number.NaN, 1, Number.NaN]);
    const wrong = measure(recording, heard("we Qavylow use Kavilo daily", 31));
    expect([wrong.recall[1], wrong.leaked]).toEqual([0, 1]);
  });

  it("compare times of words in runs of three, and tell numbers with times from those without", () => {
    const recording = recordingOf("we have 28 tests the", 0, 30);
    const late = heard("we have 28 tests", 0.1);
    const stray = { text: "the", start: 20, end: 21, isTimed: true };
    const { timeErrors, digits, digitErrors } = measure(recording, [...late, { ...stray, text: "a" }, stray]);
    expect(timeErrors).toHaveLength(8);
    for (const error of timeErrors) expect(error).toBeCloseTo(0.1);
    expect([digits, digitErrors.length]).toEqual([{ heard: 1, timed: 1 }, 2]);
    expect(measure(recording, heard("we have 28 tests", 0, false)).digits).toEqual({ heard: 1, timed: 0 });
  });

  it("align by the fewest edits", () => {
    const { errors, pairs } = align(["a", "b", "c"], ["x", "b", "c", "d"]);
    expect([errors, pairs]).toEqual([2, [[1, 1], [2, 2]]]); // biome-ignore format: pairs
    expect(align([], ["a"])).toEqual({ errors: 1, pairs: [] });
  });

  it("read whisper.cpp's tokens as words", () => {
    const token = (text: string, from: number, to: number) => ({ text, offsets: { from, to } });
    const tokens = [token("[_BEG_]", 0, 0), token(" Ka", 100, 200), token("vilo", 200, 400), token(".", 400, 400)];
    const json = JSON.stringify({ transcription: [{ tokens: [...tokens, token("[_TT_50]", 400, 400)] }] });
    expect(readWords(json)).toEqual([{ text: "Kavilo.", start: 0.1, end: 0.4, isTimed: true }]);
  });
});
