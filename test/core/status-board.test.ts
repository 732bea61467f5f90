// The status board at the end of a gateway: what is under way gets through, and is written down.
import { expect, it } from "vitest";
import type { Job } from "../../src/core/job.ts";
import type { Platform } from "../../src/core/ports.ts";
import { createStatusBoard } from "../../src/core/status-board.ts";

const job = {
  id: "1f3a9c",
  attempt: 0,
  addedAtMs: 0,
  steps: {},
  recording: { place: { platform: "teams", workspace: "t", channel: "c" } },
} as unknown as Job;

it("closes when the post that is under way has its id written down", async () => {
  let arrive = (_id: string) => {};
  const posting = new Promise<string>((resolve) => {
    arrive = resolve;
  });
  const noted: string[] = [];
  const board = createStatusBoard({
    queue: {
      async noteStatus(_jobId, id) {
        noted.push(id);
        return id;
      },
    },
    platform: () => ({ editEveryMs: 0, reply: () => posting }) as unknown as Platform,
    now: () => 0,
  });
  void board.post(job, { kind: "status", text: "It is waiting.", actions: [] });
  let isClosed = false;
  const closing = board.close().then(() => {
    isClosed = true;
  });
  await Promise.resolve();
  expect(isClosed).toBe(false);
  arrive("message-1");
  await closing;
  expect(noted).toEqual(["message-1"]);
});

it("does not wait for a post that fails", async () => {
  const board = createStatusBoard({
    queue: { noteStatus: async (_jobId, id) => id },
    platform: () => ({ editEveryMs: 0, reply: () => Promise.reject(new Error("away")) }) as unknown as Platform,
    now: () => 0,
  });
  const posting = board.post(job, { kind: "status", text: "It is waiting.", actions: [] }).catch(() => "failed");
  await board.close();
  expect(await posting).toBe("failed");
});
