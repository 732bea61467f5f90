// The sentences about a recording: what happened, what to do, and the job's id, on a phone's few lines.
import { describe, expect, it } from "vitest";
import * as messages from "../../src/core/messages.ts";

const standup = { name: "standup.m4a", durationSeconds: 760 };

describe("times", () => {
  it.each([
    [0, "0:00"],
    [65, "1:05"],
    [760, "12:40"],
    [3725, "1:02:05"],
  ])("of %d seconds on a clock are %s", (seconds, text) => {
    expect(messages.clock(seconds)).toBe(text);
  });

  it.each([
    [0.2, "1 s"],
    [41, "40 s"],
    [200, "3 min"],
    [7300, "2 h"],
  ])("of about %d seconds are %s", (seconds, text) => {
    expect(messages.roughly(seconds)).toBe(text);
  });
});

describe("the status", () => {
  it("says what is waited for, done and left", () => {
    expect(messages.waiting({ ...standup, ahead: 0 })).toBe("standup.m4a, 12:40 is waiting: it is next.");
    expect(messages.waiting({ ...standup, ahead: 3 })).toContain("3 recordings are before it");
    expect(messages.starting({ ...standup, expectedSeconds: 41 })).toBe(
      "Transcribing standup.m4a, 12:40, about 40 s …",
    );
    expect(messages.waitingInPool({ name: "standup.m4a", reason: "transcriber" })).toBe(
      "standup.m4a is waiting for a transcriber, of which none is there now; nothing need be done here.",
    );
    expect(messages.starting({ name: "standup.m4a" })).toBe("Transcribing standup.m4a …");
    expect(messages.working({ ...standup, progress: 0.357, secondsLeft: 26 })).toBe(
      "Transcribing standup.m4a, 12:40: 35%, about 25 s left",
    );
  });
});

describe("a failure", () => {
  it.each([
    [{ reason: "It has no sound. Send one that has." }, "It has no sound. Send one that has."],
    [{ platformCode: "gone" }, "Send it again."],
    [{ platformCode: "forbidden" }, "Invite it to the channel"],
    [{ platformCode: "unauthorized" }, "renew its access"],
    [{ platformCode: "rate_limited" }, "Try again later."],
    [{ platformCode: "unavailable" }, "Try again later."],
    [{ platformCode: "rejected" }, "Ask for a file instead"],
    [{}, "Try again"],
  ] as const)("for %j says what to do, and the job", (why, advice) => {
    const text = messages.failed({ name: "standup.m4a", jobId: "1f3a9c", ...why });
    expect(text).toContain("standup.m4a could not be transcribed");
    expect(text).toContain(advice);
    expect(text).toContain("job 1f3a9c");
  });

  it("for its size gives the numbers", () => {
    expect(messages.tooLong({ name: "a.wav", duration: 7200, limit: 3600 })).toMatch(
      /2:00:00 long and at most 1:00:00/,
    );
    expect(messages.tooLarge({ name: "a.wav", bytes: 300 * 1024 ** 2, limit: 100 * 1024 ** 2 })).toMatch(
      /300 MB and at most 100 MB/,
    );
  });
});
