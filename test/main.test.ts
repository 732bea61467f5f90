// The command as it is started from a shell: exit codes, signals, and a terminal or disk that goes away.
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ffmpeg } from "./support/recordings.ts";
import { speechPath } from "./support/speech.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const QUICK = [
  ...["--model", "demo", "--device", "cpu", "--threads", "1", "--language", "en"],
  ...["--beam_size", "None", "--temperature_increment_on_fallback", "None"],
];
const CLEAN = speechPath("clean_000");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-main-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a program in a process group of its own, as a shell does. */
function start(program: string, argv: readonly string[], onStdout?: (group: number) => void): Promise<Ended> {
  const child = spawn(program, argv, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (child.pid !== undefined) onStdout?.(child.pid);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

const earshot = (...argv: string[]) => start(process.execPath, [MAIN, ...argv]);

/** The command in a shell, with words before and after it. */
function inShell(before: string, argv: readonly string[], after = ""): Promise<Ended> {
  const script = `${before} "$@" ${after}`;
  return start("sh", ["-c", script, "sh", process.execPath, MAIN, ...argv]);
}

// Each of these starts Node, and the machine may be busy.
vi.setConfig({ testTimeout: 240_000 });

describe("earshot", () => {
  it("lists its commands", async () => {
    const { exitCode, stdout } = await earshot();
    expect(exitCode).toBe(0);
    for (const name of ["start", "transcribe", "models", "doctor", "bench"]) expect(stdout).toContain(`\n  ${name} `);
    expect(await earshot("--help")).toEqual({ exitCode, stdout, stderr: "" });
  });

  it("has the version of the package", async () => {
    const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(await earshot("--version")).toEqual({ exitCode: 0, stdout: `earshot ${version}\n`, stderr: "" });
  });

  it("helps with a wrong command", async () => {
    const mistyped = await earshot("transcrbe");
    expect(mistyped).toMatchObject({ exitCode: 2, stdout: "" });
    expect(mistyped.stderr).toMatch(/^There is no command "transcrbe"\. Did you mean transcribe\?\n/);
    expect((await earshot(CLEAN)).stderr).toContain(`To transcribe ${CLEAN}: earshot transcribe ${CLEAN}`);
    expect((await earshot("constructor")).stderr).toContain('There is no command "constructor".');
  });

  it("says what cannot be done in one line, with exit code 1", async () => {
    await writeFile(join(folder, "file"), "");
    const { exitCode, stdout, stderr } = await earshot("transcribe", CLEAN, "-o", join(folder, "file/out"));
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(/^\S+file\/out cannot be written \(\w+\): choose another folder with --output_dir\.\n$/);
  });
});

describe("a transcription that is cut short", () => {
  let long: string;
  beforeEach(() => {
    long = join(folder, "long.flac");
    // A little more than a window.
    ffmpeg("-stream_loop", "1", "-i", speechPath("multi_000"), "-t", "34", long);
  });

  it("leaves whole files after Ctrl-C, which ffmpeg gets as well", async () => {
    const argv = [MAIN, "transcribe", long, ...QUICK, "-f", "srt,json", "-o", join(folder, "out")];
    let interrupted = false;
    const { exitCode, stdout, stderr } = await start(process.execPath, argv, (group) => {
      if (!interrupted) process.kill(-group, "SIGINT");
      interrupted = true;
    });
    expect(exitCode).toBe(130);
    expect(stderr).toContain("Stopping; Ctrl-C again stops at once.");
    expect(stderr).toMatch(/Stopped .*long\.flac at 00:\d\d\.\d{3} of 00:\d\d\.\d{3}\./);
    expect((await readdir(join(folder, "out"))).sort()).toEqual(["long.json", "long.srt"]);
    const { segments } = JSON.parse(await readFile(join(folder, "out/long.json"), "utf8")) as { segments: unknown[] };
    expect(segments.length).toBeGreaterThan(0);
    expect(stdout.match(/^\[/gm)?.length).toBeGreaterThan(0);
  });

  it("stops when nobody reads its output any more", async () => {
    const argv = ["transcribe", long, ...QUICK, "--json-lines"];
    const { exitCode, stderr } = await inShell("{", argv, `; echo "exit code $?" >&2; } | head -c 1`);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringMatching(/exit code 141\n$/) });
  });
});

describe.skipIf(process.platform !== "linux")("a full disk (/dev/full and ulimit are Linux's)", () => {
  it("leaves no half-written file", async () => {
    const out = join(folder, "out");
    // A shell may forbid files to grow; the signal for it is ignored, as on a full disk there is none.
    const { exitCode, stderr } = await inShell("trap '' XFSZ; ulimit -f 0; exec", [
      ...["transcribe", CLEAN, ...QUICK, "-f", "txt,json", "-o", out],
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/There is no room to write \S+out\/clean_000\.txt \(EFBIG\): free some space, or .*\n$/);
    expect(await readdir(out)).toEqual([]);
  });

  it("is noticed on the output as well", async () => {
    const { exitCode, stderr } = await inShell("exec", ["transcribe", CLEAN, ...QUICK, "--json-lines"], ">/dev/full");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("The output cannot be written (ENOSPC).");
  });
});
