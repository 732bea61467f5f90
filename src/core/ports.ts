// Every port of the core, that is, all that it asks of the world.
//
// The words:
//   recording          what came in: a voice message, an audio or a video file
//   place              where it came from and where the answer goes; scope: whose settings hold there
//   workspace          a Slack team, a Discord guild, a Teams tenant
//   job                one recording to be transcribed and answered
//   claim, lease       a worker claims a job and holds it under a lease that it must extend; attempt: one claim's work
//   lane               which jobs a claim may take: the short ones, or any
//   plan               how the recording is transcribed: model, language, initial prompt, way
//   initial prompt     text that stands before every window of 30 s, so that the model spells as it does
//   glossary           the channel's terms, of which the initial prompt is made
//   window, segment    30 s of audio; a piece of timed text
//   checkpoint         where a transcription stands between two windows
//   way                window after window, or several at once
//   guard              what keeps invented text out of a transcript
//   reply              what is shown to people: a status, an answer, a failure, or words
import type { PlatformError } from "./errors.ts";
import type { Glossary, GlossaryChange } from "./glossary.ts";
import type { ClaimedJob, Job, JobRequest, JobState, JobSteps, Outcome, Plan } from "./job.ts";
import type { Allowance, Counted, Over } from "./limits.ts";
import type { Place, PlatformName, Recording, Scope } from "./recording.ts";
import type { Reply } from "./reply.ts";
import type { Settings } from "./settings.ts";
import type { Segment, Transcript } from "./transcript.ts";

/** A chat platform. `PlatformError` for what goes wrong there. */
export interface Platform {
  readonly name: PlatformName;
  /** The least time between two edits of a status message that the platform likes. */
  readonly editEveryMs: number;
  /** Resolves when events arrive; ends with the signal. @throws PlatformError unauthorized; ConfigError */
  listen(listener: Listener, signal: AbortSignal): Promise<void>;
  /** Streams the recording to a new file. @throws PlatformError gone, forbidden, …; UserError too_large */
  download(recording: Recording, toPath: string, signal: AbortSignal): Promise<void>;
  /** Posts a reply, or puts it in place of an earlier one, and gives the id of the message. */
  reply(place: Place, reply: Reply, posting: Posting): Promise<string>;
}

export interface Posting {
  /**
   * The same each time the same thing is posted, so that a platform which can do so posts it once only. A word for the
   * job and one for the part: "1f3a9c:status".
   */
  readonly key: string;
  /** The message to edit. */
  readonly editId?: string;
  /** An earlier attempt may have posted this and died before the id was saved. */
  readonly mayExist?: boolean;
}

/** What the gateway does with what people do on a platform. */
export interface Listener {
  /** A recording was posted where Earshot can see it. Resolves when the job is durable: acknowledge then. */
  recording(recording: Recording, request?: JobRequest): Promise<Reception>;
  command(invocation: Invocation): Promise<Reply>;
  /** A button under an answer. The reply is for the one who pressed it; undefined: the answer itself will change. */
  press(press: Press): Promise<Reply | undefined>;
  /** The message that held a recording was deleted. */
  removed(scope: Scope, message: string): Promise<void>;
  /** What holds in a channel, for pages and dialogs. */
  channel(scope: Scope): Promise<ChannelView>;
}

export type Reception =
  | { readonly kind: "added" | "duplicate"; readonly jobId: string }
  | { readonly kind: "ignored" }
  | { readonly kind: "refused"; readonly reply: Reply };

export const COMMAND_NAMES = ["transcribe", "jargon", "earshot"] as const;
export type CommandName = (typeof COMMAND_NAMES)[number];

/** Who does something, as far as the platform tells. */
export interface Actor {
  readonly user: string;
  /** An administrator by the platform's own rules. */
  readonly isAdmin: boolean;
  readonly roles: readonly string[];
}

export interface Invocation {
  readonly command: CommandName;
  /** What follows the command's name. */
  readonly text: string;
  /** Where it was typed; the reply goes there. */
  readonly place: Place;
  readonly actor: Actor;
  /** Recordings that came with the command, or in the message which it was called on. */
  readonly recordings: readonly Recording[];
  /** The recordings of the message that a link leads to; undefined: not a link to a message here. */
  resolveLink?(link: string): Promise<readonly Recording[] | undefined>;
}

export interface Press {
  readonly action: ActionName;
  readonly jobId: string;
  readonly place: Place;
  readonly actor: Actor;
}

export const ACTION_NAMES = [
  "txt",
  "srt",
  "vtt",
  "tsv",
  "json",
  "html",
  "translate",
  "delete",
  "cancel",
  "retry",
] as const;
export type ActionName = (typeof ACTION_NAMES)[number];

export interface ChannelView {
  readonly settings: Settings;
  readonly workspace: Partial<Settings>;
  readonly own: Partial<Settings>;
  /** The workspace's terms are included, each marked with where it comes from. */
  readonly glossary: Glossary;
  readonly promptTokens: { readonly used: number; readonly budget: number };
}

/** Which jobs a claim may take: those known to be short, or any. */
export type Lane = "short" | "any";

/** The durable queue. Every call with a claimed job is fenced by the lease token: false means the lease is lost, stop. */
export interface JobQueue {
  add(recording: Recording, request: JobRequest): Promise<{ readonly kind: "added" | "duplicate"; readonly job: Job }>;
  /** Adds it when what it announces is still within the day's minutes, which it then takes. */
  addWithin(
    allowance: Allowance,
    recording: Recording,
    request: JobRequest,
  ): Promise<
    { readonly kind: "added" | "duplicate"; readonly job: Job } | { readonly kind: "over"; readonly over: Over }
  >;
  /** The real length takes the place of what was announced, once for each job; what it is over when it is too much. */
  measure(job: ClaimedJob, seconds: number, allowance: Allowance): Promise<Over | undefined>;
  /** Seconds of audio that were taken today. */
  usedToday(place: Place): Promise<Readonly<Record<Counted, number>>>;
  /** Short recordings first, with aging, and no channel before all others. A lease that ran out can be claimed again. */
  claim(worker: string, leaseMs: number, lane: Lane): Promise<ClaimedJob | undefined>;
  extend(job: ClaimedJob, leaseMs: number): Promise<boolean>;
  note(job: ClaimedJob, steps: JobSteps): Promise<boolean>;
  /** Segments of a finished window together with the checkpoint after it. */
  append(job: ClaimedJob, segments: readonly Segment[], checkpoint: unknown): Promise<boolean>;
  settle(job: ClaimedJob, outcome: Outcome): Promise<boolean>;
  /** The status message of a job that nobody has claimed yet; the first one stays, and its id is given back. */
  noteStatus(jobId: string, statusId: string): Promise<string>;

  get(jobId: string): Promise<Job | undefined>;
  list(filter: { readonly state?: JobState; readonly scope?: Scope; readonly limit: number }): Promise<readonly Job[]>;
  /** How many jobs would be claimed before this one; 0: it is next, or it is being worked on. */
  ahead(jobId: string): Promise<number>;
  counts(): Promise<Readonly<Record<JobState, number>>>;
  /** A failed or cancelled job is queued again, with what was done for it. False: it is in another state. */
  retry(jobId: string): Promise<boolean>;
  /** A queued or running job ends; its worker learns of it from the next fenced call. False: it had ended before. */
  cancel(jobId: string): Promise<boolean>;
  /** The clock was set, forward or back: leases hold as long as before, and nobody waits longer. */
  shift(byMs: number): Promise<void>;
  /** When the earliest waiting job may be claimed, in ms since 1970; undefined: none waits. */
  nextDueMs(): Promise<number | undefined>;

  /** Keeps a recording that was seen and not asked for, so that "latest" finds it. */
  saw(recording: Recording): Promise<void>;
  latest(scope: Scope): Promise<Recording | undefined>;
}

/**
 * What the adapter of one platform keeps across restarts, under keys of its own, such as "conversation:19:abc": JSON
 * values. No text of transcripts: that is the transcript store's, which forgets when it is told to.
 */
export interface PlatformNotes {
  /** undefined: there is none. Whoever reads a note checks its shape: another version may have written it. */
  get(key: string): Promise<unknown>;
  put(key: string, value: unknown): Promise<void>;
  /** True for one caller only. */
  remove(key: string): Promise<boolean>;
  /** Those whose key begins with `prefix`, in the order of their keys. */
  list(prefix: string): Promise<readonly PlatformNote[]>;
}

export interface PlatformNote {
  readonly key: string;
  readonly value: unknown;
  /** When it was last written, in ms since 1970. */
  readonly atMs: number;
}

export interface SettingsStore {
  workspace(scope: Pick<Scope, "platform" | "workspace">): Promise<Partial<Settings>>;
  channel(scope: Scope): Promise<Partial<Settings>>;
  /** `null` takes a choice back, so that the next wider one holds. */
  change(
    scope: Scope,
    level: Level,
    change: { readonly [K in keyof Settings]?: Settings[K] | null },
    by: string,
  ): Promise<void>;
}

export type Level = "workspace" | "channel";

export interface GlossaryStore {
  /** Channel terms first, then the workspace's. */
  of(scope: Scope): Promise<Glossary>;
  change(scope: Scope, level: Level, change: GlossaryChange, by: string): Promise<void>;
}

/** A transcript as it is kept. */
export interface StoredTranscript extends Transcript {
  readonly jobId: string;
  readonly recording: Recording;
  readonly plan: Plan;
  readonly model: string;
  readonly device: string;
  readonly createdAtMs: number;
  /** From the event to the stored transcript. */
  readonly waitMs: number;
  /** Sentences that belong with the answer, such as that it was the demo model. */
  readonly notes: readonly string[];
}

export interface SearchHit {
  readonly jobId: string;
  readonly recording: Recording;
  readonly createdAtMs: number;
  /** Seconds into the recording. */
  readonly start: number;
  /** The words around the match, the match itself between U+0002 and U+0003. */
  readonly excerpt: string;
}

export interface TranscriptStats {
  readonly recordings: number;
  readonly audioSeconds: number;
  readonly medianWaitMs: number | undefined;
}

export interface TranscriptStore {
  /** A second save of the same job changes nothing. */
  save(transcript: StoredTranscript): Promise<void>;
  get(jobId: string): Promise<StoredTranscript | undefined>;
  /** The newest of a channel. */
  latest(scope: Scope): Promise<StoredTranscript | undefined>;
  search(scope: Scope, words: string, limit: number): Promise<readonly SearchHit[]>;
  /** Codes of the languages that a fifth or more of the channel's last recordings were in; none from fewer than three. */
  usualLanguages(scope: Scope): Promise<readonly string[]>;
  stats(scope: Pick<Scope, "platform" | "workspace">, sinceMs: number): Promise<TranscriptStats>;
  /** Deleted for good, the job's segments and recording's file name with it. @returns how many transcripts */
  forget(
    what: { readonly jobId: string } | { readonly scope: Scope } | { readonly scope: Scope; readonly message: string },
    by: string,
  ): Promise<number>;
  /** Deletes what is older than its channel's retention. @returns how many */
  expire(nowMs: number): Promise<number>;
}

/** The engine behind one door: a child process here, or a pool of machines. */
export interface Transcriber {
  /**
   * @throws UserError no_audio, unreadable, too_long, …; InferenceError out_of_memory, child_died, child_shared,
   *   model_missing;
   *   the signal's reason when aborted
   */
  transcribe(
    audioPath: string,
    options: TranscriberOptions,
    on: TranscriberEvents,
    signal: AbortSignal,
  ): Promise<TranscriberResult>;
  /** Which model would serve, and on what; loads it when it is not loaded. */
  engine(model: string): Promise<Engine>;
  close(): Promise<void>;
}

export interface TranscriberOptions extends Plan {
  /** From the last checkpoint, with the segments up to there. */
  readonly resume?: { readonly checkpoint: unknown; readonly segments: readonly Segment[] };
  /** Recordings of up to a minute or two go before longer ones. */
  readonly isShort: boolean;
  /** The same each time the same job is run: a pool finds by it what it has finished for an earlier run. */
  readonly key?: string;
  /** A longer recording is refused (too_long), whatever its header says of its length. */
  readonly maxSeconds?: number;
  /** The time of each word, where the model's graphs can tell it; else segments only. */
  readonly wordTimes?: boolean;
}

export interface TranscriberEvents {
  /**
   * Seconds behind us, and the length of the recording. Also called once before the first window.
   * @param work seconds that were decoded and that are to be, where these are known: what is silent costs nothing
   */
  progress(seconds: number, duration: number, work?: { readonly done: number; readonly total: number }): void;
  /** A window's segments, and where to go on after them. The next window waits for the promise. */
  window(segments: readonly Segment[], checkpoint: unknown): Promise<void>;
  /** Nothing goes on for now, and why; over with the next progress or window. */
  waiting?(reason: WaitingReason): void;
}

/** What a transcription in a pool waits for. */
export type WaitingReason =
  /** The pool cannot be reached. */
  | "connection"
  /** No machine is there that has the model. */
  | "transcriber"
  /** All that have it are busy. */
  | "turn"
  /** The pool holds as many recordings as it may. */
  | "room";

export interface TranscriberResult extends Transcript, Engine {}

export interface Engine {
  /** What serves, which for "auto" depends on what is on disk. */
  readonly model: string;
  readonly device: string;
  readonly notes: readonly string[];
}

/** A machine of a pool of transcribers, as it last spoke of itself. */
export interface PoolMember {
  readonly worker: string;
  readonly version: string;
  readonly models: readonly string[];
  readonly device: string;
  /** Recordings that it works on. */
  readonly busy: number;
  /** Since it was started. */
  readonly done: number;
  readonly failed: number;
  readonly audioSeconds: number;
  readonly workSeconds: number;
}

/** Counts and cuts text as the model's own tokenizer does. */
export interface PromptTokens {
  count(text: string): Promise<number>;
  /** Tokens that an initial prompt may have, so that the running text keeps its share. */
  readonly budget: number;
}

/** What happens inside, for logs and metrics: no text, no file names. */
export type GatewayEvent =
  | { readonly kind: "job_added" | "job_cancelled"; readonly job: Job }
  | { readonly kind: "job_started"; readonly job: Job; readonly waitMs: number }
  | {
      readonly kind: "job_done";
      readonly job: Job;
      readonly audioSeconds: number;
      readonly workMs: number;
      readonly waitMs: number;
      readonly model: string;
      readonly device: string;
    }
  | { readonly kind: "job_retried" | "job_failed"; readonly job: Job; readonly code: string; readonly error: unknown }
  /** It cannot be reached, and is tried again. */
  | {
      readonly kind: "platform_away";
      readonly platform: PlatformName;
      readonly nextTryMs: number;
      readonly error: PlatformError;
    }
  | { readonly kind: "platform_back"; readonly platform: PlatformName }
  | { readonly kind: "unexpected"; readonly where: string; readonly error: unknown };

export type Observe = (event: GatewayEvent) => void;
