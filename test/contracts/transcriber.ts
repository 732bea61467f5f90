// What every Transcriber holds to, wherever its engine runs.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Transcriber, TranscriberEvents, TranscriberOptions } from "../../src/core/ports.ts";
import type { Segment } from "../../src/core/transcript.ts";

export interface TranscriberUnderTest {
  readonly transcriber: Transcriber;
  /** A model that it has. */
  readonly model: string;
  /** Recordings as paths. The long one has several windows, the silent one two at least and no speech. */
  readonly recordings: Readonly<Record<"long" | "short" | "silent" | "unreadable" | "soundless", string>>;
  /** A prompt, and the term in it that the short recording is spelled with only then. */
  readonly prompt: { readonly text: string; readonly term: string };
  close(): Promise<void>;
}

interface Window {
  readonly segments: readonly Segment[];
  readonly checkpoint: unknown;
}

/** Keeps what is handed over, as a database does: as JSON. */
export function keeping(): TranscriberEvents & { readonly windows: Window[]; readonly heard: [number, number][] } {
  const windows: Window[] = [];
  const heard: [number, number][] = [];
  return {
    windows,
    heard,
    progress: (seconds, duration) => void heard.push([seconds, duration]),
    async window(segments, checkpoint) {
      windows.push(JSON.parse(JSON.stringify({ segments, checkpoint })) as Window);
    },
  };
}

export const never = (): AbortSignal => new AbortController().signal;

/** What is waited for until it is opened. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

export function transcriberContract(name: string, open: () => Promise<TranscriberUnderTest>): void {
  describe(`${name}, as every transcriber,`, () => {
    let under: TranscriberUnderTest;
    let options: TranscriberOptions;
    beforeAll(async () => {
      under = await open();
      const plan = { task: "transcribe", initialPrompt: "", language: "en", way: "sequential" } as const;
      options = { model: under.model, ...plan, isShort: false };
    });
    afterAll(() => under.close());

    const transcribe = (
      recording: keyof TranscriberUnderTest["recordings"],
      more: Partial<TranscriberOptions> = {},
      on: TranscriberEvents = keeping(),
      signal = never(),
    ) => under.transcriber.transcribe(under.recordings[recording], { ...options, ...more }, on, signal);

    it("hands over window by window, in order; the whole is the windows together", async () => {
      const on = keeping();
      const result = await transcribe("long", {}, on);
      expect(on.windows.length).toBeGreaterThan(1);
      expect(on.windows.flatMap(({ segments }) => segments)).toEqual(result.segments);
      expect(result.segments.map(({ id }) => id)).toEqual(result.segments.map((_, index) => index));
      const starts = result.segments.map(({ start }) => start);
      expect(starts).toEqual(starts.toSorted((a, b) => a - b));
      expect(new Set(on.windows.map(({ checkpoint }) => JSON.stringify(checkpoint))).size).toBe(on.windows.length);
      expect(result.language).toBe("en");
      expect(result.text.trim()).not.toBe("");
    });

    it("says how far it is: at once, ever further, to the end", async () => {
      const on = keeping();
      const { duration } = await transcribe("long", {}, on);
      const seconds = on.heard.map(([at]) => at);
      expect(on.heard.map(([, length]) => length)).toEqual(on.heard.map(() => duration));
      expect(seconds[0]).toBe(0);
      expect(seconds).toEqual(seconds.toSorted((a, b) => a - b));
      expect(seconds.at(-1)).toBeCloseTo(duration, 1);
    });

    it("goes on from any checkpoint to the same transcript", async () => {
      const on = keeping();
      const whole = await transcribe("long", {}, on);
      for (const [index, { checkpoint }] of on.windows.entries()) {
        const segments = on.windows.slice(0, index + 1).flatMap((window) => window.segments);
        const rest = keeping();
        expect(await transcribe("long", { resume: { checkpoint, segments } }, rest)).toEqual(whole);
        expect(rest.windows).toEqual(on.windows.slice(index + 1));
        expect(rest.heard[0]?.[0]).toBeGreaterThan(0);
      }
    });

    it("hands over a checkpoint for silence too", async () => {
      const on = keeping();
      const { duration } = await transcribe("silent", {}, on);
      expect(on.windows.length).toBeGreaterThan(0);
      expect(on.heard.at(-1)?.[0]).toBeCloseTo(duration, 1);
    });

    it("waits with the next window until the last one is kept, whatever else it does meanwhile", async () => {
      const on = keeping();
      const first = gate();
      const kept = gate();
      const job = transcribe(
        "long",
        {},
        {
          ...on,
          async window(segments, checkpoint) {
            await on.window(segments, checkpoint);
            first.open();
            await kept.opened;
          },
        },
      );
      await first.opened;
      await transcribe("long");
      expect(on.windows).toHaveLength(1);
      kept.open();
      await job;
      expect(on.windows.length).toBeGreaterThan(1);
    });

    it.each([
      ["a window cannot be kept", { window: async () => Promise.reject(new Error("the lease is lost")) }],
      [
        "progress cannot be told",
        {
          progress: () => {
            throw new Error("the lease is lost");
          },
        },
      ],
    ])("ends with the caller's own error when %s, and serves on", async (_, broken) => {
      await expect(transcribe("long", {}, { ...keeping(), ...broken })).rejects.toThrow("the lease is lost");
      await expect(transcribe("short")).resolves.toBeDefined();
    });

    it("spells as the initial prompt does", async () => {
      const plain = await transcribe("short");
      const primed = await transcribe("short", { initialPrompt: under.prompt.text });
      expect(plain.text).not.toContain(under.prompt.term);
      expect(primed.text).toContain(under.prompt.term);
    });

    it.each([
      ["UserError", "unreadable", "unreadable", {}],
      ["UserError", "no_audio", "soundless", {}],
      ["UserError", "unsupported_language", "short", { language: "xx" }],
      ["UserError", "prompt_too_long", "short", { initialPrompt: "word ".repeat(400) }],
      ["InferenceError", "model_missing", "short", { model: "no-such-model" }],
    ] as const)("refuses with an %s %s, in a sentence", async (errorName, code, recording, more) => {
      const refusal = await transcribe(recording, more).then(
        () => expect.fail("transcribed all the same"),
        (error: Error) => error,
      );
      expect(refusal).toMatchObject({ name: errorName, code });
      expect(refusal.message).toMatch(/^.{20,}\.$/s);
    });

    it("ends with the signal's reason, hands nothing over from then on, and serves on", async () => {
      const on = keeping();
      const abort = new AbortController();
      const reason = new Error("not wanted any more");
      const aborting: TranscriberEvents = {
        progress: () => {},
        async window(segments, checkpoint) {
          await on.window(segments, checkpoint);
          abort.abort(reason);
        },
      };
      await expect(transcribe("long", {}, aborting, abort.signal)).rejects.toBe(reason);
      await transcribe("short");
      expect(on.windows).toHaveLength(1);
    });

    it("does not begin what was cancelled before", async () => {
      const on = keeping();
      await expect(transcribe("long", {}, on, AbortSignal.abort("no"))).rejects.toBe("no");
      expect(on.heard).toEqual([]);
    });

    it("does not go on with a long recording while a short one is there, and does so unharmed afterwards", async () => {
      const alone = await transcribe("long");
      const on = keeping();
      const begun = gate();
      const long = transcribe("long", {}, { ...on, progress: begun.open });
      await begun.opened;
      // Of as many windows, so that two which took turns would show.
      const short = keeping();
      let before: number | undefined;
      const counting: TranscriberEvents = {
        progress: (seconds, duration) => {
          before ??= on.windows.length;
          short.progress(seconds, duration);
        },
        window: short.window,
      };
      await transcribe("long", { isShort: true }, counting);
      const after = on.windows.length;
      expect(short.windows.length).toBeGreaterThan(1);
      // The one that was being decoded.
      expect(after - (before ?? 0)).toBeLessThanOrEqual(1);
      expect(after).toBeLessThan(short.windows.length);
      expect(await long).toEqual(alone);
    });

    it("says what serves", async () => {
      const engine = await under.transcriber.engine(under.model);
      expect(engine).toMatchObject({ model: under.model, device: expect.stringMatching(/./) });
      const { model, device, notes } = await transcribe("short");
      expect({ model, device, notes }).toEqual(engine);
      await expect(under.transcriber.engine("no-such-model")).rejects.toMatchObject({ code: "model_missing" });
    });

    it("refuses all work once it is closed", async () => {
      const other = await open();
      await other.transcriber.close();
      await expect(other.transcriber.engine(other.model)).rejects.toMatchObject({ name: "InferenceError" });
      await other.close();
    });
  });
}
