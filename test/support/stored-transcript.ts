// A transcript as it is kept, with what a test says of it and plain values for the rest.
import type { StoredTranscript } from "../../src/core/ports.ts";
import type { Place } from "../../src/core/recording.ts";
import type { Segment } from "../../src/core/transcript.ts";

export const place: Place = {
  ...{ platform: "slack", workspace: "T1", channel: "C1", isDirect: false, message: "1.1", user: "ann" },
  reach: "thread",
};

export function segmentOf(fields: Partial<Segment>): Segment {
  return {
    ...{ id: 0, seek: 0, start: 0, end: 1, text: " text", tokens: [], temperature: 0 },
    ...{ avgLogprob: 0, compressionRatio: 1, noSpeechProb: 0 },
    ...fields,
  };
}

/** The text is that of the segments. */
export function storedOf(segments: readonly Segment[], fields: Partial<StoredTranscript> = {}): StoredTranscript {
  return {
    jobId: "1f3a9c",
    recording: { key: "k1", place, kind: "audio", name: "standup.m4a", source: {} },
    plan: { model: "auto", task: "transcribe", initialPrompt: "" },
    ...{ model: "base", device: "cpu", createdAtMs: Date.UTC(2026, 10, 3), waitMs: 2000, notes: [] },
    ...{ text: segments.map(({ text }) => text).join(""), segments, language: "en", duration: 65 },
    ...fields,
  };
}
