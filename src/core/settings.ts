// What a workspace or a channel has chosen: how its recordings are taken, transcribed and answered.
import type { Reach } from "./recording.ts";

export const FORMATS = ["txt", "srt", "vtt", "tsv", "json", "html"] as const;
/** Kinds of transcript files. */
export type Format = (typeof FORMATS)[number];

export interface Settings {
  /** Which recordings are transcribed without being asked for. */
  readonly auto: "off" | "voice" | "all";
  /** Codes as in core/languages.ts. None: detected among all; one: that one; more: detected among these. */
  readonly languages: readonly string[];
  /** A name of the catalog, "demo" or "auto". */
  readonly model: string;
  /** Into English. */
  readonly translate: boolean;
  /** Times in the text of the answer. */
  readonly timestamps: boolean;
  readonly reply: Reach;
  /** Files that come with the answer. */
  readonly formats: readonly Format[];
  /** Days after which a transcript is deleted; null: kept. */
  readonly retentionDays: number | null;
  /** Who may change settings and glossary: the platform's own administrators, everyone, or people of these roles too. */
  readonly editors: "admins" | "everyone" | readonly string[];
  /** Keeps "um" and "uh", and numbers as they were written. */
  readonly verbatim: boolean;
  /** Minutes of audio a day; null: no limit of its own. Only administrators set these and the limits below. */
  readonly minutesPerUser: number | null;
  readonly minutesPerChannel: number | null;
  readonly minutesPerWorkspace: number | null;
  /** Recordings of one person that wait or run at once. */
  readonly jobsPerUser: number | null;
  /** The longest and the largest recording. */
  readonly maxMinutes: number | null;
  readonly maxMegabytes: number | null;
  /** People change the language within a recording: it is detected in each window of 30 s. */
  readonly mixed: boolean;
  /** Whether each track or channel of a recording is taken for one speaker; auto: where the sound shows it. */
  readonly tracks: "auto" | "on" | "off";
  /** Long transcripts are cut into chapters. */
  readonly chapters: boolean;
}

export const DEFAULT_SETTINGS: Settings = {
  auto: "voice",
  languages: [],
  model: "auto",
  translate: false,
  timestamps: false,
  reply: "thread",
  formats: ["txt", "srt"],
  retentionDays: null,
  editors: "everyone",
  verbatim: false,
  minutesPerUser: null,
  minutesPerChannel: null,
  minutesPerWorkspace: null,
  jobsPerUser: null,
  maxMinutes: null,
  maxMegabytes: null,
  mixed: false,
  tracks: "auto",
  chapters: false,
};

/** A channel's own choices over its workspace's over the defaults. */
export function effectiveSettings(workspace: Partial<Settings>, channel: Partial<Settings>): Settings {
  return { ...DEFAULT_SETTINGS, ...workspace, ...channel };
}
