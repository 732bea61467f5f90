// A job: one recording to be transcribed and answered, with everything that was already done for it.

import type { Recording } from "./recording.ts";
import type { Format } from "./settings.ts";
import type { Segment, Way } from "./transcript.ts";

/** Recordings known to be at most this long go before longer ones. */
export const SHORT_SECONDS = 120;

/** What was asked for this one recording; it goes before the channel's settings. */
export interface JobRequest {
  /** One language for this recording. */
  readonly language?: string;
  readonly model?: string;
  readonly translate?: boolean;
  readonly formats?: readonly Format[];
  /** The channel's files come however short the text is, as for a meeting. */
  readonly wantsFiles?: boolean;
  /** Job of an earlier transcript of the same recording; the answer then shows what has changed. */
  readonly compareWith?: string;
}

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

/** How one recording is transcribed. Settled when the transcription starts, so that a resumed one goes on alike. */
export interface Plan {
  readonly model: string;
  readonly language?: string;
  readonly allowedLanguages?: readonly string[];
  /** What the channel's recordings are mostly in: short clips lean towards these. */
  readonly usualLanguages?: readonly string[];
  /** Detected in each window of 30 s anew. */
  readonly languagePerWindow?: boolean;
  /** Whether each track or channel is taken for one speaker; auto: where the sound shows it. */
  readonly speakerTracks?: "off" | "auto" | "on";
  /** Who speaks on each; else their titles, else Speaker 1, Speaker 2, … */
  readonly speakerNames?: readonly string[];
  readonly task: "transcribe" | "translate";
  readonly initialPrompt: string;
  /** The engine chooses, by its device and the recording, where this is left out. */
  readonly way?: Way;
}

/** What was done, each written down before the next step begins. */
export interface JobSteps {
  /** Id of the status message, which becomes the answer. */
  readonly statusId?: string;
  /** The downloaded recording on this machine's disk. */
  readonly mediaPath?: string;
  /** Seconds, once known from the file itself. */
  readonly durationSeconds?: number;
  readonly plan?: Plan;
  /** Where the transcriber stands; plain JSON, only it can read it. */
  readonly checkpoint?: unknown;
  /** The transcript is stored; from here on only the answer is missing. */
  readonly isTranscribed?: boolean;
  /** The status message shows the answer. */
  readonly isAnswered?: boolean;
  /** Names of the files that were sent. */
  readonly sentFiles?: readonly string[];
  /** How often the engine has died over it. */
  readonly deaths?: number;
  /** It has failed for good, and nobody could be told yet. */
  readonly verdict?: Verdict;
}

export interface Verdict {
  readonly failure: Omit<Failure, "atMs">;
  /** The same recording may go better another time. */
  readonly canRetry: boolean;
}

export interface Lease {
  /** New with every claim; what a worker with an older token writes is refused. */
  readonly token: string;
  readonly worker: string;
  /** Milliseconds since 1970. */
  readonly untilMs: number;
}

export interface Job {
  /** Six characters that can be read out, such as "1f3a9c". */
  readonly id: string;
  readonly recording: Recording;
  readonly request: JobRequest;
  readonly state: JobState;
  /** 1 for the first claim. */
  readonly attempt: number;
  readonly addedAtMs: number;
  readonly steps: JobSteps;
  /** Present while running. */
  readonly lease?: Lease;
  /** Why the last attempt failed. */
  readonly failure?: Failure;
}

export interface Failure {
  readonly code: string;
  /** A sentence for people. */
  readonly message: string;
  readonly atMs: number;
}

/** A job as the worker holds it, and the segments that were finished by earlier attempts. */
export interface ClaimedJob extends Job {
  readonly lease: Lease;
  readonly segments: readonly Segment[];
}

export type Outcome =
  | { readonly kind: "done" }
  /** Not before `afterMs` from now. */
  | { readonly kind: "retry"; readonly afterMs: number; readonly failure: Omit<Failure, "atMs"> }
  | { readonly kind: "failed"; readonly failure: Omit<Failure, "atMs"> }
  /** Given back unharmed, as when the gateway stops; does not count as an attempt. */
  | { readonly kind: "released" };
