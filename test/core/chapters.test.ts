import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chaptersOf, similarity } from "../../src/core/chapters.ts";
import { renderChapters } from "../../src/core/render/chapters.ts";
import { fileNames, outputFiles } from "../../src/core/render/files.ts";
import { renderHtml } from "../../src/core/render/html.ts";
import { renderJson } from "../../src/core/render/json.ts";
import { seededRandom } from "../../src/inference/random.ts";
import { segmentOf, storedOf } from "../support/stored-transcript.ts";

const TOPICS = [
  ["budget", "invoice", "finance", "dollars", "quarter", "spending", "Zentrix", "approval"],
  ["server", "deployment", "database", "migration", "outage", "Kubernetes", "rollback", "latency"],
  ["hiring", "candidate", "interview", "salary", "recruiter", "offer", "onboarding", "contract"],
];
const PLAIN = ["about", "there", "we", "should", "think", "that", "really", "with", "have"];

/** Talk about each topic in turn: a sentence each 6 s, and a pause of 5 s between topics. */
function talk(minutesEach: readonly number[], seed = 1) {
  const random = seededRandom(seed);
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? "";
  const segments: ReturnType<typeof segmentOf>[] = [];
  const starts: number[] = [];
  let time = 0;
  minutesEach.forEach((minutes, topic) => {
    starts.push(time);
    for (let i = 0; i < minutes * 10; i++) {
      const words = Array.from({ length: 12 }, (_, k) => pick(k % 3 === 0 ? (TOPICS[topic] ?? []) : PLAIN));
      segments.push(segmentOf({ id: segments.length, start: time, end: time + 5.5, text: ` ${words.join(" ")}.` }));
      time += 6;
    }
    time += 5;
  });
  return { segments, starts, language: "en" };
}

describe("chapters", () => {
  it.each([1, 2, 3])("begin where the topic changes, and are called by its words (seed %i)", (seed) => {
    const { starts, ...transcript } = talk([6, 5, 7], seed);
    const chapters = chaptersOf(transcript);
    expect(chapters.map(({ start }) => start)).toEqual(starts);
    for (const [i, { title }] of chapters.entries()) {
      const words = title.toLowerCase().split(", ");
      expect(words.length).toBe(3);
      for (const word of words) expect(TOPICS[i]?.map((each) => each.toLowerCase())).toContain(word);
    }
  });

  it("are none in a short talk, in one about one thing, and in silence", () => {
    expect(chaptersOf(talk([3, 2]))).toEqual([]);
    expect(chaptersOf({ segments: [], language: "en" })).toEqual([]);
    const { segments } = talk([4]);
    expect(chaptersOf({ segments, language: "en" })).toEqual([]);
  });

  it("cover the talk without gaps, are long enough, and begin at segments", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 1000 }), (minutes, seed) => {
        const { segments } = talk(minutes, seed);
        const chapters = chaptersOf({ segments, language: "en" });
        if (chapters.length === 0) return;
        expect(chapters[0]?.start).toBe(segments[0]?.start);
        expect(chapters.at(-1)?.end).toBe(segments.at(-1)?.end);
        chapters.forEach(({ start, end, title }, i) => {
          expect(end - start).toBeGreaterThanOrEqual(120);
          expect(chapters[i + 1]?.start ?? end).toBe(end);
          expect(segments.some((segment) => segment.start === start)).toBe(true);
          expect(title.trim()).not.toBe("");
        });
      }),
      { numRuns: 30 },
    );
  });

  it("are found in a language without spaces too", () => {
    const topics = ["予算と請求書を承認しました。", "サーバーの移行と障害について。"];
    const segments = topics.flatMap((text, topic) =>
      Array.from({ length: 60 }, (_, i) =>
        segmentOf({ start: topic * 365 + i * 6, end: topic * 365 + i * 6 + 5, text }),
      ),
    );
    const chapters = chaptersOf({ segments, language: "ja" });
    expect(chapters.map(({ start }) => start)).toEqual([0, 365]);
    expect(chapters[1]?.title).toMatch(/サーバー|移行|障害/);
  });

  it("stand in JSON, in a WebVTT track, and as headings in the page", () => {
    const { segments } = talk([4, 4]);
    const chapters = [
      { start: 0, end: 245, title: "Budget <b>" },
      { start: 245, end: 490, title: "Server --> & more" },
    ];
    const stored = storedOf(segments, { chapters });
    expect(JSON.parse(renderJson(stored)).chapters).toEqual(chapters);
    expect(renderChapters(stored)).toBe(
      "WEBVTT\n\n1\n00:00.000 --> 04:05.000\nBudget &lt;b>\n\n2\n04:05.000 --> 08:10.000\nServer -> &amp; more\n",
    );
    const page = renderHtml(stored);
    expect(page).toContain('<li><a href="#chapter2">Server --&gt; &amp; more</a> 4:05</li>');
    // The heading stands right before the paragraph that begins then.
    expect(page).toMatch(/<h2 id="chapter2" dir="auto">Server --&gt; &amp; more<\/h2>\n<section id="t245">/);
    expect(renderHtml(storedOf(segments))).not.toContain("chapter1");
  });

  it("are a file of their own beside WebVTT, and no other", () => {
    const { segments } = talk([4, 4]);
    const stored = storedOf(segments, { chapters: chaptersOf(talk([6, 6])) });
    expect(outputFiles(stored, "vtt").map(({ name }) => name)).toEqual(["standup.vtt", "standup.chapters.vtt"]);
    expect(outputFiles(stored, "vtt")[1]?.content).toMatch(/^WEBVTT\n\n1\n00:00\.000 --> /);
    expect(outputFiles(stored, "srt")).toHaveLength(1);
    expect(fileNames(stored, ["txt", "vtt"])).toEqual(["standup.txt", "standup.vtt", "standup.chapters.vtt"]);
    expect(fileNames(storedOf(segments), ["vtt"])).toEqual(["standup.vtt"]);
  });

  it("compare words by the cosine of their counts", () => {
    expect(similarity(["a", "b"], ["B", "a"])).toBeCloseTo(1);
    expect(similarity(["a"], ["b"])).toBe(0);
    expect(similarity(["a", "b"], ["a", "c"])).toBeCloseTo(0.5);
    expect(similarity([], [])).toBe(0);
  });
});
