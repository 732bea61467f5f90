// How the initial prompt is made of a glossary, and what happens where there is no room.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildPrompt, checkFits, type Glossary, type Term, withChange } from "../../src/core/glossary.ts";
import type { Level, PromptTokens } from "../../src/core/ports.ts";

function term(text: string, level: Level = "channel", uses = 0): Term {
  return { text, soundsLike: [], level, uses };
}

function glossaryOf(terms: readonly Term[], prompt = ""): Glossary {
  return { terms, pairs: [], prompt };
}

/** A token a word. */
const tokens = (budget: number): PromptTokens => ({
  budget,
  count: async (text) => text.split(/\s+/).filter(Boolean).length,
});
const plain = { verbatim: false };

describe("the initial prompt", () => {
  it("is the free text and then the terms, the channel's first", async () => {
    const glossary = glossaryOf([term("Qavylow"), term("n8n"), term("Shared", "workspace")], " A stand-up. ");
    expect(await buildPrompt(glossary, plain, tokens(20))).toEqual({
      text: "A stand-up. Glossary: Qavylow, n8n, Shared.",
      used: 6,
      leftOut: [],
    });
  });

  it("is nothing where there is nothing", async () => {
    expect(await buildPrompt(glossaryOf([]), plain, tokens(20))).toEqual({ text: "", used: 0, leftOut: [] });
  });

  it("begins with filler words where they are to be kept", async () => {
    const { text } = await buildPrompt(glossaryOf([term("n8n")]), { verbatim: true }, tokens(50));
    expect(text).toMatch(/^Umm, .* Glossary: n8n\.$/);
  });

  it("keeps the channel's and the most used when there are too many, and names the others", async () => {
    const terms = [
      term("Rare"),
      term("Often", "channel", 9),
      term("Shared", "workspace", 99),
      term("Also", "channel", 1),
    ];
    const { text, leftOut } = await buildPrompt(glossaryOf(terms), plain, tokens(3));
    expect(text).toBe("Glossary: Often, Also.");
    expect(leftOut.map((left) => left.text)).toEqual(["Rare", "Shared"]);
  });

  it("never has more than there is room for, nor loses a term without a word, as long as the free text fits", async () => {
    const terms = fc.array(
      fc.record({
        text: fc.stringMatching(/^[a-z]{1,3}( [a-z]{1,3}){0,3}$/),
        soundsLike: fc.constant([]),
        level: fc.constantFrom<Level[]>("channel", "workspace"),
        uses: fc.nat(9),
      }),
    );
    await fc.assert(
      fc.asyncProperty(terms, fc.integer({ min: 1, max: 40 }), async (all, budget) => {
        const { text, used, leftOut } = await buildPrompt(glossaryOf(all), plain, tokens(budget));
        expect(used).toBe(await tokens(budget).count(text));
        expect(used).toBeLessThanOrEqual(budget);
        const kept = text === "" ? 0 : text.split(",").length;
        expect(kept + leftOut.length).toBe(all.length);
      }),
    );
  });
});

describe("a change", () => {
  it("that does not fit is refused with the numbers", async () => {
    await expect(checkFits(glossaryOf([term("a"), term("b")]), plain, tokens(2))).rejects.toMatchObject({
      name: "UserError",
      code: "prompt_too_long",
      message: expect.stringMatching(/3 tokens, and there is room for 2\. Nothing was changed/),
    });
    await expect(checkFits(glossaryOf([term("a")]), plain, tokens(2))).resolves.toBeUndefined();
  });

  it("of the channel hides the workspace's term of that name; the workspace's never hides the channel's", () => {
    const before = glossaryOf([term("Own", "channel", 3), term("SHARED", "workspace")]);
    const add = (text: string) => ({ kind: "add", terms: [{ text, soundsLike: [] }] }) as const;
    const levels = (glossary: Glossary) => glossary.terms.map(({ text, level }) => `${level} ${text}`);
    expect(levels(withChange(before, "channel", add("shared")))).toEqual(["channel Own", "channel shared"]);
    expect(levels(withChange(before, "workspace", add("own")))).toEqual(["channel Own", "workspace SHARED"]);
    expect(levels(withChange(before, "workspace", { kind: "remove", terms: ["own", "shared"] }))).toEqual([
      "channel Own",
    ]);
  });

  it("of pairs and of the prompt is seen", () => {
    const pair = { wrong: "a", right: "b" };
    const added = withChange(glossaryOf([]), "channel", { kind: "pairs", add: [pair], remove: [] });
    expect(added.pairs).toEqual([{ ...pair, level: "channel" }]);
    expect(withChange(added, "workspace", { kind: "pairs", add: [], remove: ["A"] }).pairs).toHaveLength(1);
    expect(withChange(added, "channel", { kind: "pairs", add: [], remove: ["A"] }).pairs).toEqual([]);
    expect(withChange(added, "channel", { kind: "prompt", text: "New." }).prompt).toBe("New.");
    expect(withChange(added, "channel", { kind: "used", terms: ["a"] })).toBe(added);
  });
});
