// "auto" is settled when a recording is first taken: its checkpoints name the model, so that it goes on with no other.
import type { TranscriberOptions } from "../../core/ports.ts";

const KEY = "poolModel";

export function pinModel(checkpoint: unknown, model: string): unknown {
  return typeof checkpoint === "object" && checkpoint !== null ? { ...checkpoint, [KEY]: model } : checkpoint;
}

export function unpinModel(resume: TranscriberOptions["resume"]): {
  readonly resume: TranscriberOptions["resume"];
  readonly model: string | undefined;
} {
  const { checkpoint } = resume ?? {};
  if (resume === undefined || typeof checkpoint !== "object" || checkpoint === null || !(KEY in checkpoint)) {
    return { resume, model: undefined };
  }
  const { [KEY]: model, ...own } = checkpoint;
  return { resume: { ...resume, checkpoint: own }, model: typeof model === "string" ? model : undefined };
}
