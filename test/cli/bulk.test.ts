// `earshot transcribe` over folders, patterns and lists: what is found, what is left, and going on after an interruption.
import { spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startDisplay } from "../../src/cli/bulk/display.ts";
import { findRecordings, standsForMany } from "../../src/cli/bulk/inputs.ts";
import { openSummary } from "../../src/cli/bulk/summary.ts";
import { transcribe } from "../../src/cli/transcribe.ts";
import { error } from "../support/recordings.ts";
import { speechPath } from "../support/speech.ts";
import { type TerminalOptions, terminal } from "../support/terminal.ts";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const QUICK = [
  ...["--model", "demo", "--device", "cpu", "--threads", "1", "--language", "en"],
  ...["--beam_size", "None", "--temperature_increment_on_fallback", "None", "-f", "txt"],
];

vi.setConfig({ testTimeout: 240_000 });

let folder: string;
const at = (...names: string[]) => join(folder, ...names);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-bulk-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Empty files, by their paths in the folder. */
async function touch(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(join(at(path), ".."), { recursive: true });
    await writeFile(at(path), "");
  }
}

async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort();
}

describe("what is found", () => {
  it("in a folder: recordings at any depth, by their names, and no links into loops", async () => {
    await touch("in/b.mp3", "in/a/x.WAV", "in/a/notes.txt", "in/.hidden/y.mp3", "in/[odd] name/z (1).opus");
    await symlink(at("in"), at("in/a/loop"));
    const found = await findRecordings([at("in")], undefined);
    expect(found.map(({ name }) => name)).toEqual(["[odd] name/z (1).opus", "a/x.WAV", "b.mp3"]);
    expect(found.map(({ stem }) => stem)).toEqual([at("in/[odd] name/z (1)"), at("in/a/x"), at("in/b")]);
  });

  it("makes the folder's tree again elsewhere, and tells recordings apart that differ in their ending alone", async () => {
    await touch("in/day.1/call.mp3", "in/day.1/call.wav", "in/day.1/other.wav");
    const found = await findRecordings([at("in")], at("out"));
    expect(found.map(({ stem }) => stem)).toEqual([
      at("out/day.1/call.mp3"),
      at("out/day.1/call.wav"),
      at("out/day.1/other"),
    ]);
  });

  it("by a pattern, whose fixed beginning is the folder", async () => {
    await touch("calls/may/1.mp3", "calls/june/2.mp3", "calls/june/2.ogg");
    const found = await findRecordings([at("calls/*/*.mp3")], at("out"));
    expect(found.map(({ name, stem }) => [name, stem])).toEqual([
      ["june/2.mp3", at("out/june/2")],
      ["may/1.mp3", at("out/may/1")],
    ]);
    await expect(findRecordings([at("calls/*.mp4")], undefined)).rejects.toEqual(
      error("not_found", "No recording matches"),
    );
  });

  it("by a list, from the list's own folder; what lies elsewhere stays inside the output folder", async () => {
    await touch("lists/near.mp3", "far/away.mp3");
    await writeFile(at("lists/calls.txt"), "# May\r\nnear.mp3\r\n\r\n../far/away.mp3\r\nnear.mp3\r\n");
    const found = await findRecordings([`@${at("lists/calls.txt")}`], at("out"));
    expect(found.map(({ stem }) => stem)).toEqual([at("out", at("far/away").slice(1)), at("out/near")]);
    await writeFile(at("lists/wrong.txt"), "gone.mp3\n");
    await expect(findRecordings([`@${at("lists/wrong.txt")}`], undefined)).rejects.toEqual(
      error("not_found", "gone.mp3", "list"),
    );
    await expect(findRecordings([`@${at("no-such-list")}`], undefined)).rejects.toEqual(
      error("not_found", "no-such-list"),
    );
    await writeFile(at("lists/empty.txt"), "\n# nothing\n");
    await expect(findRecordings([`@${at("lists/empty.txt")}`], undefined)).rejects.toEqual(
      error("not_found", "names no"),
    );
  });

  it("takes a recording once, however often it is named", async () => {
    await touch("in/a.mp3");
    expect(await findRecordings([at("in"), at("in/*.mp3"), at("in/a.mp3")], undefined)).toHaveLength(1);
  });

  it("leaves single recordings to the plain command, also those with odd names", async () => {
    await touch("what [1].mp3");
    expect(await standsForMany(at("what [1].mp3"))).toBe(false);
    expect(await standsForMany("missing.mp3")).toBe(false);
    expect(await standsForMany("-")).toBe(false);
    expect(await standsForMany(folder)).toBe(true);
    expect(await standsForMany("calls/**/*.mp3")).toBe(true);
    expect(await standsForMany("@calls.txt")).toBe(true);
  });

  it("says so when a folder holds none", async () => {
    await touch("in/notes.txt");
    await expect(findRecordings([at("in")], undefined)).rejects.toEqual(error("not_found", at("in")));
  });
});

describe("a run", () => {
  const clips = ["clean_000", "clean_002", "clean_004"];
  beforeEach(async () => {
    await mkdir(at("in/may"), { recursive: true });
    for (const clip of clips) await copyFile(speechPath(clip), at("in/may", `${clip}.flac`));
    await writeFile(at("in/=bad.mp3"), "no sound at all");
  });
  const run = async (options?: TerminalOptions, ...more: string[]) => {
    const shown = terminal(options);
    return { exitCode: await transcribe([at("in"), ...QUICK, ...more], shown.io), ...shown };
  };
  const summary = async (path: string) =>
    JSON.parse(await readFile(join(path, "earshot-summary.json"), "utf8")) as {
      done: number;
      failed: number;
      files: { file: string; state: string; duration?: number; words?: number; message?: string }[];
    };

  it("leaves the files beside the recordings and a summary, skips what fails, and does nothing twice", async () => {
    const first = await run();
    expect(first.exitCode).toBe(1);
    expect(await filesIn(at("in/may"))).toEqual(clips.flatMap((clip) => [`${clip}.flac`, `${clip}.txt`]));
    expect(first.stderr()).toMatch(/^Skipping =bad\.mp3: =bad\.mp3 is not audio or video/m);
    expect(first.stderr()).toMatch(/^may\/clean_000\.flac: 3\.3 s of audio in /m);
    expect(first.stderr()).toMatch(/3 of 4 recordings done, 1 failed: .* of audio in .*earshot-summary\.tsv\.\n$/);
    const told = await summary(at("in"));
    expect(told).toMatchObject({ done: 3, failed: 1, recordings: 4 });
    expect(told.files[1]).toMatchObject({ file: "may/clean_000.flac", state: "done", duration: 3.3, model: "demo" });
    // A spreadsheet does not compute it.
    expect(await readFile(at("in/earshot-summary.tsv"), "utf8")).toMatch(/^'=bad\.mp3\tfailed\t/m);

    await rm(at("in/may/clean_002.txt"));
    const again = await run();
    expect(again.stderr()).not.toContain("clean_000");
    expect(again.stderr()).toMatch(/3 of 4 recordings done, 2 of them before, 1 failed/);
    expect(await summary(at("in"))).toMatchObject({ done: 3, failed: 1 });

    await rm(at("in/=bad.mp3"));
    expect(await run()).toMatchObject({ exitCode: 0 });
    // A recording that was changed since is transcribed again.
    const later = new Date(Date.now() + 60_000);
    await utimes(at("in/may/clean_004.flac"), later, later);
    expect((await run()).stderr()).toMatch(/3 of 3 recordings done, 2 of them before/);
    expect((await run(undefined, "--overwrite", "-o", at("out"))).stderr()).toMatch(/3 of 3 recordings done:/);
    expect(await filesIn(at("out"))).toEqual([
      ...["json", "jsonl", "tsv"].map((ending) => `earshot-summary.${ending}`),
      ...clips.map((clip) => `may/${clip}.txt`),
    ]);
  });

  it("shows one line on a terminal, and tells programs each end", async () => {
    const { exitCode, stdout, stderr } = await run({ columns: 70 }, "--json-lines");
    expect(exitCode).toBe(1);
    const drawn = stderr().split("\r\x1b[K");
    for (const line of drawn.slice(1, -1)) expect(line.split("\n")[0]?.length).toBeLessThan(200);
    expect(drawn).toContainEqual(expect.stringMatching(/^ +\d+% [█░]{20} \d of 4, 1 running/));
    const lines = stdout()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; code?: string });
    expect(lines.map(({ type }) => type)).toEqual(["error", "done", "done", "done"]);
    expect(lines[0]).toMatchObject({ code: "unreadable" });
  });

  it("stops at Ctrl-C between two recordings, and goes on", async () => {
    const shown = terminal({ onStdout: (_text, controller) => controller.abort() });
    const argv = [at("in/may"), ...QUICK, "--json-lines"];
    expect(await transcribe(argv, shown.io)).toBe(130);
    expect(shown.stderr()).toMatch(/1 of 3 recordings done.*\nStopped\. The same command goes on with the rest\.\n$/s);
    const rest = terminal();
    expect(await transcribe(argv, rest.io)).toBe(0);
    expect(rest.stderr()).toMatch(/3 of 3 recordings done, 1 of them before/);
  });

  it("goes on after a SIGKILL, and has lost no note", async () => {
    const child = spawn(process.execPath, [MAIN, "transcribe", at("in/may"), ...QUICK, "--json-lines"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    const rest = terminal();
    expect(await transcribe([at("in/may"), ...QUICK], rest.io)).toBe(0);
    expect(rest.stderr()).toMatch(/3 of 3 recordings done, 1 of them before/);
    const { done, files } = await summary(at("in/may"));
    expect(done).toBe(3);
    expect(files.map(({ file, words = 0 }) => [file, words > 0])).toEqual(clips.map((clip) => [`${clip}.flac`, true]));
  });

  it("ends at once at what concerns every recording", async () => {
    const shown = terminal();
    const prompt = Array.from({ length: 300 }, (_, index) => `Term${index}`).join(", ");
    const attempt = transcribe([at("in/may"), ...QUICK, "--initial_prompt", prompt], shown.io);
    await expect(attempt).rejects.toEqual(error("prompt_too_long", "Shorten"));
    expect(shown.stderr()).not.toContain("Skipping");
  });

  it("takes standard input by itself only", async () => {
    const shown = terminal();
    expect(await transcribe([at("in"), "-", ...QUICK], shown.io)).toBe(2);
    expect(shown.stderr()).toContain("Standard input (-) is one recording");
  });
});

describe("the summary", () => {
  it("reads what earlier runs noted, but for half a line", async () => {
    const whole = { file: "a.mp3", state: "done", duration: 60, words: 100, at: "2026-11-01T10:00:00.000Z" };
    await writeFile(at("earshot-summary.jsonl"), `${JSON.stringify(whole)}\n{"file": "b.mp3", "sta`);
    const summary = await openSummary(folder);
    await summary.note({ file: "c\t.mp3", state: "failed", message: "No\nsound.", at: "2026-11-01T10:00:00.000Z" });
    await summary.write();
    expect(JSON.parse(await readFile(at("earshot-summary.json"), "utf8"))).toMatchObject({
      recordings: 2,
      done: 1,
      failed: 1,
      audioSeconds: 60,
      words: 100,
    });
    expect(await readFile(at("earshot-summary.tsv"), "utf8")).toBe(
      "file\tstate\tduration\telapsed\tlanguage\tmodel\twords\tmessage\n" +
        "a.mp3\tdone\t60\t\t\t\t100\t\nc .mp3\tfailed\t\t\t\t\t\tNo sound.\n",
    );
  });

  it("can be gone on with after half a line", async () => {
    await writeFile(at("earshot-summary.jsonl"), '{"file": "b.mp3", "sta');
    const entry = { file: "c.mp3", state: "done", at: "2026-11-01T10:00:00.000Z" } as const;
    await (await openSummary(folder)).note(entry);
    const { write } = await openSummary(folder);
    await write();
    expect(JSON.parse(await readFile(at("earshot-summary.json"), "utf8"))).toMatchObject({ files: [entry] });
  });
});

it("writes the same line into a log once a minute", () => {
  const shown = terminal();
  let ms = 0;
  const display = startDisplay(shown.io, () => ms);
  const counts = { total: 10, done: 1, running: 2, failed: 0, audioSeconds: 90, share: 0.1 };
  for (ms = 1000; ms <= 121_000; ms += 1000) display.update(counts);
  expect(shown.stderr().trim().split("\n")).toEqual([
    "10% 1 of 10, 2 running, 1 min 30 s of audio, 1.5x real time, 09:00 left",
    expect.stringMatching(/^ 10% 1 of 10/),
  ]);
});
