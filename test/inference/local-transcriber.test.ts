// The transcriber on this machine with its real child: what it hands over, and what happens when the child dies or hangs.
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Transcriber, TranscriberEvents, TranscriberOptions } from "../../src/core/ports.ts";
import type { Segment } from "../../src/core/transcript.ts";
import { createLocalTranscriber } from "../../src/inference/local-transcriber.ts";
import { ffmpeg } from "../support/recordings.ts";

vi.setConfig({ testTimeout: 120_000 });

const sample = (name: string) => fileURLToPath(new URL(`../../models/demo/sample/${name}`, import.meta.url));
const OPTIONS: TranscriberOptions = {
  model: "demo",
  task: "transcribe",
  initialPrompt: "",
  language: "en",
  isShort: false,
};
const never = () => new AbortController().signal;

let folder: string;
/** Four minutes of speech. */
let long: string;
let transcriber: Transcriber;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-transcriber-"));
  long = join(folder, "long.flac");
  ffmpeg("-stream_loop", "3", "-i", sample("meeting.flac"), long);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => transcriber.close());

function open(more: Partial<Parameters<typeof createLocalTranscriber>[0]> = {}): Transcriber {
  transcriber = createLocalTranscriber({ device: "cpu", threads: 1, ...more });
  return transcriber;
}

interface Window {
  readonly segments: readonly Segment[];
  readonly checkpoint: unknown;
}

/** Keeps what is handed over. */
function keeping(): TranscriberEvents & { readonly windows: Window[]; readonly heard: [number, number][] } {
  const windows: Window[] = [];
  const heard: [number, number][] = [];
  return {
    windows,
    heard,
    progress: (seconds, duration) => void heard.push([seconds, duration]),
    async window(segments, checkpoint) {
      windows.push({ segments, checkpoint });
    },
  };
}

/** The children of this very process that run the engine. */
function children(): number[] {
  return execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, parent, ...args]) => Number(parent) === process.pid && args.some((arg) => arg.endsWith("inference/child.js")),
    )
    .map(([pid]) => Number(pid));
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe("a recording", () => {
  it("is handed over window by window, in order, and the whole is the windows together", async () => {
    const on = keeping();
    const result = await open().transcribe(sample("meeting.flac"), OPTIONS, on, never());
    expect(on.windows.length).toBeGreaterThan(1);
    expect(on.windows.flatMap(({ segments }) => segments)).toEqual(result.segments);
    expect(result).toMatchObject({ model: "demo", device: "cpu", language: "en" });
    expect(result.notes.join()).toContain("Demo model");
    expect(on.heard[0]).toEqual([0, result.duration]);
    expect(on.heard.at(-1)?.[0]).toBeCloseTo(result.duration, 1);
    expect(on.heard.map(([seconds]) => seconds)).toEqual(
      on.heard.map(([seconds]) => seconds).toSorted((a, b) => a - b),
    );
  });

  it("goes on from any window to the same transcript", async () => {
    const on = keeping();
    const whole = await open().transcribe(sample("meeting.flac"), OPTIONS, on, never());
    for (const [index, { checkpoint }] of on.windows.entries()) {
      const segments = on.windows.slice(0, index + 1).flatMap((window) => window.segments);
      const rest = keeping();
      const resumed = await transcriber.transcribe(
        sample("meeting.flac"),
        { ...OPTIONS, resume: { checkpoint, segments } },
        rest,
        never(),
      );
      expect(resumed).toEqual(whole);
      expect(rest.windows).toEqual(on.windows.slice(index + 1));
    }
  });

  it("is spelled as the initial prompt has it", async () => {
    const plain = await open().transcribe(sample("standup.flac"), OPTIONS, keeping(), never());
    const primed = await transcriber.transcribe(
      sample("standup.flac"),
      { ...OPTIONS, initialPrompt: "Glossary: Qavylow, Xamoetee." },
      keeping(),
      never(),
    );
    expect(plain.text).not.toContain("Qavylow");
    expect(primed.text).toContain("Qavylow");
  });

  it("waits with the next window until the last one is kept", async () => {
    let running = 0;
    let most = 0;
    const on: TranscriberEvents = {
      progress: () => {},
      async window() {
        most = Math.max(most, ++running);
        await sleep(50);
        running--;
      },
    };
    await open().transcribe(sample("meeting.flac"), OPTIONS, on, never());
    expect(most).toBe(1);
  });

  it("ends with the caller's own error when a window cannot be kept", async () => {
    const on = { ...keeping(), window: async () => Promise.reject(new Error("the lease is lost")) };
    await expect(open().transcribe(sample("meeting.flac"), OPTIONS, on, never())).rejects.toThrow("the lease is lost");
    await expect(transcriber.transcribe(sample("standup.flac"), OPTIONS, keeping(), never())).resolves.toBeDefined();
  });

  it("that is short overtakes a long one, which goes on afterwards", async () => {
    const ended: string[] = [];
    open();
    const on = keeping();
    const slow = transcriber.transcribe(long, OPTIONS, on, never()).then((result) => {
      ended.push("long");
      return result;
    });
    while (on.windows.length === 0) await sleep(5);
    await transcriber.transcribe(sample("standup.flac"), { ...OPTIONS, isShort: true }, keeping(), never());
    ended.push("short");
    const result = await slow;
    expect(ended).toEqual(["short", "long"]);
    expect(on.windows.flatMap(({ segments }) => segments)).toEqual(result.segments);
  });
});

describe("an error", () => {
  it("of the recording or the request is the user's, in the same words as on the command line", async () => {
    const broken = join(folder, "broken.mp3");
    await writeFile(broken, "this is no sound");
    await expect(open().transcribe(broken, OPTIONS, keeping(), never())).rejects.toMatchObject({
      name: "UserError",
      code: "unreadable",
    });
    await expect(
      transcriber.transcribe(sample("standup.flac"), { ...OPTIONS, language: "xx" }, keeping(), never()),
    ).rejects.toMatchObject({ name: "UserError", code: "unsupported_language" });
    await expect(
      transcriber.transcribe(
        sample("standup.flac"),
        { ...OPTIONS, initialPrompt: "word ".repeat(400) },
        keeping(),
        never(),
      ),
    ).rejects.toMatchObject({ name: "UserError", code: "prompt_too_long" });
  });

  it("of the model is the operator's", async () => {
    await expect(open().engine("no-such-model")).rejects.toMatchObject({
      name: "InferenceError",
      code: "model_missing",
    });
    await expect(transcriber.engine("demo")).resolves.toMatchObject({ model: "demo", device: "cpu" });
  });
});

describe("a cancelled recording", () => {
  it("ends with the signal's reason, and the same child goes on", async () => {
    await open().engine("demo");
    const [pid] = children();
    const abort = new AbortController();
    const reason = new Error("not wanted any more");
    const on = keeping();
    const job = transcriber.transcribe(long, OPTIONS, { ...on, progress: () => abort.abort(reason) }, abort.signal);
    await expect(job).rejects.toBe(reason);
    await transcriber.transcribe(sample("standup.flac"), OPTIONS, keeping(), never());
    expect(children()).toEqual([pid]);
  });
});

describe("the child", () => {
  it("is started again when it is killed, and what it did is lost only from the last window on", async () => {
    await open().engine("demo");
    const [pid = 0] = children();
    const on = keeping();
    const job = transcriber.transcribe(long, OPTIONS, on, never());
    while (on.windows.length === 0) await sleep(5);
    process.kill(pid, "SIGKILL");
    await expect(job).rejects.toMatchObject({ name: "InferenceError", code: "child_died" });
    const { checkpoint } = on.windows.at(-1) ?? {};
    const segments = on.windows.flatMap((window) => window.segments);
    const resumed = await transcriber.transcribe(
      long,
      { ...OPTIONS, resume: { checkpoint, segments } },
      keeping(),
      never(),
    );
    expect(resumed.segments.slice(0, segments.length)).toEqual(segments);
    expect(children()).not.toContain(pid);
  });

  it("that hangs is killed when it has said nothing for too long", async () => {
    await open({ silenceMs: 4000 }).engine("demo");
    const [pid = 0] = children();
    process.kill(pid, "SIGSTOP");
    await expect(transcriber.transcribe(long, OPTIONS, keeping(), never())).rejects.toMatchObject({
      code: "child_died",
    });
    expect(isAlive(pid)).toBe(false);
  });

  it("that cannot be stopped is killed", async () => {
    await open({ abortMs: 200 }).engine("demo");
    const [pid = 0] = children();
    process.kill(pid, "SIGSTOP");
    const abort = new AbortController();
    const job = transcriber.transcribe(long, OPTIONS, keeping(), abort.signal);
    await sleep(50);
    abort.abort(new Error("cancelled"));
    await expect(job).rejects.toThrow("cancelled");
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false));
  });

  it("does not outlive the one who started it, whatever ended that one", async () => {
    open();
    const module = JSON.stringify(fileURLToPath(new URL("../../dist/inference/local-transcriber.js", import.meta.url)));
    const script = `const { createLocalTranscriber } = await import(${module});
      await createLocalTranscriber({ device: "cpu", threads: 1 }).engine("demo");
      console.log("ready"); setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => parent.stdout.once("data", resolve));
    const of = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
    const child = Number(
      of
        .split("\n")
        .map((line) => line.trim().split(/\s+/))
        .find(([, ppid]) => Number(ppid) === parent.pid)?.[0],
    );
    expect(isAlive(child)).toBe(true);
    parent.kill("SIGKILL");
    await vi.waitFor(() => expect(isAlive(child)).toBe(false), { timeout: 20_000 });
  });
});
