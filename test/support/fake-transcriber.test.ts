// The fake transcriber by the contract of the real one, and what it can be told to do wrong.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InferenceError } from "../../src/core/errors.ts";
import type { TranscriberOptions } from "../../src/core/ports.ts";
import { keeping, never, transcriberContract } from "../contracts/transcriber.ts";
import { createFakeTranscriber, spoken } from "./fake-transcriber.ts";

transcriberContract("the fake", async () => {
  const folder = await mkdtemp(join(tmpdir(), "earshot-fake-"));
  const contents = {
    long: spoken(["We met. It was good.", "", "We meet again."]),
    short: spoken(["We use qavylow for the website."]),
    silent: spoken(["", "", ""]),
    unreadable: "this is no sound",
    soundless: "recording",
  };
  const paths = Object.entries(contents).map(([name, text]) => ({ name, path: join(folder, name), text }));
  for (const { path, text } of paths) await writeFile(path, text);
  const transcriber = createFakeTranscriber();
  return {
    transcriber,
    model: "demo",
    recordings: Object.fromEntries(paths.map(({ name, path }) => [name, path])) as Record<
      keyof typeof contents,
      string
    >,
    prompt: { text: "Glossary: Qavylow.", term: "Qavylow" },
    async close() {
      await transcriber.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});

describe("the fake", () => {
  const options: TranscriberOptions = { model: "demo", task: "transcribe", initialPrompt: "", isShort: false };
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "earshot-fake-"));
    path = join(folder, "recording.txt");
    await writeFile(path, spoken(["One.", "Two.", "Three."]));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("fails where it is told to, once, with the windows before kept", async () => {
    const fake = createFakeTranscriber();
    fake.failAt(1, new InferenceError("child_died", "The engine ended by itself (SIGKILL)."));
    const on = keeping();
    await expect(fake.transcribe(path, options, on, never())).rejects.toMatchObject({ code: "child_died" });
    expect(on.windows.flatMap(({ segments }) => segments.map(({ text }) => text))).toEqual([" One."]);
    await expect(fake.transcribe(path, options, keeping(), never())).resolves.toMatchObject({
      text: " One. Two. Three.",
    });
    expect(fake.asked).toEqual([options, options]);
  });

  it("waits where it is told to", async () => {
    const fake = createFakeTranscriber();
    const hold = fake.holdAt(2);
    const on = keeping();
    const job = fake.transcribe(path, options, on, never());
    await hold.reached;
    expect(on.windows).toHaveLength(2);
    hold.go();
    await job;
    expect(on.windows).toHaveLength(3);
  });
});
