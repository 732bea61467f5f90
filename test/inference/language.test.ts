import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import type { Model } from "../../src/inference/decoding.ts";
import type { AudioFeatures } from "../../src/inference/graph.ts";
import {
  chooseLanguage,
  createLanguageChoice,
  joint,
  type LanguageOptions,
  mainLanguage,
} from "../../src/inference/language.ts";

const CODES = ["en", "zh", "de", "es", "fr", ...Array.from({ length: 20 }, (_, i) => `x${i}`), "cy", "nn"];
const NO_SPEECH = 50;
const SOT = 51;

/** What a window sounds like: code -> probability, and how likely it is that nobody speaks. */
type Sound = Readonly<Record<string, number>> & { readonly silence?: number };

/** A model that hears in each window what a list says, and the windows that it was asked about. */
function listening(windows: readonly Sound[]) {
  const asked: number[] = [];
  const soundAt = (seek: number) => windows[Math.min(windows.length - 1, Math.floor(seek / 3000))] ?? {};
  const features = (seek: number) => ({ seek }) as unknown as AudioFeatures;
  const model = {
    tokenizer: { languages: new Map(CODES.map((code, token) => [code, token])), sot: SOT, noSpeech: NO_SPEECH },
    graph: {
      async encode(mel: Float32Array) {
        asked.push(mel[0] ?? Number.NaN);
        return features(mel[0] ?? Number.NaN);
      },
      decode: ({ seek }: { seek: number } & AudioFeatures) => ({
        async logits() {
          const { silence = 0, ...heard } = soundAt(seek);
          const row = new Float32Array(52).fill(-30);
          CODES.forEach((code, token) => {
            row[token] = Math.log(((heard as Record<string, number>)[code] ?? 1e-9) * (1 - silence));
          });
          row[NO_SPEECH] = Math.log(silence || 1e-9);
          return { nBatch: 1, nTokens: 1, at: () => row };
        },
        release() {},
      }),
    },
  } as unknown as Model;
  const window = async (seek: number) => Float32Array.of(seek);
  return {
    asked,
    choose: (options: LanguageOptions, frames = windows.length * 3000) => {
      const choice = createLanguageChoice(model, { frames, window }, options, undefined);
      return (seek = 0) => choice.of(features(seek), 0, seek);
    },
  };
}

describe("the language of a recording", () => {
  it("is that of the most windows, each weighted by how likely anybody speaks in it", async () => {
    const greeting = { en: 0.9, de: 0.1 };
    const meeting = { en: 0.2, de: 0.8 };
    const { choose, asked } = listening([greeting, ...Array<Sound>(9).fill(meeting)]);
    expect((await choose({})()).code).toBe("de");
    expect(asked).toHaveLength(4);
    expect(asked.at(-1)).toBe(9 * 3000);
    const music = { en: 0.9, de: 0.1, silence: 0.97 };
    const quiet = listening([{ de: 0.9, en: 0.1 }, ...Array<Sound>(9).fill(music)]);
    expect((await quiet.choose({})()).code).toBe("de");
  });

  it("is told by the first window alone where it is sure and the recording short", async () => {
    const { choose, asked } = listening([{ de: 0.9, en: 0.1 }, { en: 1 }]);
    expect(await choose({})()).toEqual({ code: "de", probability: expect.closeTo(0.9) });
    expect(asked).toEqual([]);
    const unsure = listening([{ de: 0.5, en: 0.4 }, { en: 0.9 }]);
    expect((await unsure.choose({})()).code).toBe("en");
    expect(unsure.asked).toEqual([3000]);
  });

  it("is detected once, and is one of the allowed", async () => {
    const { choose, asked } = listening([{ en: 0.5, de: 0.3, fr: 0.1 }, { en: 1 }]);
    const spoken = choose({ allowedLanguages: ["fr", "de"] });
    expect((await spoken()).code).toBe("de");
    const encoded = asked.length;
    expect(await spoken(3000)).toEqual({ code: "de" });
    expect(asked).toHaveLength(encoded);
    await expect(choose({ allowedLanguages: ["tlh"] })()).rejects.toThrow(UserError);
  });

  it("does not flip to a rare one in a short clip, unless the model is sure", async () => {
    const doubtful = [{ cy: 0.5, nn: 0.3, en: 0.05, de: 0.02 }];
    expect((await listening(doubtful).choose({}, 400)()).code).toBe("en");
    expect((await listening(doubtful).choose({ usualLanguages: ["de"] }, 400)()).code).toBe("en");
    expect((await listening([{ cy: 0.5, en: 0.05, de: 0.04 }]).choose({ usualLanguages: ["de"] }, 400)()).code).toBe(
      "de",
    );
    expect((await listening([{ cy: 0.95, en: 0.01 }]).choose({}, 400)()).code).toBe("cy");
    expect((await listening(doubtful).choose({}, 3000)()).code).toBe("cy");
    expect((await listening(doubtful).choose({ allowedLanguages: ["cy", "en"] }, 400)()).code).toBe("cy");
    expect((await listening([{ fr: 0.45, es: 0.4, en: 0.05 }]).choose({}, 400)()).code).toBe("fr");
  });

  it("is each window's own where asked, and stays where nobody speaks or the model is unsure", async () => {
    const windows = [{ en: 0.9 }, { de: 0.95 }, { nn: 0.9, silence: 0.8 }, { nn: 0.4, de: 0.3 }, { en: 0.9 }];
    const { choose, asked } = listening(windows);
    const spoken = choose({ languagePerWindow: true });
    const codes: string[] = [];
    for (let i = 0; i < windows.length; i++) codes.push((await spoken(i * 3000)).code);
    expect(codes).toEqual(["en", "de", "de", "de", "en"]);
    expect(asked).toEqual([]);
  });
});

const probabilities = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...CODES), fc.double({ min: 0.001, max: 1, noNaN: true })), {
    selector: ([code]) => code,
    minLength: 1,
  })
  .map((entries) => {
    const total = entries.reduce((sum, [, p]) => sum + p, 0);
    return new Map(entries.map(([code, p]) => [code, p / total]));
  });
const votes = fc.array(fc.record({ probabilities, speech: fc.double({ min: 0, max: 1, noNaN: true }) }), {
  minLength: 1,
});

describe("the vote", () => {
  it("is a distribution whose order does not matter", () => {
    fc.assert(
      fc.property(votes, (cast) => {
        const result = joint(cast);
        expect([...result.values()].reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6);
        const reversed = joint(cast.toReversed());
        for (const [code, p] of result) expect(reversed.get(code)).toBeCloseTo(p, 6);
      }),
    );
  });

  it("chooses a candidate, the likeliest from 30 s on, and never a less likely one of the same standing", () => {
    fc.assert(
      fc.property(probabilities, fc.double({ min: 0.1, max: 60, noNaN: true }), (heard, seconds) => {
        const chosen = chooseLanguage(heard, {
          seconds,
          usual: ["de"],
          isAllowedSet: false,
          common: ["en", "zh", "es"],
        });
        expect(heard.has(chosen)).toBe(true);
        const best = Math.max(...heard.values());
        if (seconds >= 30) expect(heard.get(chosen)).toBeCloseTo(best, 12);
        const rare = [...heard].filter(([code]) => code.startsWith("x"));
        if (chosen.startsWith("x")) {
          expect(heard.get(chosen)).toBeCloseTo(Math.max(...rare.map(([, p]) => p)), 12);
        }
      }),
    );
  });

  it("makes the language of a mixed recording the one spoken longest", () => {
    const segments = [
      { start: 0, end: 5, language: "en" },
      { start: 5, end: 9, language: "de" },
      { start: 9, end: 12, language: "de" },
    ];
    expect(mainLanguage(segments)).toBe("de");
    expect(mainLanguage([{ start: 0, end: 5 }])).toBeUndefined();
  });
});
