// What the end of an inference child is called.
import { describe, expect, it } from "vitest";
import { type Death, deathError } from "../../src/inference/child-death.ts";
import { oomKills } from "../../src/inference/child-memory.ts";

const death = (more: Partial<Death>) =>
  deathError({ exitCode: null, signal: null, complaint: "", oomKills: 0, ...more });

describe("a child that ended", () => {
  it("by SIGKILL was killed by somebody, unless the kernel says that it has killed for want of memory", () => {
    expect(death({ signal: "SIGKILL" }).code).toBe("child_died");
    expect(death({ signal: "SIGKILL", oomKills: 1 }).code).toBe("out_of_memory");
    expect(death({ signal: "SIGSEGV", oomKills: 1 }).code).toBe("child_died");
  });

  it.each([
    "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n 1: 0xb78db3 node::OOM",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    "onnxruntime: Failed to allocate memory for requested buffer of size 1073741824",
  ])("with its last words ran out of memory: %s", (complaint) => {
    expect(death({ signal: "SIGABRT", complaint }).code).toBe("out_of_memory");
  });

  it("otherwise is told with its last words", () => {
    expect(death({ exitCode: 1, complaint: "one\nError: two\n" })).toMatchObject({
      code: "child_died",
      message: "The engine ended by itself (exit code 1): Error: two",
    });
  });

  it("because it was killed from here is told with the reason", () => {
    const killedFor = { code: "child_died", why: "it said nothing for 900 s" } as const;
    expect(death({ signal: "SIGKILL", oomKills: 3, killedFor }).message).toBe(
      "The engine was stopped: it said nothing for 900 s.",
    );
  });
});

it("the kernel's count of kills is a number, where there is one and where there is none", () => {
  expect(oomKills()).toBeGreaterThanOrEqual(0);
});
