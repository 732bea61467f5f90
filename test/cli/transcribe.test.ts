// `earshot transcribe` with the demo model: its files, its output, and what it says when something is wrong.
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { transcribe } from "../../src/cli/transcribe.ts";
import { UserError } from "../../src/core/errors.ts";
import { error, ffmpeg, PICTURE } from "../support/recordings.ts";
import { speechPath } from "../support/speech.ts";
import { type Terminal, type TerminalOptions, terminal } from "../support/terminal.ts";

/** Greedy, one attempt, no detection: as quick as it gets. */
const QUICK = [
  ...["--model", "demo", "--device", "cpu", "--threads", "1", "--language", "en"],
  ...["--beam_size", "None", "--temperature_increment_on_fallback", "None"],
];
const CLEAR_LINE = "\r\x1b[K";
const CLEAN = speechPath("clean_000");

// A busy machine may take a while to load the model for each of these.
vi.setConfig({ testTimeout: 240_000 });

let folder: string;
const at = (name: string) => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-transcribe-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function run(argv: readonly string[], options?: TerminalOptions): Promise<Terminal & { exitCode: number }> {
  const shown = terminal(options);
  const exitCode = await transcribe(argv, shown.io);
  return { ...shown, exitCode };
}

const output = async (name: string) => await readFile(at(`out/${name}`), "utf8");

function linesOf(text: string): string[] {
  expect(text === "" || text.endsWith("\n")).toBe(true);
  return text.split("\n").slice(0, -1);
}

/** The lines of --json-lines. */
function objectsOf(text: string): Record<string, unknown>[] {
  return linesOf(text).map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("what it leaves", () => {
  it("writes five files into a new folder, prints the segments, and sums up", async () => {
    const { exitCode, stdout, stderr } = await run([CLEAN, ...QUICK, "-o", at("out")]);
    expect(exitCode).toBe(0);
    expect((await readdir(at("out"))).sort()).toEqual([
      "clean_000.json",
      "clean_000.srt",
      "clean_000.tsv",
      "clean_000.txt",
      "clean_000.vtt",
    ]);
    const text = await output("clean_000.txt");
    expect(text.trim().split(/\s+/).length).toBeGreaterThan(3);
    const printed = linesOf(stdout());
    for (const line of printed) expect(line).toMatch(/^\[\d\d:\d\d\.\d{3} --> \d\d:\d\d\.\d{3}\] {2}\S/);
    expect(printed.map((line) => `${line.slice(27)}\n`).join("")).toBe(text);
    expect(await output("clean_000.json")).toMatch(/^\{"text": " .*", "segments": \[\{"id": 0, "seek": 0, "start": \d/);
    expect(await output("clean_000.srt")).toMatch(/^1\n00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}\n\S/);
    const [note, summary, ...rest] = linesOf(stderr());
    expect(note).toContain("Demo model: ");
    expect(summary).toMatch(/clean_000\.flac: 3\.3 s of audio in .+, \d+(\.\d)?x real time, model demo on CPU$/);
    expect(rest).toEqual([]);
  });

  it("prints nothing with --verbose False, and writes the words' times when asked", async () => {
    const words = ["--word_timestamps", "--highlight_words", "True"];
    const { exitCode, stdout } = await run([
      ...words,
      CLEAN,
      ...QUICK,
      "-o",
      at("out"),
      "-f",
      "vtt,json",
      "--verbose",
      "False",
    ]);
    expect({ exitCode, stdout: stdout() }).toEqual({ exitCode: 0, stdout: "" });
    expect(await readdir(at("out"))).toEqual(["clean_000.json", "clean_000.vtt"]);
    expect(await output("clean_000.json")).toMatch(/"words": \[\{"word": " ?\S+", "start": \d/);
    expect(await output("clean_000.vtt")).toContain("<u>");
  });

  it("reads standard input and names the files after it", async () => {
    const { exitCode } = await run(["-", ...QUICK, "-o", at("out"), "-f", "txt"], { stdin: createReadStream(CLEAN) });
    expect(exitCode).toBe(0);
    expect(await readdir(at("out"))).toEqual(["stdin.txt"]);
    expect((await output("stdin.txt")).length).toBeGreaterThan(10);
  });

  it("gives programs lines of JSON and, unless asked, no files", async () => {
    await mkdir(at("out"));
    const missing = at("missing.mp3");
    const { exitCode, stdout } = await run([CLEAN, missing, ...QUICK, "--json-lines", "-o", at("out")]);
    expect(exitCode).toBe(1);
    const lines = objectsOf(stdout());
    const segments = lines.filter((line) => line["type"] === "segment");
    expect(segments[0]).toMatchObject({ file: CLEAN, id: 0, seek: 0, temperature: 0 });
    expect(segments[0]).toHaveProperty("no_speech_prob");
    expect(lines.slice(segments.length)).toEqual([
      expect.objectContaining({
        type: "done",
        file: CLEAN,
        text: segments.map((segment) => segment["text"]).join(""),
        language: "en",
        duration: expect.closeTo(3.3, 1),
        outputs: [],
      }),
      { type: "error", file: missing, code: "not_found", message: expect.stringContaining("missing.mp3") },
    ]);
    expect(await readdir(at("out"))).toEqual([]);

    const withFile = await run([CLEAN, ...QUICK, "--json-lines", "-o", at("out"), "-f", "txt"]);
    expect(objectsOf(withFile.stdout()).at(-1)).toMatchObject({ type: "done", outputs: [at("out/clean_000.txt")] });
    expect(await readdir(at("out"))).toEqual(["clean_000.txt"]);
  });

  it("keeps a progress bar under the segments on a terminal", async () => {
    const { screen, stderr } = await run([CLEAN, ...QUICK, "--json-lines"], { columns: 60 });
    const lines = stderr().split(CLEAR_LINE);
    expect(lines[1]).toBe(`Reading ${CLEAN}`.slice(0, 59));
    expect(lines).toContainEqual(expect.stringMatching(/^100% █{24} 00:03 of 00:03, /));
    for (const line of lines.slice(1, -1)) expect(line.length).toBeLessThan(60);
    // Nothing stands before a segment on its line, and the bar is gone before the summary.
    expect(screen()).toContain(`${CLEAR_LINE}{"type":"segment"`);
    expect(lines.at(-1)).toContain("clean_000.flac: 3.3 s of audio in ");
  });
});

describe("what is wrong with a recording", () => {
  let inputs: string;
  beforeAll(async () => {
    inputs = await mkdtemp(join(tmpdir(), "earshot-inputs-"));
    await writeFile(join(inputs, "empty.wav"), "");
    await writeFile(join(inputs, "notes.mp3"), "This is a text, whatever its name says.\n".repeat(50));
    ffmpeg(...PICTURE, "-c:v", "mpeg4", join(inputs, "silent.mp4"));
    return () => rm(inputs, { recursive: true });
  });

  it("skips each bad one with a sentence and goes on", async () => {
    const bad = ["empty.wav", "notes.mp3", "silent.mp4", "missing.ogg"];
    const files = bad.map((name) => join(inputs, name));
    const { exitCode, stderr } = await run([...files, CLEAN, ...QUICK, "-o", at("out"), "-f", "txt"]);
    expect(exitCode).toBe(1);
    expect(await readdir(at("out"))).toEqual(["clean_000.txt"]);
    const skipped = linesOf(stderr()).filter((line) => line.startsWith("Skipping "));
    expect(skipped).toHaveLength(bad.length);
    for (const [index, file] of files.entries()) {
      expect(skipped[index]).toMatch(new RegExp(`^Skipping ${file}: \\S.*\\S\\.$`));
    }
    expect(stderr()).not.toContain("bug");
  });

  it("says it without a preface when there is only one", async () => {
    const { exitCode, stdout, stderr } = await run([join(inputs, "silent.mp4"), ...QUICK, "-o", at("out")]);
    expect({ exitCode, stdout: stdout() }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr()).toMatch(/silent\.mp4 .*(sound|audio)/);
    expect(await readdir(at("out"))).toEqual([]);
  });
});

describe("what is wrong with the command", () => {
  it("lists every problem before anything is loaded or written", async () => {
    const argv = ["--beam_size", "many", "--language", "Germn", "-o", at("out"), "--model", "no such model"];
    const { exitCode, stdout, stderr } = await run(argv);
    expect({ exitCode, stdout: stdout() }).toEqual({ exitCode: 2, stdout: "" });
    expect(linesOf(stderr())).toEqual([
      expect.stringMatching(/^earshot transcribe: --beam_size must be .*not "many"\.$/),
      expect.stringContaining("Did you mean German (de)?"),
      "earshot transcribe: Name at least one recording, or - for standard input.",
      "All options are explained by: earshot transcribe --help",
    ]);
    expect(await readdir(folder)).toEqual([]);
  });

  it("does not let two recordings write the same file", async () => {
    const { exitCode, stderr } = await run(["a/talk.mp3", "b/talk.wav", "-o", at("out")]);
    expect(exitCode).toBe(2);
    expect(stderr()).toContain(`a/talk.mp3 and b/talk.wav would both be written to ${at("out/talk.txt")}`);
    const twice = await run(["-", "stdin.mp3", "-o", at("out")]);
    expect(twice.stderr()).toContain("- and stdin.mp3 would both be written to");
  });

  it("does not overwrite a recording", async () => {
    const { exitCode, stderr } = await run([at("talk.txt"), "-o", folder]);
    expect(exitCode).toBe(2);
    expect(stderr()).toContain(`The output ${at("talk.txt")} would overwrite a recording`);
  });

  it("does not wait for a terminal to speak", async () => {
    const { exitCode, stderr } = await run(["-"], { stdinIsTTY: true });
    expect(exitCode).toBe(2);
    expect(stderr()).toContain("standard input, which is a terminal here");
  });

  it("refuses a folder that cannot be made before it loads a model", async () => {
    await writeFile(at("file"), "");
    const attempt = run([CLEAN, "--model", "no such model", "-o", at("file/out")]);
    await expect(attempt).rejects.toEqual(error("not_writable", "file/out", "--output_dir"));
  });

  it("refuses an initial prompt that is too long, for all recordings at once", async () => {
    const prompt = Array.from({ length: 300 }, (_, index) => `Term${index}`).join(", ");
    const shown = terminal();
    const attempt = transcribe(
      [CLEAN, speechPath("clean_001"), ...QUICK, "-o", at("out"), "--initial_prompt", prompt],
      shown.io,
    );
    await expect(attempt).rejects.toEqual(error("prompt_too_long", "Shorten"));
    expect(shown.stderr()).not.toContain("Skipping");
    expect(await readdir(at("out"))).toEqual([]);
  });

  it("names the way to a model that is not there", async () => {
    await expect(run([CLEAN, "--model", "no-such-model", "-o", at("out")])).rejects.toEqual(
      error("model_missing", "no-such-model", "earshot models list"),
    );
  });

  it("prints its help", async () => {
    const { exitCode, stdout } = await run(["--help"]);
    expect(exitCode).toBe(0);
    expect(stdout()).toMatch(/^Usage: earshot transcribe FILE/);
    expect(
      stdout()
        .split("\n")
        .filter((line) => line.length > 80),
    ).toEqual([]);
  });
});

describe("a call with a speaker on each channel", () => {
  it("has who speaks in every file, and no um where nobody wants it", async () => {
    const call = at("call.wav");
    const [one, other] = [speechPath("clean_000"), speechPath("clean_008")];
    const sides = "[0:a]aresample=16000,apad=whole_dur=9[l];[1:a]aresample=16000,adelay=5000,apad=whole_dur=9[r]";
    ffmpeg("-i", one, "-i", other, "-filter_complex", `${sides};[l][r]join=inputs=2:channel_layout=stereo`, call);
    const { exitCode, stdout } = await run([
      ...[call, ...QUICK, "-o", at("out"), "--speakers", "Anna,Ben"],
      ...["--verbatim", "False", "--word_timestamps"],
    ]);
    expect(exitCode).toBe(0);
    expect(stdout()).toMatch(/^\[00:0\d\.\d{3} --> 00:0\d\.\d{3}\] Ben: /m);
    expect(await output("call.txt")).toMatch(/^Anna: .+\nBen: .+\n$/);
    expect(await output("call.srt")).toMatch(/^1\n.*\nAnna: /);
    expect(await output("call.vtt")).toContain("\n<v Ben>");
    expect(await output("call.tsv")).toMatch(/^start\tend\ttext\tspeaker\n/);
    const { segments } = JSON.parse(await output("call.json")) as { segments: { speaker: string; start: number }[] };
    expect(segments.map(({ speaker }) => speaker)).toEqual(["Anna", "Ben"]);
    // The pause before the answer is not the answer's.
    expect(segments[1]?.start).toBeGreaterThan(4.9);
  });
});

describe("Ctrl-C", () => {
  let long: string;
  beforeAll(async () => {
    const recordings = await mkdtemp(join(tmpdir(), "earshot-long-"));
    long = join(recordings, "long.flac");
    // A little more than a window.
    ffmpeg("-stream_loop", "1", "-i", speechPath("multi_000"), "-t", "34", long);
    return () => rm(recordings, { recursive: true });
  });

  it("leaves whole files of what was finished, from where it can be gone on", async () => {
    const asked = [long, ...QUICK, "-f", "json,txt"];
    const onStdout: TerminalOptions["onStdout"] = (_text, interrupt) => interrupt.abort();
    const stopped = await run([...asked, CLEAN, "-o", at("out")], { onStdout });
    expect(stopped.exitCode).toBe(130);
    expect((await readdir(at("out"))).sort()).toEqual(["long.json", "long.txt"]);
    const { segments, text } = JSON.parse(await output("long.json")) as { segments: { end: number }[]; text: string };
    expect(linesOf(stopped.stdout())).toHaveLength(segments.length);
    expect(text.length).toBeGreaterThan(10);

    const [, start] = /--clip_timestamps (\S+) and another --output_dir\.\n/.exec(stopped.stderr()) ?? [];
    expect(stopped.stderr()).toContain(`Stopped ${long} at 00:`);
    expect(stopped.stderr()).toContain(`Not begun: ${CLEAN}`);
    expect(Number(start)).toBeGreaterThanOrEqual(segments.at(-1)?.end ?? Number.POSITIVE_INFINITY);

    const rest = await run([...asked, "-o", at("rest"), "--clip_timestamps", String(start)]);
    expect(rest.exitCode).toBe(0);
    const later = JSON.parse(await readFile(at("rest/long.json"), "utf8")) as { segments: { start: number }[] };
    expect(later.segments[0]?.start).toBeGreaterThanOrEqual(Number(start));
  });

  it("writes no file when nothing was finished", async () => {
    const shown = terminal();
    shown.interrupt.abort();
    expect(await transcribe([CLEAN, ...QUICK, "-o", at("out"), "--json-lines", "-f", "txt"], shown.io)).toBe(130);
    expect(shown.stderr()).toContain("Stopped before anything of ");
    expect(objectsOf(shown.stdout())).toEqual([{ type: "stopped", file: CLEAN, until: 0, outputs: [] }]);
    expect(await readdir(at("out"))).toEqual([]);
  });
});

it("shows UserErrors as they are and calls everything else a bug", async () => {
  const { describeFailure } = await import("../../src/cli/failure.ts");
  expect(describeFailure(new UserError("no_audio", "It has no sound."), {})).toBe("It has no sound.");
  expect(describeFailure(new TypeError("x is undefined"), {})).toMatch(
    /^This is a bug in Earshot \(x is undefined\): .*EARSHOT_DEBUG=1/,
  );
  expect(describeFailure(new TypeError("x is undefined"), { EARSHOT_DEBUG: "1" })).toMatch(
    /TypeError: x is undefined\n {4}at /,
  );
});
