// The guards at work: a graph that writes what a test has it write, and the real tokenizer and decoding around it.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AudioFeatures } from "../../src/inference/graph.ts";
import { decodeGuarded, type GuardedRow } from "../../src/inference/guarded-decoding.ts";
import { loadWhisper, type Whisper } from "../../src/inference/whisper.ts";
import { type Attempt, scriptedModel } from "../support/scripted-model.ts";

let whisper: Whisper;
beforeAll(async () => {
  whisper = await loadWhisper("demo", { device: "cpu", threads: 1 });
});
afterAll(() => whisper.close());

const scripted = (write: (attempt: Attempt) => string) => scriptedModel(whisper, write);
const FEATURES = { nAudio: 2 } as AudioFeatures;
const HISTORY = " The deadline is Friday.";
const LOOP = " So we go on.".repeat(12);

function row(index: number, { history = "", initial = "" } = {}): GuardedRow {
  const encode = (text: string) => (text === "" ? [] : whisper.tokenizer.encode(text));
  const initialPrompt = encode(initial);
  return {
    index,
    decoding: { language: "en", suppressTokens: [], prompt: [...initialPrompt, ...encode(history)] },
    initialPrompt,
    history: encode(history),
  };
}

describe("a window that loops", () => {
  it("because of the text before it is heard again without that text", async () => {
    const { model, attempts } = scripted(({ prompt }) => (prompt.includes("deadline") ? LOOP : " The plan is ready."));
    const [result] = await decodeGuarded(model, FEATURES, [row(0, { history: HISTORY, initial: " Kira." })], {
      temperature: 0,
      compressionRatioThreshold: null,
    });
    expect(result?.text).toBe("The plan is ready.");
    expect(result?.notes).toEqual([{ kind: "loop", text: LOOP.trim(), action: "redecoded" }]);
    expect(attempts.map(({ prompt }) => prompt)).toEqual(["Kira. The deadline is Friday.", "Kira."]);
  });

  it("by itself is heard again hotter", async () => {
    const { model, attempts } = scripted(({ before }) => (before === 0 ? LOOP : " The plan is ready."));
    const [result] = await decodeGuarded(model, FEATURES, [row(0)], { compressionRatioThreshold: null });
    expect(result).toMatchObject({ text: "The plan is ready.", temperature: 0.4 });
    expect(result?.notes.map(({ kind, action }) => [kind, action])).toEqual([["loop", "redecoded"]]);
    expect(attempts).toHaveLength(2);
  });

  it("whatever one does keeps its first round, and the rest is told", async () => {
    const { model } = scripted(() => ` Hello${LOOP}`);
    const [result] = await decodeGuarded(model, FEATURES, [row(0)], {});
    expect(result?.text).toBe("Hello So we go on.");
    expect(result?.wasCut).toBe(true);
    expect(result?.notes.at(-1)).toEqual({
      kind: "loop",
      text: LOOP.slice(" So we go on.".length).trim(),
      action: "cut",
    });
  });

  it("together with the text before it is found, though it is short itself", async () => {
    const { model } = scripted(({ prompt }) => (prompt === "" ? " The plan is ready." : " So we go on.".repeat(2)));
    const history = " So we go on.".repeat(3);
    const [result] = await decodeGuarded(model, FEATURES, [row(0, { history })], { temperature: 0 });
    expect(result?.text).toBe("The plan is ready.");
  });

  it("does not concern the other windows of its batch", async () => {
    const { model, attempts } = scripted(({ window, before }) =>
      window === 1 && before === 0 ? LOOP : ` Number ${window}.`,
    );
    const results = await decodeGuarded(model, FEATURES, [row(0), row(1)], { compressionRatioThreshold: null });
    expect(results.map(({ text }) => text)).toEqual(["Number 0.", "Number 1."]);
    expect(results.map(({ notes }) => notes.length)).toEqual([0, 1]);
    expect(attempts.filter(({ window }) => window === 0)).toHaveLength(1);
  });
});

describe("a window that reads out the initial prompt", () => {
  const initial = " Glossary: Zentrix, Korvex, Kira, Brintel.";
  const decodeWith = (write: (attempt: Attempt) => string) => {
    const { model, attempts } = scripted(write);
    const options = { temperature: 0, initialPrompt: initial.trim() };
    return decodeGuarded(model, FEATURES, [row(0, { initial })], options).then(([result]) => ({ result, attempts }));
  };

  it("is heard again without it", async () => {
    const { result, attempts } = await decodeWith(({ prompt }) => (prompt === "" ? " The plan is ready." : initial));
    expect(result?.text).toBe("The plan is ready.");
    expect(result?.notes).toEqual([{ kind: "prompt_leak", text: initial.trim(), action: "redecoded" }]);
    expect(attempts.map(({ prompt }) => prompt)).toEqual([initial.trim(), ""]);
  });

  it("is empty when there is nothing to hear without it", async () => {
    const { result } = await decodeWith(({ prompt }) => (prompt === "" ? "" : initial));
    expect(result?.text).toBe("");
    expect(result?.notes.map(({ action }) => action)).toEqual(["dropped"]);
  });

  it("keeps the prompt's spelling when that was really said", async () => {
    const { result } = await decodeWith(({ prompt }) =>
      prompt === "" ? " Glossary, Sentrix, Corvex, Keira, Brintell." : initial,
    );
    expect(result?.text).toBe(initial.trim());
    expect(result?.notes).toEqual([]);
  });
});

describe("a window that fails a threshold", () => {
  it("is heard again, and its first text is told", async () => {
    const repeated = " The plan. The budget.".repeat(20);
    const { model } = scripted(({ before }) => (before === 0 ? repeated : " The plan is ready."));
    const [result] = await decodeGuarded(model, FEATURES, [row(0)], {});
    expect(result).toMatchObject({ text: "The plan is ready.", temperature: 0.2 });
    expect(result?.notes).toEqual([{ kind: "compression_ratio", text: repeated.trim(), action: "redecoded" }]);
  });
});
