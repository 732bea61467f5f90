// How an error reads on the terminal: whose fault it is, and what to do.
import { expect, it } from "vitest";
import { describeFailure } from "../../src/cli/failure.ts";
import { PlatformError } from "../../src/core/errors.ts";

it("says what a chat platform answered, and calls only what nobody foresaw a bug", () => {
  expect(describeFailure(new PlatformError("unavailable", "Slack did not answer."), {})).toBe("Slack did not answer.");
  expect(describeFailure(new Error("x is undefined"), {})).toContain("This is a bug in Earshot (x is undefined)");
});
