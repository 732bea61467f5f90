// What comes in from a platform -> a decision by the channel's settings and the limits -> a durable job.
import type { ClockWatch } from "./clock-watch.ts";
import type { JobRequest } from "./job.ts";
import { type GatewayLimits, type Limits, limitsOf } from "./limits.ts";
import * as messages from "./messages.ts";
import type { Actor, JobQueue, Observe, Reception, SettingsStore } from "./ports.ts";
import { type Place, type Recording, withPlainName } from "./recording.ts";
import { cancelAction } from "./run-job.ts";
import { effectiveSettings, type Settings } from "./settings.ts";
import type { StatusBoard } from "./status-board.ts";

export interface Intake {
  /** A recording was posted where Earshot can see it. */
  posted(recording: Recording, request?: JobRequest): Promise<Reception>;
  /** Somebody asked for this one; the answer goes to `place`. */
  ask(recording: Recording, request: JobRequest, by: Actor, place: Place): Promise<Reception>;
  /** False: the job had ended before. */
  cancel(jobId: string): Promise<boolean>;
}

export interface IntakeParts {
  readonly queue: JobQueue;
  readonly settings: SettingsStore;
  readonly status: StatusBoard;
  readonly limits: GatewayLimits;
  readonly clock: ClockWatch;
  readonly now: () => number;
  readonly wake: () => void;
  readonly observe: Observe;
}

export function createIntake(parts: IntakeParts): Intake {
  const { queue, status, wake, observe, now } = parts;

  async function chosenAt(place: Place): Promise<{ readonly settings: Settings; readonly limits: Limits }> {
    const [workspace, own] = [await parts.settings.workspace(place), await parts.settings.channel(place)];
    const limits = limitsOf(workspace, own, parts.limits, place.isDirect);
    return { settings: effectiveSettings(workspace, own), limits };
  }

  async function add(recording: Recording, request: JobRequest, limits: Limits): Promise<Reception> {
    const refusal = refusalOf(recording, limits);
    if (refusal !== undefined) return refused(refusal);
    await parts.clock.look();
    const added = await queue.addWithin(limits.allowance, recording, request);
    if (added.kind === "over") {
      const reason = messages.overQuota(added.over, now(), recording.durationSeconds);
      return refused(`${recording.name} was not taken. ${reason}`);
    }
    const { kind, job } = added;
    if (kind === "added") {
      observe({ kind: "job_added", job });
      wake();
      // The job is durable, and whoever told us may go on; the word about the wait follows.
      void announce(job.id).catch((error: unknown) =>
        observe({ kind: "unexpected", where: "announcing a job", error }),
      );
    }
    return { kind, jobId: job.id };
  }

  /** Says the place in the queue, when there is a wait; a job that is claimed at once has its own word. */
  async function announce(jobId: string): Promise<void> {
    const ahead = await queue.ahead(jobId);
    const job = await queue.get(jobId);
    if (job?.state !== "queued") return;
    const { name, durationSeconds } = job.recording;
    const text = messages.waiting({ name, ahead, ...(durationSeconds === undefined ? {} : { durationSeconds }) });
    await status.post(job, { kind: "status", text, actions: [cancelAction(jobId)] });
  }

  return {
    async posted(named, request = {}) {
      const recording = withPlainName(named);
      const { settings: chosen, limits } = await chosenAt(recording.place);
      await queue.saw(recording);
      // What is sent to the bot itself is sent to be transcribed.
      const wanted =
        recording.place.isDirect ||
        chosen.auto === "all" ||
        (chosen.auto === "voice" && recording.kind === "voice message");
      if (!wanted) return { kind: "ignored" };
      const place = { ...recording.place, reach: reachIn(recording.place, chosen) };
      return add({ ...recording, place }, request, limits);
    },

    async ask(named, request, by, place) {
      const recording = withPlainName(named);
      const { settings: chosen, limits } = await chosenAt(place);
      await queue.saw(recording);
      const reach = place.reach === "only_me" ? "only_me" : reachIn(place, chosen);
      return add({ ...recording, place: { ...place, user: by.user, reach } }, request, limits);
    },

    async cancel(jobId) {
      const before = await queue.get(jobId);
      if (before === undefined || !(await queue.cancel(jobId))) return false;
      // The worker of a running job says so itself, when it has let go of it.
      if (before.state === "queued") {
        await status.conclude(before, { kind: "failure", text: messages.cancelled(before.recording), actions: [] });
        observe({ kind: "job_cancelled", job: before });
      }
      return true;
    },
  };
}

/** A direct chat is where it is; there is no other place to go. */
function reachIn(place: Place, settings: Settings): Place["reach"] {
  return place.isDirect ? "thread" : settings.reply;
}

function refused(text: string): Reception {
  return { kind: "refused", reply: { kind: "words", text } };
}

function refusalOf({ name, bytes, durationSeconds }: Recording, limits: Limits): string | undefined {
  if (bytes !== undefined && bytes > limits.bytes) return messages.tooLarge({ name, bytes, limit: limits.bytes });
  if (durationSeconds !== undefined && durationSeconds > limits.durationSeconds) {
    return messages.tooLong({ name, duration: durationSeconds, limit: limits.durationSeconds });
  }
  return undefined;
}
