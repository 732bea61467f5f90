import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // A busy machine is no failure.
    expect: { poll: { timeout: 15_000 } },
    // onnxruntime-node cannot be loaded in two worker threads of one process; processes keep the native module apart.
    pool: "forks",
    maxWorkers: 2,
  },
});
