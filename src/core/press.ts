// What the buttons under an answer do.
import type { Intake } from "./intake.ts";
import * as messages from "./messages.ts";
import type { JobQueue, Listener, Press, SettingsStore, TranscriptStore } from "./ports.ts";
import { outputFile } from "./render/files.ts";
import type { Reply } from "./reply.ts";
import { mayEdit } from "./rights.ts";

export interface PressParts {
  readonly queue: JobQueue;
  readonly transcripts: TranscriptStore;
  readonly settings: SettingsStore;
  readonly intake: Intake;
  readonly wake: () => void;
}

export function createPress({ queue, transcripts, settings, intake, wake }: PressParts): Listener["press"] {
  async function isAllowed(press: Press, author: string): Promise<boolean> {
    return press.actor.user === author || (await mayEdit(press.actor, press.place, settings));
  }

  return async (press) => {
    const { action, jobId } = press;
    switch (action) {
      case "cancel":
      case "retry": {
        const job = await queue.get(jobId);
        if (job === undefined) return words(messages.jobIsGone);
        if (!(await isAllowed(press, job.recording.place.user))) return words(messages.notYours);
        if (action === "cancel") return (await intake.cancel(jobId)) ? undefined : words(messages.jobHasEnded);
        if (!(await queue.retry(jobId))) return words(messages.jobHasEnded);
        wake();
        return undefined;
      }
      case "delete": {
        const stored = await transcripts.get(jobId);
        if (stored === undefined) return words(messages.transcriptIsGone);
        if (!(await isAllowed(press, stored.recording.place.user))) return words(messages.notYours);
        await transcripts.forget({ jobId }, press.actor.user);
        return words(messages.forgotten(stored.recording));
      }
      case "translate": {
        const stored = await transcripts.get(jobId);
        if (stored === undefined) return words(messages.transcriptIsGone);
        const reception = await intake.ask(stored.recording, { translate: true }, press.actor, stored.recording.place);
        return reception.kind === "refused" ? reception.reply : undefined;
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
