// What gateway and machines say to each other over NATS, checked on both sides.
import { z } from "zod";
import { type Frozen, float, result, segment, sentError, transcriberOptions } from "../child-protocol.ts";

/** One recording to be transcribed, with all that it takes but the sound, which lies under the same id. */
const workItem = z.object({
  id: z.string(),
  lane: z.enum(["short", "long"]),
  options: transcriberOptions.omit({ resume: true, key: true }),
});
export type WorkItem = Frozen<z.output<typeof workItem>>;

const progress = {
  seconds: float,
  duration: float,
  work: z.object({ done: float, total: float }).exactOptional(),
};

const logEntry = z.discriminatedUnion("kind", [
  /** A gateway wants this item. Always the first. */
  z.object({ kind: z.literal("asked") }),
  /** What was finished before the item came to the pool. */
  z.object({ kind: z.literal("resumed"), segments: z.array(segment), checkpoint: z.unknown() }),
  z.object({ kind: z.literal("began"), worker: z.string() }),
  z.object({ kind: z.literal("heard"), ...progress }),
  z.object({
    kind: z.literal("window"),
    segments: z.array(segment),
    checkpoint: z.unknown(),
    ...progress,
  }),
  /** A machine gave it back: it stops, or it cannot do it. */
  z.object({ kind: z.literal("released"), worker: z.string(), why: z.string(), isUnharmed: z.boolean() }),
  /** The prepared recording is not in the store any more. */
  z.object({ kind: z.literal("lost"), worker: z.string() }),
  z.object({ kind: z.literal("done"), worker: z.string(), result }),
  z.object({ kind: z.literal("failed"), worker: z.string(), error: sentError }),
]);
export type LogEntry = Frozen<z.output<typeof logEntry>>;

/** What a machine says of itself every few seconds. */
const workerCard = z.object({
  worker: z.string(),
  version: z.string(),
  models: z.array(z.object({ model: z.string(), device: z.string(), notes: z.array(z.string()) })),
  /** Items that it works on. */
  busy: z.int(),
  done: z.int(),
  failed: z.int(),
  audioSeconds: float,
  workSeconds: float,
  /** After three times as long without a word it counts as gone. */
  everyMs: z.number(),
});
export type WorkerCard = Frozen<z.output<typeof workerCard>>;

const parser =
  <T>(schema: z.ZodType<T>) =>
  (text: string): T | undefined => {
    try {
      const parsed = schema.safeParse(JSON.parse(text, revive));
      return parsed.success ? parsed.data : undefined;
    } catch {
      return undefined;
    }
  };

// Undefined: from another version, or nonsense.
export const readWorkItem: (text: string) => WorkItem | undefined = parser(workItem);
export const readLogEntry: (text: string) => LogEntry | undefined = parser(logEntry);
export const readWorkerCard: (text: string) => WorkerCard | undefined = parser(workerCard);

/** JSON, in which numbers that are not finite stay what they are. */
export function writeMessage(message: WorkItem | LogEntry | WorkerCard): string {
  return JSON.stringify(message, (_, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? { [NUMBER]: String(value) } : value,
  );
}

const NUMBER = "$number";

function revive(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !(NUMBER in value)) return value;
  return Number(value[NUMBER]);
}
