// The status message of every job: posted once, edited no more often than the platform likes, replaced by the answer.
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "./errors.ts";
import type { Job } from "./job.ts";
import type { JobQueue, Platform } from "./ports.ts";
import type { PlatformName } from "./recording.ts";
import type { Reply, StatusReply } from "./reply.ts";

export interface StatusBoard {
  /** Posts the status unless the job has one. A platform that is away for a while does not hold the job up: undefined. */
  post(job: Job, reply: StatusReply): Promise<string | undefined>;
  /** Edits the status when its time has come; a newer one takes the place of one that still waits. Never fails. */
  update(job: Job, reply: StatusReply): void;
  /** Puts the last word in place of the status, after which there are no more edits. @throws PlatformError */
  conclude(job: Job, reply: Reply): Promise<string>;
  /** No more edits, and those and the posts under way have ended: the next gateway may go on with the jobs. */
  close(): Promise<void>;
}

/** What waits for a rate limit ends with the process. */
const LONGEST_CLOSE_MS = 2000;

export interface StatusBoardParts {
  readonly queue: Pick<JobQueue, "noteStatus">;
  readonly platform: (name: PlatformName) => Platform;
  readonly now: () => number;
}

interface Line {
  /** The message's id, or the post that will give it. */
  id?: Promise<string>;
  /** When the last edit began, in ms. */
  editedAtMs: number;
  timer?: NodeJS.Timeout;
  /** A post whose answer was lost may have arrived. */
  mayExist?: boolean;
  /** The edit that is under way; the answer must not be overtaken by it. */
  edit?: Promise<unknown>;
  isConcluded: boolean;
}

export function createStatusBoard({ queue, platform, now }: StatusBoardParts): StatusBoard {
  const startedAtMs = now();
  const lines = new Map<string, Line>();

  function lineOf(job: Job): Line {
    let line = lines.get(job.id);
    if (line === undefined) {
      line = { editedAtMs: 0, isConcluded: false };
      lines.set(job.id, line);
    }
    if (line.id === undefined && job.steps.statusId !== undefined) line.id = Promise.resolve(job.steps.statusId);
    return line;
  }

  async function postNow(job: Job, reply: Reply, line: Line): Promise<string> {
    const { place } = job.recording;
    const mayExist = line.mayExist === true || job.attempt > 1 || job.addedAtMs < startedAtMs;
    const id = await platform(place.platform).reply(place, reply, { key: `${job.id}:status`, mayExist });
    return queue.noteStatus(job.id, id);
  }

  async function post(job: Job, reply: Reply): Promise<string> {
    const line = lineOf(job);
    line.id ??= postNow(job, reply, line);
    line.editedAtMs ||= now();
    try {
      return await line.id;
    } catch (error) {
      delete line.id;
      line.mayExist = true;
      throw error;
    }
  }

  return {
    async post(job, reply) {
      try {
        return await post(job, reply);
      } catch (error) {
        if (error instanceof PlatformError && ["rate_limited", "unavailable"].includes(error.code)) return undefined;
        throw error;
      }
    },

    update(job, reply) {
      const line = lineOf(job);
      if (line.id === undefined || line.isConcluded) return;
      const { place } = job.recording;
      const { editEveryMs, reply: edit } = platform(place.platform);
      clearTimeout(line.timer);
      const dueInMs = Math.max(0, line.editedAtMs + editEveryMs - now());
      line.timer = setTimeout(async () => {
        await line.edit;
        const editId = await line.id?.catch(() => undefined);
        if (editId === undefined || line.isConcluded) return;
        line.editedAtMs = now();
        // A status that does not get through is followed by the next one, and in the end by the answer.
        line.edit = edit(place, reply, { key: `${job.id}:status`, editId }).catch(() => undefined);
      }, dueInMs);
      line.timer.unref();
    },

    async conclude(job, reply) {
      const line = lineOf(job);
      line.isConcluded = true;
      clearTimeout(line.timer);
      try {
        await line.edit;
        const { place } = job.recording;
        const editId = await line.id?.catch(() => undefined);
        if (editId === undefined) return await post(job, reply);
        try {
          return await platform(place.platform).reply(place, reply, { key: `${job.id}:status`, editId });
        } catch (error) {
          // Somebody deleted the status message: the answer still has to arrive.
          if (!(error instanceof PlatformError && error.code === "gone")) throw error;
          return await platform(place.platform).reply(place, reply, { key: `${job.id}:answer`, mayExist: true });
        }
      } finally {
        lines.delete(job.id);
      }
    },

    async close() {
      const underWay: (Promise<unknown> | undefined)[] = [];
      for (const line of lines.values()) {
        line.isConcluded = true;
        clearTimeout(line.timer);
        // A message whose id nobody wrote down would be posted a second time, where the platform cannot be searched.
        underWay.push(
          line.edit,
          line.id?.catch(() => undefined),
        );
      }
      await Promise.race([Promise.all(underWay), sleep(LONGEST_CLOSE_MS, undefined, { ref: false })]);
    },
  };
}
