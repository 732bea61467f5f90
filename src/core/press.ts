// What the buttons under an answer do.
import { PlatformError } from "./errors.ts";
import type { Intake } from "./intake.ts";
import type { Job } from "./job.ts";
import * as messages from "./messages.ts";
import type { JobQueue, Listener, Press, SettingsStore, TranscriptStore } from "./ports.ts";
import type { Recording } from "./recording.ts";
import { outputFile } from "./render/files.ts";
import type { Reply } from "./reply.ts";
import { mayEdit } from "./rights.ts";
import type { StatusBoard } from "./status-board.ts";

export interface PressParts {
  readonly queue: JobQueue;
  readonly transcripts: TranscriptStore;
  readonly settings: SettingsStore;
  readonly intake: Intake;
  readonly status: Pick<StatusBoard, "conclude">;
  readonly wake: () => void;
}

export function createPress({ queue, transcripts, settings, intake, status, wake }: PressParts): Listener["press"] {
  /** By the settings of where the recording is from: the button may stand in a direct message. */
  async function isAllowed({ actor }: Press, { place }: Recording): Promise<boolean> {
    return actor.user === place.user || (await mayEdit(actor, place, settings));
  }

  /** The answer in the chat goes as well. */
  async function retract(job: Job | undefined, reply: Reply): Promise<Reply | undefined> {
    if (job?.steps.statusId === undefined) return reply;
    try {
      await status.conclude(job, reply);
      return undefined;
    } catch (error) {
      if (error instanceof PlatformError) return reply;
      throw error;
    }
  }

  return async (press) => {
    const { action, jobId } = press;
    switch (action) {
      case "cancel":
      case "retry": {
        const job = await queue.get(jobId);
        if (job === undefined) return words(messages.jobIsGone);
        if (!(await isAllowed(press, job.recording))) return words(messages.notYours);
        if (action === "cancel") return (await intake.cancel(jobId)) ? undefined : words(messages.jobHasEnded);
        if (!(await queue.retry(jobId))) return words(messages.jobHasEnded);
        wake();
        return undefined;
      }
      case "delete": {
        const stored = await transcripts.get(jobId);
        if (stored === undefined) return words(messages.transcriptIsGone);
        if (!(await isAllowed(press, stored.recording))) return words(messages.notYours);
        const job = await queue.get(jobId);
        await transcripts.forget({ jobId }, press.actor.user);
        return retract(job, words(messages.deleted(stored.recording)));
      }
      case "translate": {
        const stored = await transcripts.get(jobId);
        if (stored === undefined) return words(messages.transcriptIsGone);
        const { language } = stored.plan;
        const request = { translate: true, ...(language === undefined ? {} : { language }) };
        const reception = await intake.ask(stored.recording, request, press.actor, stored.recording.place);
        if (reception.kind === "refused") return reception.reply;
        return reception.kind === "duplicate" ? words(messages.startedJob(stored.recording, true)) : undefined;
      }
      default: {
        const stored = await transcripts.get(jobId);
        return stored === undefined
          ? words(messages.transcriptIsGone)
          : { kind: "file", file: outputFile(stored, action) };
      }
    }
  };
}

function words(text: string): Reply {
  return { kind: "words", text };
}
