// Who speaks, in every format and in the chat's answer.
import { describe, expect, it } from "vitest";
import { answerReply } from "../../src/core/render/answer.ts";
import { renderHtml } from "../../src/core/render/html.ts";
import { renderJson } from "../../src/core/render/json.ts";
import { renderSrt } from "../../src/core/render/srt.ts";
import { renderTsv } from "../../src/core/render/tsv.ts";
import { renderTxt } from "../../src/core/render/txt.ts";
import { renderVtt } from "../../src/core/render/vtt.ts";
import { DEFAULT_SETTINGS } from "../../src/core/settings.ts";
import { segmentOf, storedOf } from "../support/stored-transcript.ts";

const stored = storedOf([
  segmentOf({ id: 0, start: 0, end: 2, text: " Good morning.", speaker: "Anna" }),
  segmentOf({ id: 1, start: 2, end: 3, text: " Shall we?", speaker: "Anna" }),
  segmentOf({ id: 2, start: 3, end: 5, text: " Yes.", speaker: "Ben <2>\n" }),
]);
const plain = storedOf([segmentOf({ start: 0, end: 2, text: " Good morning." })]);

describe("who speaks", () => {
  it("stands in txt, srt and tsv", () => {
    expect(renderTxt(stored)).toBe("Anna: Good morning.\nAnna: Shall we?\nBen <2>: Yes.\n");
    expect(renderSrt(stored)).toContain("3\n00:00:03,000 --> 00:00:05,000\nBen <2>: Yes.\n\n");
    expect(renderTsv(stored)).toBe(
      "start\tend\ttext\tspeaker\n0\t2000\tGood morning.\tAnna\n2000\t3000\tShall we?\tAnna\n3000\t5000\tYes.\tBen <2>\n",
    );
  });

  it("stands in vtt as a voice, whose name cannot end the tag", () => {
    expect(renderVtt(stored)).toContain("00:00.000 --> 00:02.000\n<v Anna>Good morning.\n\n");
    expect(renderVtt(stored)).toContain("<v Ben 2>Yes.\n");
  });

  it("stands in JSON", () => {
    const { segments } = JSON.parse(renderJson(stored));
    expect(segments.map(({ speaker }: { speaker: string }) => speaker)).toEqual(["Anna", "Anna", "Ben <2>\n"]);
  });

  it("begins a paragraph in the page and in the answer", () => {
    const page = renderHtml(stored);
    expect(page).toContain('<strong class="speaker">Anna:</strong> Good morning. Shall we?</p>');
    expect(page).toContain('<strong class="speaker">Ben &lt;2&gt;\n:</strong> Yes.</p>');
    expect(answerReply(stored, DEFAULT_SETTINGS).text).toBe("Anna: Good morning. Shall we?\n\nBen <2>: Yes.");
    expect(answerReply(stored, { ...DEFAULT_SETTINGS, timestamps: true }).text).toBe(
      "[0:00] Anna: Good morning.\n[0:02] Anna: Shall we?\n[0:03] Ben <2>: Yes.",
    );
  });

  it("is one in each subtitle, however long the lines may be", () => {
    const words = (text: string, start: number) => [{ word: text, start, end: start + 1, probability: 1 }];
    const timed = stored.segments.map((segment) => ({ ...segment, words: words(segment.text, segment.start) }));
    const srt = renderSrt({ segments: timed }, { maxLineWidth: 80, maxLineCount: 2 });
    expect(srt).toBe(
      "1\n00:00:00,000 --> 00:00:03,000\nAnna: Good morning. Shall we?\n\n" +
        "2\n00:00:03,000 --> 00:00:04,000\nBen <2>: Yes.\n\n",
    );
  });

  it("is nowhere where nobody knows it", () => {
    expect([renderTxt(plain), renderTsv(plain), answerReply(plain, DEFAULT_SETTINGS).text]).toEqual([
      "Good morning.\n",
      "start\tend\ttext\n0\t2000\tGood morning.\n",
      "Good morning.",
    ]);
    expect(renderHtml(plain)).not.toContain('class="speaker"');
    expect(renderJson(plain)).not.toContain("speaker");
    expect(renderVtt(plain)).not.toContain("<v");
  });
});
