// Who is to blame when a child dies with several recordings, and what the others wait for until it is known.
import { describe, expect, it } from "vitest";
import { createTrials, type Stay } from "../../src/inference/child-trials.ts";

const never = new AbortController().signal;
const isOver = async (promise: Promise<unknown>) => {
  const pending = Symbol("pending");
  const turns = async () => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    return pending;
  };
  return (await Promise.race([promise, turns()])) !== pending;
};

/** Both were in a child that died. */
async function twoSuspects() {
  const trials = createTrials();
  const stays = await Promise.all(["a", "b"].map((path) => trials.admit(path, never)));
  expect(stays.map((stay) => stay.died())).toEqual([false, false]);
  await Promise.resolve();
  return trials;
}

describe("a child that dies", () => {
  it("of one recording was killed by it, the second time too", async () => {
    const trials = createTrials();
    for (let time = 0; time < 2; time++) {
      expect((await trials.admit("a", never)).died()).toBe(true);
      await Promise.resolve();
    }
  });

  it("with several says nothing of any; each is tried alone, wherever its file lies by then", async () => {
    const trials = await twoSuspects();
    const a = await trials.admit("elsewhere/a", never);
    const b = trials.admit("elsewhere/b", never);
    const c = trials.admit("c", never);
    expect([await isOver(b), await isOver(c)]).toEqual([false, false]);
    expect(a.died()).toBe(true);
    await Promise.all([b, c].map(async (admitted) => expect(await isOver(admitted)).toBe(true)));
  });

  it("while a suspect is tried was not killed by those that wait", async () => {
    const trials = await twoSuspects();
    const other = await trials.admit("c", never);
    const a = trials.admit("a", never);
    expect(await isOver(a)).toBe(false);
    const paused = other.pause(never);
    const suspect = await a;
    expect(await isOver(paused)).toBe(false);
    expect([other.died(), suspect.died()]).toEqual([false, true]);
  });
});

describe("a suspect", () => {
  it("that comes further than before is none any more, and the others go on", async () => {
    const trials = await twoSuspects();
    const other = await trials.admit("c", never);
    const admitted = trials.admit("a", never);
    expect(await isOver(admitted)).toBe(false);
    const paused = other.pause(never);
    const a = await admitted;
    await a.pause(never);
    await paused;
    await Promise.resolve();
    expect([a.died(), other.died()]).toEqual([false, false]);
  });

  it("that is refused or done is none any more", async () => {
    const trials = await twoSuspects();
    (await trials.admit("a", never)).leave();
    const stays: Stay[] = await Promise.all([trials.admit("a", never), trials.admit("c", never)]);
    for (const stay of stays) stay.leave();
  });

  it("that is cancelled while it waits leaves the way free", async () => {
    const trials = await twoSuspects();
    const other = await trials.admit("c", never);
    const abort = new AbortController();
    const a = trials.admit("a", abort.signal);
    expect(await isOver(a)).toBe(false);
    const paused = other.pause(never);
    const late = trials.admit("d", abort.signal);
    abort.abort(new Error("not wanted"));
    await expect(late).rejects.toThrow("not wanted");
    (await a.catch(() => undefined))?.leave();
    await paused;
  });

  it("waits for a window of the others at the most, and an aborted one does not wait for it", async () => {
    const trials = await twoSuspects();
    const other = await trials.admit("c", never);
    const a = trials.admit("a", never);
    expect(await isOver(a)).toBe(false);
    const abort = new AbortController();
    const paused = other.pause(abort.signal);
    await a;
    abort.abort(new Error("not wanted"));
    await expect(paused).rejects.toThrow("not wanted");
  });
});
