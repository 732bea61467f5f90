// The output files are byte for byte those of openai/whisper's own writers (test/fixtures/formats).
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { renderJson } from "../../src/core/render/json.ts";
import { renderSrt } from "../../src/core/render/srt.ts";
import type { SubtitleOptions } from "../../src/core/render/subtitles.ts";
import { formatTimestamp, roundHalfEven } from "../../src/core/render/timestamp.ts";
import { renderTsv } from "../../src/core/render/tsv.ts";
import { renderTxt } from "../../src/core/render/txt.ts";
import { renderVtt } from "../../src/core/render/vtt.ts";
import type { GuardNote, Segment, Transcript, Word } from "../../src/core/transcript.ts";

type Result = Pick<Transcript, "text" | "segments" | "language">;

interface GoldenSegment {
  id: number;
  seek: number;
  start: number;
  end: number;
  text: string;
  tokens: number[];
  temperature: number;
  avg_logprob: number;
  compression_ratio: number;
  no_speech_prob: number;
  words?: Word[];
}

interface Case {
  result: string;
  format: "txt" | "vtt" | "srt" | "tsv" | "json";
  options: { highlight_words?: boolean; max_line_width?: number; max_line_count?: number; max_words_per_line?: number };
  file: string;
}

const golden = (name: string) => readFileSync(new URL(`../fixtures/formats/${name}`, import.meta.url), "utf8");

const write: Record<Case["format"], (result: Result, options: SubtitleOptions) => string> = {
  txt: renderTxt,
  vtt: renderVtt,
  srt: renderSrt,
  tsv: renderTsv,
  json: renderJson,
};

function resultOf(name: string): Result {
  const { text, segments, language } = JSON.parse(golden(`${name}.json`)) as {
    text: string;
    segments: GoldenSegment[];
    language: string;
  };
  return {
    text,
    language,
    segments: segments.map(({ avg_logprob, compression_ratio, no_speech_prob, ...rest }) => ({
      ...rest,
      avgLogprob: avg_logprob,
      compressionRatio: compression_ratio,
      noSpeechProb: no_speech_prob,
    })),
  };
}

function segment(fields: Partial<Segment>): Segment {
  return {
    id: 0,
    seek: 0,
    start: 0,
    end: 1,
    text: " text",
    tokens: [],
    temperature: 0,
    avgLogprob: 0,
    compressionRatio: 0,
    noSpeechProb: 0,
    ...fields,
  };
}

describe("openai/whisper's files", () => {
  const cases = JSON.parse(golden("cases.json")) as Case[];

  it.each(cases)("$file", ({ result, format, options, file }) => {
    const written = write[format](resultOf(result), {
      highlightWords: options.highlight_words ?? false,
      maxLineWidth: options.max_line_width,
      maxLineCount: options.max_line_count,
      maxWordsPerLine: options.max_words_per_line,
    });
    expect(written).toBe(golden(file));
  });
});

describe("numbers", () => {
  // From Python: `for x in (...): print(repr(x))`
  it.each([
    [-0, "-0.0"],
    [1, "1.0"],
    [1e15, "1000000000000000.0"],
    [1e16, "1e+16"],
    [1.5e16, "1.5e+16"],
    [1e22, "1e+22"],
    [1e100, "1e+100"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [-0.0000123, "-1.23e-05"],
    [1.25e-7, "1.25e-07"],
    [5e-324, "5e-324"],
    [0.1 + 0.2, "0.30000000000000004"],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
  ])("%d is %s in JSON", (value, expected) => {
    const json = renderJson({ text: "", language: "en", segments: [segment({ avgLogprob: value })] });
    expect(json).toContain(`"avg_logprob": ${expected}, `);
  });

  it("rounds halves to the even neighbour", () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 2.4999, 2.5001].map(roundHalfEven)).toEqual([0, 2, 2, 0, -2, 2, 3]);
  });

  it("formats times", () => {
    expect(formatTimestamp(0)).toBe("00:00.000");
    expect(formatTimestamp(3599.9995)).toBe("01:00:00.000");
    expect(formatTimestamp(359_999.9, { alwaysIncludeHours: true, decimalMarker: "," })).toBe("99:59:59,900");
    expect(formatTimestamp(400_000)).toBe("111:06:40.000");
    expect(() => formatTimestamp(-0.001)).toThrow("non-negative timestamp expected, not -0.001");
    expect(() => formatTimestamp(Number.NaN)).toThrow(RangeError);
  });
});

it("makes one cue per segment when an emptied segment alone has words, where openai/whisper stops with a KeyError", () => {
  const segments = [segment({ text: "", words: [] }), segment({ id: 1, start: 1, end: 2, text: " spoken" })];
  expect(renderSrt({ segments })).toBe(
    "1\n00:00:00,000 --> 00:00:01,000\n\n\n2\n00:00:01,000 --> 00:00:02,000\nspoken\n\n",
  );
});

it("tells the way and what the guards did after openai/whisper's own keys, where a transcript has them", () => {
  const guards: GuardNote[] = [{ kind: "phantom", start: 1, end: 2.5, text: "Thank you.", action: "dropped" }];
  const json = renderJson({ text: " Hi.", language: "en", segments: [], way: "batched", guards });
  expect(json).toBe(
    '{"text": " Hi.", "segments": [], "language": "en", "way": "batched", "guards": ' +
      '[{"kind": "phantom", "start": 1.0, "end": 2.5, "text": "Thank you.", "action": "dropped"}]}',
  );
});
