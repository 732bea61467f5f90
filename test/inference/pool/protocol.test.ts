// What gateway and machines say to each other, and what a log tells of an item.
import { describe, expect, it } from "vitest";
import type { Segment } from "../../../src/core/transcript.ts";
import { MOST_FRUITLESS, standing } from "../../../src/inference/pool/item-standing.ts";
import { bestModel } from "../../../src/inference/pool/model-choice.ts";
import { pinModel, unpinModel } from "../../../src/inference/pool/model-pin.ts";
import { modelClass } from "../../../src/inference/pool/names.ts";
import {
  type LogEntry,
  readLogEntry,
  readWorkItem,
  type WorkerCard,
  writeMessage,
} from "../../../src/inference/pool/protocol.ts";

const segment = (id: number): Segment => ({
  id,
  seek: 0,
  start: id,
  end: id + 1,
  text: ` word ${id}`,
  tokens: [id],
  temperature: 0,
  avgLogprob: -0.1,
  compressionRatio: 1,
  noSpeechProb: 0,
});
const window = (id: number): LogEntry => ({
  kind: "window",
  segments: [segment(id)],
  checkpoint: { seek: id },
  seconds: id,
  duration: 9,
});
const began = (worker: string): LogEntry => ({ kind: "began", worker });

describe("a message", () => {
  it("keeps numbers that JSON does not have", () => {
    const odd = { ...segment(0), avgLogprob: Number.NEGATIVE_INFINITY, noSpeechProb: Number.NaN };
    const entry: LogEntry = { kind: "window", segments: [odd], checkpoint: null, seconds: 0, duration: 1 };
    expect(readLogEntry(writeMessage(entry))).toEqual(entry);
  });

  it.each(["", "{", "null", '{"kind":"nonsense"}', '{"id":1}'])("that makes no sense is told apart: %s", (text) => {
    expect(readLogEntry(text)).toBeUndefined();
    expect(readWorkItem(text)).toBeUndefined();
  });
});

describe("an item's standing", () => {
  it("is where the last window was finished", () => {
    const stands = standing([{ kind: "asked" }, began("a"), window(0), began("b"), window(1), window(2)]);
    expect(stands).toMatchObject({ isAsked: true, checkpoint: { seek: 2 }, fruitless: [], isOver: false });
    expect(stands.segments.map(({ id }) => id)).toEqual([0, 1, 2]);
  });

  it("goes on from what was finished before it came to the pool", () => {
    const before: LogEntry = { kind: "resumed", segments: [segment(0), segment(1)], checkpoint: { seek: 1 } };
    expect(standing([{ kind: "asked" }, before, began("a"), window(2)])).toMatchObject({ checkpoint: { seek: 2 } });
  });

  it("counts machines that began in vain, and not those that gave it back unharmed or finished a window", () => {
    const givenBack = (isUnharmed: boolean): LogEntry => ({ kind: "released", worker: "a", why: "memory", isUnharmed });
    const inVain = Array.from({ length: MOST_FRUITLESS }, () => began("a"));
    expect(standing([{ kind: "asked" }, ...inVain]).fruitless).toHaveLength(MOST_FRUITLESS);
    expect(standing([{ kind: "asked" }, ...inVain, window(0), began("a")]).fruitless).toEqual(["a"]);
    expect(standing([{ kind: "asked" }, began("a"), givenBack(true)]).fruitless).toEqual([]);
    expect(standing([{ kind: "asked" }, began("a"), givenBack(false)])).toMatchObject({
      fruitless: ["a"],
      lastReason: "memory",
    });
  });

  it("of an empty log: nobody asks for it", () => {
    expect(standing([])).toMatchObject({ isAsked: false, isOver: false, checkpoint: undefined });
  });
});

describe("a model's name", () => {
  it("is spelled for a subject, the same wherever its folder lies", () => {
    expect(modelClass("base.en")).toBe("base_en");
    expect(modelClass("/srv/models/our.model")).toBe(modelClass("C:/models/our.model"));
    expect(modelClass("large-v3-turbo")).toBe("large-v3-turbo");
  });

  it("auto is the most accurate that is there, English alone only where there is nothing else", () => {
    const card = (worker: string, ...models: string[]): WorkerCard => ({
      worker,
      version: "1",
      models: models.map((model) => ({ model, device: "cuda", notes: [] })),
      ...{ busy: 0, done: 0, failed: 0, audioSeconds: 0, workSeconds: 0, everyMs: 1000 },
    });
    expect(bestModel([card("a", "base"), card("b", "large-v3-turbo", "base")])).toBe("large-v3-turbo");
    expect(bestModel([card("a", "medium.en"), card("b", "tiny")])).toBe("tiny");
    expect(bestModel([card("a", "medium.en")])).toBe("medium.en");
    expect(bestModel([card("a", "demo")])).toBe("demo");
    expect(bestModel([])).toBeUndefined();
  });

  it("stays with a recording that was begun, in its checkpoints", () => {
    const segments = [segment(0)];
    const checkpoint = pinModel({ seek: 3 }, "base");
    expect(unpinModel({ checkpoint, segments })).toEqual({
      resume: { checkpoint: { seek: 3 }, segments },
      model: "base",
    });
    expect(unpinModel({ checkpoint: { seek: 3 }, segments })).toMatchObject({ model: undefined });
    expect(unpinModel(undefined)).toEqual({ resume: undefined, model: undefined });
  });
});
