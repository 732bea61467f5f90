// The transcriber on this machine with its real child: what it hands over, and what happens when the child dies or hangs.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Transcriber, TranscriberOptions } from "../../src/core/ports.ts";
import { childEnvironment } from "../../src/inference/child-environment.ts";
import { createLocalTranscriber } from "../../src/inference/local-transcriber.ts";
import { demoFolder } from "../../src/inference/models.ts";
import { keeping, never, transcriberContract } from "../contracts/transcriber.ts";
import { engineChildren } from "../support/engine-children.ts";
import { writeLayout } from "../support/layouts.ts";
import { ffmpeg } from "../support/recordings.ts";
import { sample, transcriberRecordings } from "../support/transcriber-recordings.ts";

vi.setConfig({ testTimeout: 120_000 });

const OPTIONS: TranscriberOptions = {
  model: "demo",
  task: "transcribe",
  initialPrompt: "",
  language: "en",
  isShort: false,
};

let folder: string;
/** Four minutes of speech. */
let long: string;
let transcriber: Transcriber;
let complaints: string[];
const parents: ChildProcess[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "earshot-transcriber-"));
  long = join(folder, "long.flac");
  ffmpeg("-stream_loop", "3", "-i", sample("meeting.flac"), long);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(async () => {
  await transcriber?.close();
  for (const parent of parents.splice(0)) parent.kill("SIGKILL");
});

function open(more: Partial<Parameters<typeof createLocalTranscriber>[0]> = {}): Transcriber {
  complaints = [];
  transcriber = createLocalTranscriber({
    device: "cpu",
    threads: 1,
    log: (line) => complaints.push(line),
    ...more,
  });
  return transcriber;
}

/** A process that runs a module given as text. */
function startParent(script: string) {
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  parents.push(parent);
  return parent;
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

transcriberContract("the local transcriber", async () => {
  const made = await transcriberRecordings();
  const local = createLocalTranscriber({ device: "cpu", threads: 1 });
  return {
    ...made,
    transcriber: local,
    async close() {
      await local.close();
      await made.close();
    },
  };
});

describe("a model", () => {
  it("tells the time of each word where its graphs can; where not, there are segments and no error", async () => {
    const withoutAttentions = join(folder, "without-attentions");
    await writeLayout(withoutAttentions, (encoder, decoder) => {
      const outputs = decoder.graph.outputs.filter(({ name }) => !name.startsWith("cross_attentions"));
      return { encoder_model: encoder, decoder_model_merged: { ...decoder, graph: { ...decoder.graph, outputs } } };
    });
    const { transcribe } = open();
    const heard = (model: string) =>
      transcribe(sample("voice-note.ogg"), { ...OPTIONS, model, wordTimes: true }, keeping(), never());
    const [timed, plain] = [await heard("demo"), await heard(withoutAttentions)];
    expect(
      timed.segments
        .flatMap(({ words = [] }) => words)
        .map(({ word }) => word)
        .join(""),
    ).toBe(timed.text);
    expect(plain.segments.length).toBeGreaterThan(0);
    expect(plain.segments.every(({ words }) => words === undefined)).toBe(true);
    expect(plain.text).toBe(timed.text);
  });

  it("that is broken is told as such, and does not keep the child from the next", async () => {
    const broken = join(folder, "broken-model");
    await cp(demoFolder, broken, { recursive: true });
    await writeFile(join(broken, "onnx", "decoder_model_merged.onnx"), "not a model");
    await expect(open().engine(broken)).rejects.toMatchObject({ name: "InferenceError", code: "model_broken" });
    await rm(join(broken, "tokenizer.json"));
    await expect(transcriber.engine(broken)).rejects.toMatchObject({
      name: "InferenceError",
      message: expect.stringContaining("tokenizer.json"),
    });
    await expect(transcriber.engine("demo")).resolves.toMatchObject({ model: "demo", device: "cpu" });
  });

  it("in use stays loaded while others come and go", async () => {
    const others = ["one", "two", "three"].map((name) => join(folder, name));
    for (const other of others) await cp(demoFolder, other, { recursive: true });
    const alone = await open().transcribe(long, OPTIONS, keeping(), never());
    const on = keeping();
    const job = transcriber.transcribe(long, OPTIONS, on, never());
    for (const [index, other] of others.entries()) {
      await transcriber.transcribe(sample("standup.flac"), { ...OPTIONS, model: other }, keeping(), never());
      expect(await transcriber.engine(other)).toMatchObject({ model: ["one", "two", "three"][index] });
    }
    expect(await job).toEqual(alone);
  });

  it("is loaded again after it was unloaded for want of use", async () => {
    await open({ idleUnloadMs: 50 }).engine("demo");
    await sleep(300);
    await expect(transcriber.transcribe(sample("standup.flac"), OPTIONS, keeping(), never())).resolves.toBeDefined();
  });
});

describe("a recording", () => {
  it("is heard where somebody speaks, and goes the way that was asked for", async () => {
    const told: unknown[] = [];
    const on = { ...keeping(), progress: (...all: unknown[]) => told.push(all[2]) };
    const batched = await open().transcribe(sample("meeting.flac"), { ...OPTIONS, way: "batched" }, on, never());
    expect(batched.way).toBe("batched");
    expect(told[0]).toMatchObject({ done: 0 });
    const sequential = await transcriber.transcribe(sample("standup.flac"), OPTIONS, keeping(), never());
    expect(sequential.way).toBe("sequential");
  });
});

describe("a cancelled recording", () => {
  it("ends with the signal's reason, and the same child goes on", async () => {
    await open().engine("demo");
    const [pid] = engineChildren();
    const abort = new AbortController();
    const reason = new Error("not wanted any more");
    const on = keeping();
    const job = transcriber.transcribe(long, OPTIONS, { ...on, progress: () => abort.abort(reason) }, abort.signal);
    await expect(job).rejects.toBe(reason);
    expect(on.windows).toEqual([]);
    await transcriber.transcribe(sample("standup.flac"), OPTIONS, keeping(), never());
    expect(engineChildren()).toEqual([pid]);
  });
});

describe("the child", () => {
  it("is started again when it is killed, and what it did is lost only from the last window on", async () => {
    await open().engine("demo");
    const [pid = 0] = engineChildren();
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
    expect(resumed).toEqual(await transcriber.transcribe(long, OPTIONS, keeping(), never()));
    expect(engineChildren()).not.toContain(pid);
  });

  it("fails everything that it had to do when it dies, and works on a new one at once", async () => {
    await open().engine("demo");
    const [pid = 0] = engineChildren();
    const jobs = [1, 2, 3].map(() => transcriber.transcribe(long, OPTIONS, keeping(), never()));
    const all = Promise.allSettled(jobs);
    process.kill(pid, "SIGKILL");
    for (const job of await all) expect(job).toMatchObject({ status: "rejected", reason: { code: "child_shared" } });
    const [again, other] = await Promise.all([transcriber.engine("demo"), transcriber.engine("demo")]);
    expect(again).toEqual(other);
    expect(engineChildren()).toHaveLength(1);
  });

  it("is not started again for somebody who has cancelled, or once all is closed", async () => {
    await open().engine("demo");
    const [pid = 0] = engineChildren();
    const dying = transcriber.transcribe(long, OPTIONS, keeping(), never());
    process.kill(pid, "SIGKILL");
    await expect(dying).rejects.toMatchObject({ code: "child_died" });
    const abort = new AbortController();
    const cancelled = transcriber.transcribe(long, OPTIONS, keeping(), abort.signal);
    const closed = transcriber.engine("demo");
    abort.abort("no");
    await expect(cancelled).rejects.toBe("no");
    await transcriber.close();
    await expect(closed).rejects.toMatchObject({ name: "InferenceError" });
    expect(engineChildren()).toEqual([]);
  });

  it("that takes more memory than it may is stopped, and the error says so", async () => {
    open({ memoryLimitBytes: 10 * 1024 ** 2 });
    const on = { ...keeping(), window: () => sleep(2000) };
    await expect(transcriber.transcribe(long, OPTIONS, on, never())).rejects.toMatchObject({
      code: "out_of_memory",
      message: expect.stringMatching(/took \d+ MB of memory and may take 10 MB/),
    });
  });

  it("whose JavaScript heap is full is told from one that dies otherwise", async () => {
    open({ env: { ...process.env, NODE_OPTIONS: "--max-old-space-size=8" } });
    await expect(transcriber.engine("demo")).rejects.toMatchObject({ code: "out_of_memory" });
    expect(complaints.join()).toContain("heap out of memory");
  });

  it("gets the variables that an engine may need, and no secrets", async () => {
    const env = {
      ...process.env,
      SLACK_BOT_TOKEN: "xoxb-secret",
      AWS_SECRET_ACCESS_KEY: "secret",
      CUDA_VISIBLE_DEVICES: "",
    };
    await open({ env }).engine("demo");
    const [pid = 0] = engineChildren();
    const given = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => Object.keys(childEnvironment(env)).join());
    expect(given).toContain("CUDA_VISIBLE_DEVICES");
    expect(given).not.toMatch(/SLACK|SECRET|secret/);
  });

  it("that hangs is killed when it has said nothing for too long", async () => {
    await open({ silenceMs: 5000 }).engine("demo");
    const [pid = 0] = engineChildren();
    process.kill(pid, "SIGSTOP");
    await expect(transcriber.transcribe(long, OPTIONS, keeping(), never())).rejects.toMatchObject({
      code: "child_died",
    });
    expect(isAlive(pid)).toBe(false);
  });

  it("that cannot be stopped is killed", async () => {
    await open({ abortMs: 200 }).engine("demo");
    const [pid = 0] = engineChildren();
    process.kill(pid, "SIGSTOP");
    const abort = new AbortController();
    const job = transcriber.transcribe(long, OPTIONS, keeping(), abort.signal);
    await sleep(50);
    abort.abort(new Error("cancelled"));
    await expect(job).rejects.toThrow("cancelled");
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false));
  });

  it("that cannot be stopped is left alone while others wait for it", async () => {
    await open({ abortMs: 100 }).engine("demo");
    const [pid = 0] = engineChildren();
    process.kill(pid, "SIGSTOP");
    const abort = new AbortController();
    const cancelled = transcriber.transcribe(long, OPTIONS, keeping(), abort.signal);
    const wanted = transcriber.transcribe(sample("standup.flac"), OPTIONS, keeping(), never());
    // Both have been asked for when the same tick is over.
    await sleep(50);
    abort.abort(new Error("cancelled"));
    await expect(cancelled).rejects.toThrow("cancelled");
    await sleep(500);
    process.kill(pid, "SIGCONT");
    await expect(wanted).resolves.toBeDefined();
    expect(engineChildren()).toEqual([pid]);
  });

  it("does not outlive the one who started it, whatever ended that one", async () => {
    open();
    const module = JSON.stringify(fileURLToPath(new URL("../../dist/inference/local-transcriber.js", import.meta.url)));
    const script = `const { createLocalTranscriber } = await import(${module});
      await createLocalTranscriber({ device: "cpu", threads: 1 }).engine("demo");
      console.log("ready"); setInterval(() => {}, 1000);`;
    const parent = startParent(script);
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

  it("ends with its parent even while something holds its main thread", async () => {
    const lifeline = JSON.stringify(fileURLToPath(new URL("../../dist/inference/child-lifeline.js", import.meta.url)));
    const held = `const { endWithParent } = await import(${lifeline});
      endWithParent(process.ppid);
      await new Promise((resolve) => setTimeout(resolve, 500));
      process.stdout.write(String(process.pid));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`;
    const script = `const { spawn } = await import("node:child_process");
      spawn(process.execPath, ["--input-type=module", "-e", ${JSON.stringify(held)}], { stdio: "inherit" });
      setInterval(() => {}, 1000);`;
    const parent = startParent(script);
    const pid = Number(await new Promise((resolve) => parent.stdout.once("data", resolve)));
    try {
      expect(isAlive(pid)).toBe(true);
      parent.kill("SIGKILL");
      await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 20_000 });
    } finally {
      if (isAlive(pid)) process.kill(pid, "SIGKILL");
    }
  });
});
