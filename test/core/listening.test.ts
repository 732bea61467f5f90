// A platform that cannot be reached at the start is tried again, and what cannot be mended by that stops the start.
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ConfigError, PlatformError } from "../../src/core/errors.ts";
import { keepListening, type ListeningParts } from "../../src/core/listening.ts";
import type { GatewayEvent, Listener, Platform } from "../../src/core/ports.ts";

/** @param answers what each try ends with; undefined: it listens. The last one holds for all that follow. */
function setUp(answers: readonly (Error | undefined)[]) {
  const stop = new AbortController();
  const observed: GatewayEvent[] = [];
  const waits: number[] = [];
  let tries = 0;
  let wake = () => {};
  const platform: Pick<Platform, "name" | "listen"> = {
    name: "slack",
    async listen() {
      const answer = answers[Math.min(tries++, answers.length - 1)];
      if (answer !== undefined) throw answer;
    },
  };
  const parts: ListeningParts = {
    observe: (event) => void observed.push(event),
    sleep: (ms, signal) =>
      new Promise<void>((resolve, reject) => {
        waits.push(ms);
        wake = resolve;
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
    random: () => 1,
  };
  return {
    ...{ stop, observed, waits },
    tries: () => tries,
    kinds: () => observed.map(({ kind }) => kind),
    listen: () => keepListening(platform as Platform, {} as Listener, parts, stop.signal),
    /** Ends the wait, and lets the next try end. */
    async passWait() {
      wake();
      await setImmediate();
    },
  };
}

const away = new PlatformError("unavailable", "Slack did not answer.");

describe("a platform", () => {
  it("that is there is listened to once", async () => {
    const { listen, tries, observed, waits } = setUp([undefined]);
    await listen();
    expect({ tries: tries(), observed, waits }).toEqual({ tries: 1, observed: [], waits: [] });
  });

  it("that is away lets the start go on, and is tried less and less often", async () => {
    const { listen, passWait, waits, tries } = setUp([away]);
    await listen();
    for (let passed = 0; passed < 9; passed++) await passWait();
    expect(waits.slice(0, 8)).toEqual([2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000]);
    expect(waits.slice(8)).toEqual([300_000, 300_000]);
    expect(tries()).toBe(10);
  });

  it("that is back is said to be, and not tried any more", async () => {
    const { listen, passWait, kinds, tries } = setUp([away, away, undefined]);
    await listen();
    for (let passed = 0; passed < 4; passed++) await passWait();
    expect(kinds()).toEqual(["platform_away", "platform_away", "platform_back"]);
    expect(tries()).toBe(3);
  });

  it("that asks to wait is not asked before", async () => {
    const { listen, waits } = setUp([new PlatformError("rate_limited", "Later.", { retryAfterMs: 90_000 })]);
    await listen();
    expect(waits).toEqual([90_000]);
  });

  it.each([
    new PlatformError("unauthorized", "Set another token."),
    new ConfigError(["A scope is missing."]),
    new TypeError("a bug"),
  ])("that refuses for good stops the start: $name", async (error) => {
    const { listen, observed } = setUp([error]);
    await expect(listen()).rejects.toBe(error);
    expect(observed).toEqual([]);
  });

  it("that refuses for good after it was away is told to the operator, while the others serve", async () => {
    const error = new PlatformError("unauthorized", "Set another token.");
    const { listen, passWait, observed, tries } = setUp([away, error]);
    await listen();
    for (let passed = 0; passed < 3; passed++) await passWait();
    expect(observed.at(-1)).toEqual({ kind: "unexpected", where: "listening to slack", error });
    expect(tries()).toBe(2);
  });

  it("is not tried after the stop", async () => {
    const { listen, stop, passWait, kinds, tries } = setUp([away]);
    await listen();
    stop.abort();
    await passWait();
    expect({ tries: tries(), kinds: kinds() }).toEqual({ tries: 1, kinds: ["platform_away"] });
  });
});
