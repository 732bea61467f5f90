import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { doctor } from "../../src/cli/doctor.ts";
import type { Io } from "../../src/cli/io.ts";

let folder: string;
const { FFMPEG_PATH, FFPROBE_PATH } = process.env;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-doctor-"));
});

afterEach(async () => {
  for (const [name, value] of Object.entries({ FFMPEG_PATH, FFPROBE_PATH })) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  await rm(folder, { recursive: true, force: true });
});

async function examine(argv: readonly string[] = [], env: Record<string, string> = {}) {
  const texts = { stdout: "", stderr: "" };
  const sink = (name: keyof typeof texts) =>
    new Writable({
      write(chunk, _encoding, done) {
        texts[name] += chunk;
        done();
      },
    });
  const io: Io = {
    stdin: Readable.from([]),
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    env: { EARSHOT_MODELS: folder, EARSHOT_DATA: join(folder, "none"), ...env },
    signal: new AbortController().signal,
  };
  return { exitCode: await doctor(argv, io), ...texts };
}

async function findings() {
  const { exitCode, stdout } = await examine(["--json"]);
  const all = JSON.parse(stdout).map((one: { check: string }) => [one.check, one]);
  return { exitCode, of: new Map<string, { state: string; finding: string; remedy?: string }>(all) };
}

describe("earshot doctor", () => {
  it("finds nothing to mend on a machine that runs these tests, says why devices were passed over, and names the model to download", async () => {
    const { exitCode, stdout, stderr } = await examine();
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`ok    ${"Node".padEnd(21)}${process.version}, ${process.platform} ${process.arch}\n`);
    expect(stdout).toMatch(/^ok {4}ffmpeg +\d\S*, .*ffmpeg/m);
    expect(stdout).toMatch(/^ok {4}device +\w+ is tried first/m);
    expect(stdout).toMatch(/^ok {4}model demo +\d+ files with the right checksums$/m);
    expect(stdout).toMatch(/^note {2}models +only the demo model is here.*\n +-> earshot models pull \S+$/m);
    expect(stdout).toMatch(/^ok {4}memory +\d+\.\d GB available of \d+\.\d GB$/m);
    expect(stdout).toMatch(/not (cuda|webgpu|dml|coreml): \S+/);
    expect(stdout).not.toMatch(/^mend/m);
  });

  it("exits with 1 when ffmpeg is missing, and says how to get it", async () => {
    process.env["FFMPEG_PATH"] = join(folder, "no-ffmpeg");
    const { exitCode, stdout } = await examine();
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^mend {2}ffmpeg +/m);
    expect(stdout).toMatch(/^mend {2}ffprobe +/m);
    expect(stdout).toContain("-> install ffmpeg (Debian, Ubuntu: apt-get install");
  });

  it("exits with 1 when a model's file is wrong, and names it and what mends it", async () => {
    await mkdir(join(folder, "base"));
    const sha256 = "0".repeat(64);
    const manifest = { name: "base", repo: "a/b", files: [{ path: "config.json", bytes: 2, sha256 }] };
    await writeFile(join(folder, "base/earshot.json"), JSON.stringify(manifest));
    await writeFile(join(folder, "base/config.json"), "{}");
    const found = await findings();
    expect(found.exitCode).toBe(1);
    expect(found.of.get("model base")).toEqual({
      check: "model base",
      state: "mend",
      finding: `${join(folder, "base/config.json")} has the wrong checksum.`,
      remedy: "earshot models pull base",
    });
  });

  it("tells of a download that was stopped", async () => {
    await mkdir(join(folder, "small/onnx"), { recursive: true });
    await writeFile(join(folder, "small/onnx/encoder_model.onnx.part"), "");
    expect((await findings()).of.get("model small")).toMatchObject({
      state: "note",
      remedy: "earshot models pull small, or earshot models rm small",
    });
  });

  it("exits with 1 when the models folder cannot be written", async () => {
    await writeFile(join(folder, "file"), "");
    folder = join(folder, "file", "models");
    const found = await findings();
    expect(found.exitCode).toBe(1);
    expect(found.of.get("models folder")).toMatchObject({
      state: "mend",
      finding: `${folder} cannot be written`,
    });
    folder = join(folder, "..", "..");
  });

  it("keeps to 80 columns where words allow it, explains itself, and refuses what it does not know", async () => {
    const help = await examine(["--help"]);
    expect(help.exitCode).toBe(0);
    for (const line of help.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(await examine(["everything"])).toMatchObject({
      exitCode: 2,
      stderr: 'earshot doctor: doctor does not take "everything".\n',
    });
    expect((await examine(["--jsn"])).stderr).toContain("Did you mean --json?");
  });

  it("looks at the settings, the data folder and the database, and says what mends them", async () => {
    const wrong = await examine([], { EARSHOT_PORT: "many" });
    expect(wrong.exitCode).toBe(1);
    expect(wrong.stdout).toMatch(/^mend {2}settings +EARSHOT_PORT must be a number/m);

    const data = join(folder, "data");
    const fresh = await examine([], { EARSHOT_DATA: data });
    expect(fresh.stdout).toMatch(/^ok {4}database +none yet/m);
    expect(fresh.stdout).toMatch(/^ok {4}slack +not set up \(SLACK_BOT_TOKEN\)/m);
    expect(fresh.stdout).toMatch(/^ok {4}discord +not set up \(DISCORD_TOKEN\)/m);
    expect(fresh.stdout).toMatch(/^ok {4}teams +not set up \(TEAMS_APP_ID\)/m);

    await mkdir(data);
    await writeFile(join(data, "earshot.db"), "no database at all, whatever its name may say");
    const broken = await examine([], { EARSHOT_DATA: data });
    expect(broken.exitCode).toBe(1);
    expect(broken.stdout).toMatch(/^mend {2}database +\S/m);
  });
});
