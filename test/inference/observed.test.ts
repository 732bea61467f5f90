// Decoding watched from outside, by strace: no socket of the network is opened, and nothing outside is touched.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { makeCorpus, mutant } from "../support/mutations.ts";

// `npm run soak` watches more of them.
const FILES = Number(process.env["EARSHOT_OBSERVED_FILES"] ?? 8);
const AUDIO = JSON.stringify(fileURLToPath(new URL("../../dist/inference/audio.js", import.meta.url)));

vi.setConfig({ testTimeout: 120_000 + FILES * 20_000 });

const canTrace = spawnSync("strace", ["-f", "-o", "/dev/null", "true"]).status === 0;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "earshot-observed-"));
  for (const name of ["corpus", "work", "secret"]) mkdirSync(join(folder, name));
  const corpus = makeCorpus(join(folder, "corpus"));
  writeFileSync(join(folder, "secret", "a.wav"), corpus[0]?.bytes ?? "");
  for (let number = 0; number < FILES; number++) {
    const { name, bytes } = mutant(number, corpus);
    writeFileSync(join(folder, "work", name), bytes);
  }
  // What would reach for other files and for the network, if anything did.
  const secret = join(folder, "secret", "a.wav");
  writeFileSync(join(folder, "work", "list.mp3"), `\n#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n${secret}\n`);
  writeFileSync(
    join(folder, "work", "call.sdp"),
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
  );
  writeFileSync(join(folder, "work", "list.concat"), `ffconcat version 1.0\nfile '${secret}'\n`);
  writeFileSync(join(folder, "work", "a.wav"), corpus[0]?.bytes ?? "");
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Call {
  readonly program: string;
  readonly text: string;
}

/** Every call of a trace with the program that made it: a process is the one that it was forked from, until it is another. */
function callsOf(trace: string): Call[] {
  const programs = new Map<string, string>();
  const calls: Call[] = [];
  for (const line of trace.split("\n")) {
    const [, pid = "", text = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const child = /^(?:<\.\.\. )?(?:clone3?|v?fork)\b.* = (\d+)$/.exec(text)?.[1];
    if (child !== undefined && !programs.has(child)) programs.set(child, programs.get(pid) ?? "");
    const started = /^execve\("([^"]+)".* = 0$/.exec(text)?.[1];
    if (started !== undefined) programs.set(pid, started);
    calls.push({ program: programs.get(pid) ?? "", text });
  }
  return calls;
}

function watch(sandbox: string): Call[] {
  const script = `const { decodeAudio } = await import(${AUDIO});
    let samples = 0;
    for (const path of process.argv.slice(1)) {
      try { for await (const chunk of decodeAudio(path, { maxSeconds: 600 })) samples += chunk.length; } catch (error) {
        if (error.name !== "UserError") throw error;
      }
    }
    if (samples === 0) throw new Error("nothing was decoded");`;
  const trace = join(folder, `trace-${sandbox}`);
  const names = readdirSync(join(folder, "work")).map((name) => join(folder, "work", name));
  const traced = ["-f", "-qq", "-s", "400", "-e", "trace=%network,%file,%process", "-e", "signal=none", "-o", trace];
  execFileSync("strace", [...traced, process.execPath, "--input-type=module", "-e", script, ...names], {
    env: { ...process.env, EARSHOT_SANDBOX: sandbox, TMPDIR: join(folder, "work") },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return callsOf(readFileSync(trace, "utf8"));
}

describe.skipIf(!canTrace).each(["off", "auto"])("with EARSHOT_SANDBOX=%s (needs strace)", (sandbox) => {
  let calls: Call[];
  beforeAll(
    () => {
      calls = watch(sandbox);
    },
    120_000 + FILES * 20_000,
  );
  const ffmpegs = () => calls.filter(({ program }) => /\/ff(mpeg|probe)$/.test(program));

  it("ffmpeg and ffprobe were watched at work", () => {
    expect(ffmpegs().some(({ text }) => text.includes("a.wav") || text.includes("/recording.wav"))).toBe(true);
  });

  it("no socket of the network is opened, by any process", () => {
    const reaching = calls.filter(({ text }) => /^(socket|connect|sendto|bind)\(.*AF_INET/.test(text));
    expect(reaching).toEqual([]);
    expect(ffmpegs().filter(({ text }) => /^(socket|connect|bind|sendto)\(/.test(text))).toEqual([]);
  });

  it("ffmpeg writes, makes, renames and deletes no file, and starts no program", () => {
    const touching = ffmpegs().filter(
      ({ text }) =>
        /^open(at)?\(.*O_(WRONLY|RDWR|CREAT|TRUNC)/.test(text) ||
        /^(creat|mkdir|mknod|rename|unlink|rmdir|link|symlink|truncate|chmod|chown|fchmodat|fchownat|setxattr)/.test(
          text,
        ) ||
        (/^(execve|fork|vfork)/.test(text) && !/^execve\("[^"]*\/ff(mpeg|probe)"/.test(text)),
    );
    expect(touching.filter(({ text }) => !text.includes('"/dev/null"'))).toEqual([]);
  });

  it("ffmpeg reads the recording and its libraries, and no other file", () => {
    const read = ffmpegs()
      .filter(({ text }) => /^open(at)?\(/.test(text) && !/ = -1 /.test(text))
      .map(({ text }) => /"([^"]*)"/.exec(text)?.[1] ?? "");
    const libraries = /^\/(usr\/(local\/)?)?lib(32|64)?\/|^\/etc\/(ld\.so\.cache|alternatives\/)|^\/(proc|sys|dev)\//;
    const recordings = sandbox === "off" ? join(folder, "work") : "/recording";
    const others = read.filter((path) => !libraries.test(path) && !path.startsWith(recordings));
    // Settings of libraries, which every program reads.
    expect(others.filter((path) => !/^\/etc\/[\w./-]+\.(conf|cnf)$|^\/usr\/share\/|locale/.test(path))).toEqual([]);
    expect(read.length).toBeGreaterThan(0);
  });

  it("nothing is written outside the work folder, by any process of ours", () => {
    const written = calls
      .filter(({ program, text }) => !/bwrap$/.test(program) && /^open(at)?\(.*O_(WRONLY|RDWR|CREAT)/.test(text))
      .filter(({ text }) => !/ = -1 /.test(text))
      .map(({ text }) => /"([^"]*)"/.exec(text)?.[1] ?? "");
    const elsewhere = written.filter((path) => !path.startsWith(join(folder, "work")));
    expect(elsewhere.filter((path) => !/^\/dev\/(null|tty)|^\/proc\//.test(path))).toEqual([]);
  });
});
